"""The gauge in which distances are measured: the point of least norm in the closure of an orbit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch import Tensor

from parasym.core import Params
from parasym.groups import GeneralLinear, PositiveScaling
from parasym.groups.least_norm import thin_maps
from parasym.orbit.gauge import balance, is_noncompact, of_variances, products, roots
from parasym.orbit.objective import STATISTICS, counted
from parasym.orbit.translation import settle, spending
from parasym.symmetry import Binding, Factor, Symmetry

TOLERANCE = 1e-12
"""Largest logarithm of a move at which the gauge counts as reached."""

STEPS = 5000
"""Bound on the passes over all scales and matrices."""

ROUNDS = 50
"""Bound on how often channels vanish and what is left is balanced anew."""


@dataclass(frozen=True)
class Closed:
    """Parameters in the gauge of :func:`least_point`.

    Attributes:
        params: The parameters, in float64.
        residual: Logarithm of the largest move of the last pass: how far from the gauge they may still be.
        vanished: Names of the wires of which channels vanished.
    """

    params: Params
    residual: float
    vanished: tuple[str, ...]


def least_point(symmetry: Symmetry, params: Params) -> Closed:
    r"""Return the point of least norm in the closure of an orbit: the one that the group cannot bring closer to zero.

    Translations go first, each wholly to one stated place (:func:`~parasym.orbit.translation.settle`). Stored variances become
    one; scales that nothing undoes bring what they scale to norm one (:func:`~parasym.orbit.gauge.balance`); along all other
    directions the norm is least. Such a point is unique up to isometries of the group, and every closure has one. Most
    orbits contain it. Where channels are dead (nothing goes in, or nothing comes out) or a ``GL(n)`` wire is wider than the rank
    of what passes through it, the orbit only comes as close to it as one likes, and there what is not seen is zero.

    Args:
        symmetry: Any symmetry.
        params: Parameters by name; not modified.

    References:
        Kempf, Ness. The length of vectors in representation spaces. 1979.
    """
    names = set(counted(params, STATISTICS))
    eps = max((torch.finfo(params[n].dtype).eps for n in names), default=0.0)
    x = settle(symmetry, {n: v.detach().double() if v.is_floating_point() else v for n, v in params.items()})
    factors = [(f, _places(f, names)) for f in symmetry.factors if is_noncompact(f)]
    factors = [(f, places) for f, places in factors if {b.dual for b in places} == {False, True}]
    vanished: dict[str, None] = {}
    for _ in range(ROUNDS):
        balanced = balance(symmetry, x, tolerance=TOLERANCE, max_steps=STEPS)
        x, gone = balanced.params, []
        for factor, places in factors:
            moved = _collapsed(factor, places, x, eps)
            if moved is not None:
                x, gone = x | moved, [*gone, factor.wire.name]
        vanished |= dict.fromkeys(gone)
        if not gone:
            break
    return Closed(x, balanced.residual, tuple(vanished))


def gauge_facts(symmetry: Symmetry, names: Sequence[str]) -> tuple[str, ...]:
    """Return what :func:`least_point` does with each freedom, one sentence each.

    Args:
        symmetry: Any symmetry.
        names: The tensors that count.
    """
    out = [f"{factor.label}: spent on `{name}`" for factor, name in spending(symmetry)]
    unit = {factor.id for factor, _ in of_variances(symmetry)}
    for factor in symmetry.factors:
        places = _places(factor, set(names))
        if is_noncompact(factor) and (places or factor.id in unit):
            one_sided = len({b.dual for b in places}) == 1
            what = "stored variance one" if factor.id in unit else "norm one" if one_sided else "least norm"
            out.append(f"{factor.label} of `{factor.wire.name}`: {what}")
    return tuple(out)


def _places(factor: Factor, names: set[str]) -> list[Binding]:
    return [b for b in factor.bindings if isinstance(b, Binding) and b.tensor in names and b.power != 0]


def _collapsed(factor: Factor, places: list[Binding], params: Params, eps: float) -> Params | None:
    """Return what moves where channels of a wire are seen from one side only, or ``None`` if none are."""
    if factor.group.mixes:
        squares = roots(places, params)
        k, l, live = thin_maps(squares[Fraction(1)], squares[Fraction(-1)], eps=eps)
        if bool(live.all()) or not _one_sided(squares, k, l):
            return None
        group, maps = GeneralLinear(factor.group.size), {False: k, True: l}
    else:
        energies = products(places, params, params, whole=False)
        floor = eps**2 * max(float(e.max()) for e in energies.values())
        sides = [torch.stack([e for p, e in energies.items() if (p < 0) == dual]).sum(0) > floor for dual in (False, True)]
        if not bool((sides[0] ^ sides[1]).any()):
            return None
        mask = (sides[0] & sides[1]).double()
        group, maps = PositiveScaling(factor.group.length), {False: mask, True: mask}
    out: Params = {}
    for b in places:
        x = out.get(b.tensor, params[b.tensor])
        out[b.tensor] = replace(b, power=Fraction(1)).apply(group, maps[b.dual], x)
    return out


def _one_sided(squares: dict[Fraction, Tensor], k: Tensor, l: Tensor) -> bool:
    """Return whether one side has directions that the other does not see."""
    before = [torch.linalg.matrix_norm(squares[p]).square() for p in (Fraction(1), Fraction(-1))]
    after = [torch.linalg.matrix_norm(squares[p] @ m.mT).square() for p, m in ((Fraction(1), k), (Fraction(-1), l))]
    return any(bool((b - a > 1e-12 * b).any()) for a, b in zip(after, before, strict=True))
