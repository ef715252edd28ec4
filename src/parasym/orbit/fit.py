"""Scalings and invertible maps fitted between two models, after their discrete parts agree."""

from fractions import Fraction

import torch
from torch import Tensor

from parasym.core import Params
from parasym.groups import GeneralLinear, Orthogonal, PlaneRotation, PositiveScaling
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
    factors = [f for f in symmetry.factors if _is_fitted(f)]
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


def _is_fitted(factor: Factor) -> bool:
    group = factor.group
    if isinstance(group, PlaneRotation):
        return group.scale
    return isinstance(group, PositiveScaling) or (isinstance(group, GeneralLinear) and not isinstance(group, Orthogonal))


def _squares(a: Params, b: Params, names: set[str]) -> float:
    return sum(float(torch.linalg.vector_norm(a[n] - b[n], dtype=torch.float64)) ** 2 for n in names)


def _fitted(factor: Factor, bindings: list[Binding], a: Params, b: Params) -> tuple[Tensor, Params]:
    if isinstance(factor.group, GeneralLinear):
        g = _fitted_matrix(bindings, a, b)
    else:
        g = _fitted_scale(factor, bindings, a, b)
    g = g.to(b[bindings[0].tensor]) if not g.is_complex() else g
    return g, factor.act(g, b)


def _fitted_scale(factor: Factor, bindings: list[Binding], a: Params, b: Params) -> Tensor:
    """Return the scale of every channel, of shape ``[*over, n]``."""
    plane = isinstance(factor.group, PlaneRotation)
    alpha: dict[Fraction, Tensor] = {}
    beta: dict[Fraction, Tensor] = {}
    for binding in bindings:
        x, y = (binding.gather(p[binding.tensor]) for p in (a, b))
        square = torch.linalg.vector_norm(y, dim=-2, dtype=torch.float64).square()
        cross = (x * y).sum(-2, dtype=torch.float64)
        if plane:
            square, cross = (v.unflatten(-1, (2, -1)).sum(-2) for v in (square, cross))
        p = binding.power
        alpha[p] = alpha[p] + square if p in alpha else square
        beta[p] = beta[p] + cross if p in beta else cross
    scale = best_log(alpha, beta).exp()
    like = b[bindings[0].tensor]
    return (
        torch.complex(scale, torch.zeros_like(scale)).to(torch.complex128 if like.dtype == torch.float64 else torch.complex64)
        if plane
        else scale
    )


def best_log(alpha: dict[Fraction, Tensor], beta: dict[Fraction, Tensor]) -> Tensor:
    r"""Return ``s`` that minimizes :math:`\sum_p \alpha_p e^{2ps} - 2 \beta_p e^{ps}`: a grid, then bisection of the slope.

    Args:
        alpha: Squared norms of ``b`` by power, tensors of one shape.
        beta: Inner products of ``a`` and ``b`` by power.

    Example:
        >>> one = torch.ones(1, dtype=torch.float64)
        >>> best_log({Fraction(1): one}, {Fraction(1): 3 * one}).exp()  # a = 3 b
        tensor([3.0000], dtype=torch.float64)
    """
    first = next(iter(alpha.values()))

    def value(s: Tensor) -> Tensor:
        return sum((alpha[p] * (2 * float(p) * s).exp() - 2 * beta[p] * (float(p) * s).exp() for p in alpha), torch.zeros(()))

    def slope(s: Tensor) -> Tensor:
        terms = (float(p) * (alpha[p] * (2 * float(p) * s).exp() - beta[p] * (float(p) * s).exp()) for p in alpha)
        return sum(terms, torch.zeros(()))

    grid = torch.linspace(-4, 4, 161, dtype=first.dtype, device=first.device).reshape(-1, *[1] * first.ndim)
    at = grid.squeeze().to(first)[value(grid.expand(-1, *first.shape)).argmin(0)]
    low, high = at - 0.05, at + 0.05
    for _ in range(50):
        middle = (low + high) / 2
        rising = slope(middle) > 0
        high, low = torch.where(rising, middle, high), torch.where(rising, low, middle)
    s = (low + high) / 2
    slack = 1e-12 * sum(alpha.values(), torch.zeros(()))
    return torch.where(value(s) <= value(torch.zeros_like(s)) + slack, s, torch.zeros_like(s))


def _fitted_matrix(bindings: list[Binding], a: Params, b: Params) -> Tensor:
    r"""Return ``g`` with :math:`P g + g Q = R`, where :math:`P = a_2^\top a_2`, :math:`Q = b_1^\top b_1`."""
    size = bindings[0].gather(a[bindings[0].tensor]).shape
    zeros = torch.zeros(*size[:-2], size[-1], size[-1], dtype=torch.float64, device=a[bindings[0].tensor].device)
    left, right, target = zeros, zeros, zeros
    for binding in bindings:
        x, y = (binding.gather(p[binding.tensor]).double() for p in (a, b))
        target = target + x.mT @ y
        left, right = (left + x.mT @ x, right) if binding.dual else (left, right + y.mT @ y)
    (p, u), (q, v) = torch.linalg.eigh(left), torch.linalg.eigh(right)
    ridge = 1e-10 * (p[..., -1:, None] + q[..., None, -1:]).clamp_min(torch.finfo(torch.float64).tiny)
    eye = torch.eye(size[-1], dtype=torch.float64, device=zeros.device)
    inner = (u.mT @ (target + ridge * eye) @ v) / (p.unsqueeze(-1) + q.unsqueeze(-2) + ridge)
    g = u @ inner @ v.mT
    if bool((torch.linalg.cond(g) > 1e8).any()) or not bool(torch.isfinite(g).all()):
        return eye.expand(g.shape).clone()
    return g
