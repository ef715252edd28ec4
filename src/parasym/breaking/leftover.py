"""The freedoms that no weight bears: as few further entries frozen as these freedoms have dimensions."""

from collections import defaultdict
from collections.abc import Iterable
from math import prod
from typing import Any

import numpy as np
import torch
from scipy.linalg import qr
from torch import Tensor, nn

from parasym.breaking.freeze import frozen_tensors
from parasym.breaking.graph import Graph, symmetry_of
from parasym.breaking.plan import FrozenPlaces, install_
from parasym.core import Params, child_generator
from parasym.symmetry import Factor, Shift, Symmetry, tangents

_ROUNDS = 8
_RANK = 1e-9


def freeze_leftover_(
    model: nn.Module, graph: Graph, allowed: Iterable[str], *, seed: int, std: float
) -> tuple[list[FrozenPlaces], Symmetry]:
    r"""Freeze entries of ``model``, in place, until ``find`` sees nothing more that they bear.

    A freedom of ``k`` dimensions moves a tensor along ``k`` directions, the rows of a matrix ``T``. If ``k`` columns of ``T`` are
    independent, then freezing these entries leaves no combination of the directions. They are found by a QR decomposition
    with pivoting. Translations are taken from the model as it was *before* weights were masked: one that a masked weight
    carries on (from a value bias to an output bias) remains, but the factor that describes it does not.

    Which entries these are depends on shapes and the seed only, never on the numbers of the model.

    Args:
        model: A module that nobody else holds, its weights masked.
        graph: What was known of the model before that.
        allowed: Names of the tensors whose entries may be frozen.
        seed: Seed of the constants.
        std: Their standard deviation.

    Returns:
        What was frozen, and the symmetry that is left.
    """
    names = set(allowed)
    translations = tuple(f for f in graph.symmetry.factors if isinstance(f.bindings[0], Shift))
    entries, plan, left = pivots(graph.symmetry, translations, names, seed), [], graph.symmetry
    for _ in range(_ROUNDS):
        more = [_planned(name, index, graph.symmetry, std) for name, index in entries.items()]
        install_(model, more, seed=seed)
        plan += more
        for *_, one in frozen_tensors(model):
            one.kept_in_full = True  # the next round needs them again
        left = symmetry_of(model, graph.call)
        entries = pivots(left, left.factors, names, seed)
        if not entries:
            break
    for *_, one in frozen_tensors(model):
        one.forget()
    return plan, left


def pivots(symmetry: Symmetry, factors: tuple[Factor, ...], allowed: set[str], seed: int) -> dict[str, Tensor]:
    """Return entries of allowed tensors without which the factors cannot move, by tensor; flat indices.

    A factor is stopped at the first allowed tensor that it moves; one that moves none is passed over.

    Args:
        symmetry: Says shapes.
        factors: What is to be stopped.
        allowed: Names of tensors.
        seed: Seed of the point at which directions are taken.
    """
    shapes = dict(symmetry.shapes)
    rows: dict[str, list[Tensor]] = defaultdict(list)
    for factor in factors:
        name = next((n for n in factor.tensors if n in allowed), None)
        if name is None:
            continue
        if factor.group.continuous:
            rows[name].append(_directions(factor, name, shapes, seed))
        elif len(shapes[name]) <= 1:
            rows[name].append(torch.eye(prod(shapes[name]), dtype=torch.float64))
    out: dict[str, Tensor] = {}
    for name, directions in rows.items():
        out[name] = _independent_columns(torch.cat(directions))
    return {name: index for name, index in out.items() if len(index)}


def _independent_columns(rows: Tensor) -> Tensor:
    """Return as many columns as the rank, independent of each other; a row of a single entry decides by itself."""
    filled = rows != 0
    lone = filled.sum(1) == 1
    settled = filled[lone].any(0)
    rest, columns = rows[~lone][:, ~settled], (~settled).nonzero().flatten()
    found = settled.nonzero().flatten()
    if 0 in rest.shape:
        return found
    parts: Any = qr(rest.numpy(), mode="r", pivoting=True)
    r, order = parts
    size = np.abs(np.diag(r))
    pivots = torch.from_numpy(order[: int((size > _RANK * max(size.max(), 1.0)).sum())].copy()).long()
    return torch.cat([found, columns[pivots]])


def _directions(factor: Factor, name: str, shapes: dict[str, tuple[int, ...]], seed: int) -> Tensor:
    """Return the directions along which a factor moves one tensor, a row each, at a generic point."""
    through = [step.weight for b in factor.bindings if isinstance(b, Shift) for step in b.through]
    params: Params = {n: _generic(n, shapes[n], seed) for n in (name, *through)}
    return tangents(factor, params, (name,))[name].flatten(1)


def _planned(name: str, index: Tensor, symmetry: Symmetry, std: float) -> FrozenPlaces:
    """Return entries to be frozen: of gains around one, of all other tensors around zero."""
    gain = name.rpartition(".")[2] == "weight" and len(dict(symmetry.shapes)[name]) == 1
    return FrozenPlaces(name, tuple(index.tolist()), std, 1.0 if gain else 0.0)


def _generic(name: str, shape: tuple[int, ...], seed: int) -> Tensor:
    # Positive, because variances are; generic otherwise.
    source = child_generator(seed, f"{name}:point")
    return 0.5 + torch.rand(prod(shape), generator=source, dtype=torch.float64).reshape(shape)
