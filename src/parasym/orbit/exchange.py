"""Branches that change places as wholes: which member of one model is which of the other."""

from itertools import product
from math import prod
from operator import itemgetter

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from parasym.core import Params
from parasym.orbit.method import AbstractMethod, Aligned
from parasym.orbit.objective import gap
from parasym.symmetry import Binding, Element, Factor, Move, Part, Swap, Symmetry
from parasym.symmetry.binding import select

EVERY = 24
"""Ways for branches to change places up to which all are tried."""


def closest(
    symmetry: Symmetry, a: Params, b: Params, method: AbstractMethod, generator: torch.Generator | None = None
) -> tuple[Element, Aligned]:
    """Return how branches change places, and what then brings ``b`` closest to ``a`` as far as the method finds it.

    Args:
        symmetry: The symmetry.
        a: The target, in the balanced gauge.
        b: The model to move, in the balanced gauge.
        method: How to align what is inside of branches, and all the rest.
        generator: Source of randomness for methods that restart.
    """
    found = []
    for first in starts(symmetry, a, b):
        moved = first(b)
        aligned = method.align(symmetry, a, moved, generator=generator)
        found.append((gap(a, aligned.element(moved)) if first.moves else 0.0, first, aligned))
    return min(found, key=itemgetter(0))[1:]


def are_all_tried(symmetry: Symmetry) -> bool:
    """Return whether :func:`closest` tries all ways for branches to change places.

    Args:
        symmetry: Any symmetry.
    """
    return prod(factor.order for factor in symmetry.factors if _swaps(factor)) <= EVERY


def starts(symmetry: Symmetry, a: Params, b: Params) -> list[Element]:
    """Return exchanges of branches to start from: all if they are few, else none and the one whose branches fit best.

    Args:
        symmetry: The symmetry.
        a: The target, in the balanced gauge.
        b: The model to move, in the balanced gauge.
    """
    factors = [factor for factor in symmetry.factors if _swaps(factor)]
    if are_all_tried(symmetry):
        every = product(*(list(f.group.elements()) for f in factors))
        return [Element(symmetry, tuple(Move(f.id, p) for f, p in zip(factors, values, strict=True))) for values in every]
    return [Element(symmetry), Element(symmetry, tuple(matching_moves(symmetry, a, b)))]


def sorting_moves(symmetry: Symmetry, params: Params) -> list[Move]:
    """Return the moves that sort the members of every exchange by the norms of their parts.

    The norms do not see what the isometries inside a branch do, so they are to be taken in the balanced gauge.

    Args:
        symmetry: The symmetry.
        params: Parameters by name.
    """
    moves = []
    for factor in symmetry.factors:
        for swap in _swaps(factor):
            keys = [
                sum((k + 1.5) * float(_content(part, params).square().sum()) for k, part in enumerate(member))
                for member in swap.members
            ]
            moves.append(Move(factor.id, torch.tensor(keys).argsort()))
    return moves


def matching_moves(symmetry: Symmetry, a: Params, b: Params) -> list[Move]:
    r"""Return the moves that give every member of ``a`` the member of ``b`` that could come closest to it.

    The profit of a pair is a bound on what inner wires can still gain: where one axis of a part is moved by them,
    :math:`\max_Q \langle A, Q B\rangle = \lVert A B^\top \rVert_*`; where two are, the product of singular values.

    Args:
        symmetry: The symmetry.
        a: The target, in the balanced gauge.
        b: The model to move, in the balanced gauge.
    """
    moves = []
    for factor in symmetry.factors:
        for swap in _swaps(factor):
            profit = torch.tensor([[_profit(symmetry, one, two, a, b) for two in swap.members] for one in swap.members])
            _, columns = linear_sum_assignment(profit.numpy(), maximize=True)
            moves.append(Move(factor.id, torch.from_numpy(columns)))
    return moves


def _swaps(factor: Factor) -> list[Swap]:
    return [binding for binding in factor.bindings if isinstance(binding, Swap)]


def _content(part: Part, params: Params) -> Tensor:
    return select(params[part.tensor], part.index(params[part.tensor]))


def _profit(symmetry: Symmetry, one: tuple[Part, ...], two: tuple[Part, ...], a: Params, b: Params) -> float:
    total = 0.0
    for left, right in zip(one, two, strict=True):
        x, y = _content(left, a).double(), _content(right, b).double()
        axes = _moved_axes(symmetry, left.tensor)
        if not axes or x.ndim == 0:
            total += float((x * y).sum())
        elif len(axes) == 1:
            (axis,) = axes
            rows = [t.movedim(axis, 0).flatten(1) if t.ndim > 1 else t[:, None] for t in (x, y)]
            total += float(torch.linalg.matrix_norm(rows[0] @ rows[1].mT, "nuc"))
        else:
            spectra = [torch.linalg.svdvals(t.flatten(1)) for t in (x, y)]
            total += float(spectra[0] @ spectra[1])
    return total


def _moved_axes(symmetry: Symmetry, tensor: str) -> set[int]:
    bindings = [b for factor in symmetry.factors for b in factor.bindings]
    return {b.slot.axis for b in bindings if isinstance(b, Binding) and b.tensor == tensor and b.slot is not None}
