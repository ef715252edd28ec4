"""Scalings and invertible maps fitted between two models, after their discrete parts agree."""

import torch
from torch import Tensor

from parasym.core import Params
from parasym.orbit.gauge import is_noncompact, products
from parasym.orbit.objective import STATISTICS, counted
from parasym.symmetry import Binding, Factor, Move, Symmetry

ROUNDING = 32
"""Multiples of the rounding error below which a distance is none: there is nothing to fit."""


def fit_continuous(
    symmetry: Symmetry, a: Params, b: Params, *, max_steps: int = 100, tolerance: float = 1e-4
) -> tuple[list[Move], Params]:
    r"""Return scalings, moduli and elements of ``GL(n)`` that bring ``b`` closer to ``a``, and ``b`` moved by them.

    A scale ``exp(s)`` is the exact minimizer of :math:`\sum_p \|a_p - e^{ps} b_p\|^2` in one dimension. An element of ``GL(n)``
    solves the Sylvester equation of :math:`\|a_1 - g b_1\|^2 + \|a_2 g - b_2\|^2`, which is exact where ``b`` is on the orbit
    of ``a``; it is taken only if the distance falls. Passes repeat until a pass gains less than ``tolerance``.

    Args:
        symmetry: Any symmetry.
        a: The target.
        b: What is moved; not modified.
        max_steps: Bound on the passes.
        tolerance: Part of the squared distance below which a pass is the last.
    """
    names = set(counted(a, STATISTICS))
    moves: list[Move] = []
    factors = [f for f in symmetry.factors if is_noncompact(f) and f.group.can("fit")]
    squares = {n: float(torch.linalg.vector_norm(a[n], dtype=torch.float64)) ** 2 for n in names} if factors else {}
    rounding = max(((ROUNDING * torch.finfo(a[n].dtype).eps) ** 2 for n in names), default=0.0)
    sizes = {f.id: sum(squares[n] for n in set(f.tensors) & names) for f in factors}
    for _ in range(max_steps if factors else 0):
        gained = total = 0.0
        for factor in factors:
            bindings = [x for x in factor.bindings if isinstance(x, Binding) and x.tensor in names and x.power != 0]
            if not bindings:
                continue
            touched = {x.tensor for x in bindings}
            before = _squares(a, b, touched)
            if before <= rounding * sizes[factor.id]:
                continue
            g, trial = _fitted(factor, bindings, a, b)
            after = _squares(a, trial, touched)
            total += before
            if after < before:
                gained, b = gained + before - after, trial
                moves.append(Move(factor.id, g))
        if gained <= tolerance * total:
            break
    return moves, b


def _squares(a: Params, b: Params, names: set[str]) -> float:
    return sum(float(torch.linalg.vector_norm(a[n] - b[n], dtype=torch.float64)) ** 2 for n in names)


def _fitted(factor: Factor, bindings: list[Binding], a: Params, b: Params) -> tuple[Tensor, Params]:
    own, both, other = (products(bindings, *sides, whole=factor.group.mixes) for sides in ((a, a), (a, b), (b, b)))
    g, like = factor.group.fit(own, both, other), b[bindings[0].tensor]
    g = g.to(torch.complex128 if like.dtype == torch.float64 else torch.complex64) if g.is_complex() else g.to(like)
    return g, factor.act(g, b)
