"""Planted elements: copies of the models of the zoo, moved along their orbits, and how exactly a method brings them back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import nn

from parasym.core import Params
from parasym.find import find
from parasym.orbit import METHODS, AbstractMethod, match
from parasym.orbit.objective import gap, norm
from parasym.symmetry import Factor, Swap, Symmetry
from parasym.zoo import ZOO, generic_params

ENTRIES = {entry.name: entry for entry in ZOO}

BOUNDS = {torch.float64: 1e-8, torch.float32: 1e-4, torch.bfloat16: 3e-2}
"""Relative distance up to which a planted element has come back, by the precision of the models."""

ALL = "all"
"""The kind of an element of all factors together."""

BATCHES = 3


@dataclass(frozen=True)
class Cell:
    """What is planted, where, and which method has to find it.

    Attributes:
        method: Name in the table of methods.
        kind: ``all``, or the kind of factors that take part.
        model: Name in the zoo.
        dtype: Precision of both models.
    """

    method: str
    kind: str
    model: str
    dtype: torch.dtype


@dataclass(frozen=True)
class Recovery:
    """What became of one planted element.

    Attributes:
        planted: Distance of the moved copy, relative to the norm of the model.
        left: The same after matching.
        notes: What the method could not see.
    """

    planted: float
    left: float
    notes: tuple[str, ...]


@cache
def found(name: str) -> tuple[nn.Module, Symmetry]:
    """Return a model of the zoo and its symmetry.

    Args:
        name: Its name.
    """
    model = ENTRIES[name].model()
    return model, find(model, ENTRIES[name].inputs(torch.Generator().manual_seed(0)))


@cache
def method_of(name: str, model: str) -> AbstractMethod:
    """Return a method for a model of the zoo, with data if it needs some.

    Args:
        name: Name of the method.
        model: Name of the model.
    """
    data: list[Any] = [ENTRIES[model].inputs(torch.Generator().manual_seed(100 + k)) for k in range(BATCHES)]
    return METHODS[name].on(found(model)[0], data)


def kind_of(factor: Factor) -> str:
    """Return what kind of factor one is: its group, or that whole branches change places.

    Args:
        factor: Any factor.
    """
    return "exchange" if isinstance(factor.bindings[0], Swap) else type(factor.group).__name__


def cells(models: Sequence[str] | None = None) -> Iterator[Cell]:
    """Yield every cell: method, kind, model and precision, one model after the other.

    Args:
        models: Names in the zoo; all that have a symmetry if ``None``.

    Yields:
        One cell after the other.
    """
    for model in ENTRIES if models is None else models:
        kinds = dict.fromkeys(kind_of(factor) for factor in found(model)[1].factors)
        for kind in (ALL, *kinds) if kinds else ():
            for dtype in BOUNDS:
                for method in METHODS:
                    yield Cell(method, kind, model, dtype)


def moved_copy(name: str, seed: int, dtype: torch.dtype = torch.float64, kind: str = ALL) -> tuple[Symmetry, Params, Params]:
    """Return the symmetry of a model, the model at random parameters, and its copy moved by a random element.

    Args:
        name: Name in the zoo.
        seed: Of parameters and element.
        dtype: Precision of both.
        kind: Which factors take part.
    """
    model, symmetry = found(name)
    generator = torch.Generator().manual_seed(seed)
    a = cast(generic_params(model, generator=generator), dtype)
    only = tuple(k for k, factor in enumerate(symmetry.factors) if kind in {ALL, kind_of(factor)})
    return symmetry, a, cast(symmetry.sample(generator=generator, only=only)(cast(a, torch.float64)), dtype)


def recovery(cell: Cell, seed: int) -> Recovery:
    """Return how exactly one planted element comes back, without restarts.

    Args:
        cell: What is planted.
        seed: Of parameters and element.

    Example:
        >>> there = recovery(Cell("weight", ALL, "mlp_relu", torch.float64), 0)
        >>> there.planted > 0.1, there.left < 1e-8
        (True, True)
    """
    symmetry, a, b = moved_copy(cell.model, seed, cell.dtype, cell.kind)
    matched = match(symmetry, a, b, method=method_of(cell.method, cell.model))
    a, b = cast(a, torch.float64), cast(b, torch.float64)
    return Recovery(gap(a, b) / norm(a), gap(a, matched.element(b)) / norm(a), matched.notes)


def cast(params: Params, dtype: torch.dtype) -> Params:
    """Return parameters in another precision.

    Args:
        params: Parameters by name.
        dtype: The precision; integers stay.
    """
    return {n: x.to(dtype) if x.is_floating_point() else x for n, x in params.items()}
