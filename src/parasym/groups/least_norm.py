"""Scales and matrices along which the norm of the weights is least, and those that bring one model to another."""

from collections.abc import Mapping
from fractions import Fraction

import torch
from torch import Tensor

STEPS = 120
"""Bound on the steps of Newton's method, each of which halves the bracket where it leaves it."""

NEAR = 1e-15
"""Step at which it ends."""


def balancing_log(energies: Mapping[Fraction, Tensor]) -> Tensor:
    r"""Return ``s`` that minimizes :math:`\sum_p E_p e^{2ps}`; if all powers have one sign, :math:`\sum_p |p| E_p e^{2ps} = 1`.

    For powers 1 and -1 it is :math:`\tfrac14 \ln(E_{-1}/E_1)`; otherwise the root of a monotone function.

    Args:
        energies: Non-negative tensors of one shape, by power.

    Example:
        >>> balancing_log({Fraction(1): torch.tensor([1.0]), Fraction(-1): torch.tensor([16.0])}).exp()
        tensor([2.])
    """
    powers = sorted(energies)
    if powers == [-1, 1]:
        out, back = energies[Fraction(-1)], energies[Fraction(1)]
        one = torch.ones_like(out)
        safe_out, safe_back = torch.where(out > 0, out, one), torch.where(back > 0, back, one)
        both = (out > 0) & (back > 0)
        return torch.where(both, (safe_out / safe_back).log() / 4, (safe_out / safe_back).log() / 2)
    if len(powers) == 1:
        energy = energies[powers[0]] * abs(float(powers[0]))
        return -torch.where(energy > 0, energy, torch.ones_like(energy)).log() / (2 * float(powers[0]))
    return _root(energies)


def _root(energies: Mapping[Fraction, Tensor]) -> Tensor:
    powers = sorted(energies)
    mixed = powers[0] < 0 < powers[-1]
    target = 0.0 if mixed else 1.0
    sides = [sum(e for p, e in energies.items() if p > 0), sum(e for p, e in energies.items() if p < 0)]
    first = next(iter(energies.values()))
    alive = torch.ones_like(first, dtype=torch.bool)
    for side in sides:
        if isinstance(side, Tensor):
            alive &= side > 0
    low, high = torch.full_like(first, -60.0), torch.full_like(first, 60.0)
    s = torch.zeros_like(first)
    for _ in range(STEPS):
        terms = [
            (e * (float(p) if mixed else abs(float(p))) * (2 * float(p) * s).exp(), 2 * float(p)) for p, e in energies.items()
        ]
        value = torch.stack([x for x, _ in terms]).sum(0) - target
        slope = torch.stack([x * p for x, p in terms]).sum(0)
        above = value > 0 if mixed or powers[-1] > 0 else value <= 0
        high, low = torch.where(above, s, high), torch.where(above, low, s)
        newton = s - value / torch.where(slope == 0, torch.ones_like(slope), slope)
        following = torch.where((newton >= low) & (newton <= high), newton, (low + high) / 2)
        done = bool(((following - s).abs() <= NEAR * (1 + s.abs()))[alive].all())
        s = following
        if done:
            break
    return torch.where(alive, s, torch.zeros_like(first))


def best_log(alpha: Mapping[Fraction, Tensor], beta: Mapping[Fraction, Tensor]) -> Tensor:
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


def thin_maps(x: Tensor, y: Tensor, *, eps: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
    r"""Return maps of the covariant and of the dual places of a wire to the factorization of least norm.

    With rows ``x`` and ``y`` of slices every element of ``GL(n)`` keeps :math:`M = y x^\top`. With :math:`M = U S V^\top` the
    least norm is where :math:`x = V S^{1/2}` and :math:`y = U S^{1/2}`. There :math:`K = S^{-1/2} U^\top y` and
    :math:`L = S^{-1/2} V^\top x` lead, since :math:`x K^\top = M^\top U S^{-1/2}` and :math:`y L^\top = M V S^{-1/2}`. No inverse
    is taken, so it holds for wires of any condition. Where :math:`M` has a smaller rank than the wire has channels, the orbit
    comes as close to the image as one likes, but does not reach it.

    Args:
        x: Slices of the covariant places, or their triangular factors, of shape ``[*batch, rows, n]``.
        y: The same of the dual places.
        eps: Relative precision of what they hold, if it is worse than that of their numbers.

    Returns:
        ``K`` and ``L`` of shape ``[*batch, n, n]``, and the singular values that are not zero.

    Example:
        >>> x, y = torch.tensor([[4.0, 0.0]]), torch.tensor([[1.0, 5.0]])  # one row each: only one direction is seen
        >>> k, l, live = thin_maps(x, y)
        >>> (x @ k.mT).abs(), (y @ l.mT).abs(), live
        (tensor([[2., 0.]]), tensor([[2., 0.]]), tensor([ True, False]))
    """
    n = x.shape[-1]
    x, y = (torch.cat((z, z.new_zeros(*z.shape[:-2], max(0, n - z.shape[-2]), n)), -2) for z in (x, y))
    u, s, vh = torch.linalg.svd(y @ x.mT, full_matrices=False)
    u, s, vh = u[..., :n], s[..., :n], vh[..., :n, :]
    size = torch.linalg.matrix_norm(x) * torch.linalg.matrix_norm(y)
    live = s > n * max(eps, torch.finfo(s.dtype).eps) * size.unsqueeze(-1)
    root = torch.where(live, s, torch.ones_like(s)).rsqrt() * live
    return root.unsqueeze(-1) * (u.mT @ y), root.unsqueeze(-1) * (vh @ x), live


def balancing_matrix(x: Tensor, y: Tensor) -> Tensor:
    r"""Return the symmetric positive ``g`` that makes the Gram matrices of the covariant and of the dual places equal.

    It is the symmetric factor of ``K`` of :func:`thin_maps`; directions that neither side has stay as they are. Where only one
    side is regular (a wire wider than a neighbour) the orbit has no point of least norm; then ``g`` makes the Gram matrix of that
    side the unit matrix. Where neither is, the gauge is undetermined and ``g`` is the identity.

    Args:
        x: Slices of the covariant places, or their triangular factors, of shape ``[*batch, rows, n]``.
        y: The same of the dual places.

    Example:
        >>> balancing_matrix(torch.eye(1), 4 * torch.eye(1))
        tensor([[2.]])
    """
    n = x.shape[-1]
    k, _, live = thin_maps(x, y)
    own, other = rank(x), rank(y)
    both = (live.sum(-1) == own) & (own == other)
    eye = torch.eye(n, dtype=x.dtype, device=x.device)
    one_sided = torch.where((own == n)[..., None, None], _stretch(x, -1.0), _stretch(y, 1.0))
    one_sided = torch.where(((own == n) | (other == n))[..., None, None], one_sided, eye)
    return torch.where(both[..., None, None], _stretch(k, 1.0), one_sided)


def _stretch(x: Tensor, exponent: float) -> Tensor:
    r"""Return :math:`(x^\top x)^{p/2}` on the rows of ``x``, and the identity on what is orthogonal to them."""
    _, s, vh = torch.linalg.svd(x, full_matrices=False)
    live = s > _floor(x, s)
    stretch = torch.where(live, s, torch.ones_like(s)).pow(exponent) - live.to(s)
    stretch = torch.where(live, stretch, torch.zeros_like(s))
    return torch.eye(x.shape[-1], dtype=x.dtype, device=x.device) + vh.mT @ (stretch.unsqueeze(-1) * vh)


def rank(x: Tensor) -> Tensor:
    """Return the numerical rank of matrices.

    Args:
        x: Of shape ``[*batch, rows, n]``.
    """
    s = torch.linalg.svdvals(x)
    return (s > _floor(x, s)).sum(-1)


def _floor(x: Tensor, s: Tensor) -> Tensor:
    return max(x.shape[-2:]) * torch.finfo(x.dtype).eps * s[..., :1].clamp_min(torch.finfo(x.dtype).tiny)


def fitted_matrix(left: Tensor, right: Tensor, target: Tensor) -> Tensor:
    r"""Return ``g`` with :math:`P g + g Q = R`, or the identity where that is close to singular.

    With :math:`P = a_2^\top a_2`, :math:`Q = b_1^\top b_1` and :math:`R = a_1 b_1^\top + a_2^\top b_2` it makes
    :math:`\|a_1 - g b_1\|^2 + \|a_2 g - b_2\|^2` stationary.

    Args:
        left: The matrices ``P`` of shape ``[*batch, n, n]``.
        right: The matrices ``Q``.
        target: The matrices ``R``.

    Example:
        >>> eye = torch.eye(1, dtype=torch.float64)
        >>> fitted_matrix(0 * eye, eye, 3 * eye)  # a = 3 b, before the wire alone
        tensor([[3.0000]], dtype=torch.float64)
    """
    (p, u), (q, v) = torch.linalg.eigh(left), torch.linalg.eigh(right)
    ridge = 1e-10 * (p[..., -1:, None] + q[..., None, -1:]).clamp_min(torch.finfo(torch.float64).tiny)
    eye = torch.eye(target.shape[-1], dtype=torch.float64, device=target.device)
    inner = (u.mT @ (target + ridge * eye) @ v) / (p.unsqueeze(-1) + q.unsqueeze(-2) + ridge)
    g = u @ inner @ v.mT
    if bool((torch.linalg.cond(g) > 1e8).any()) or not bool(torch.isfinite(g).all()):
        return eye.expand(g.shape).clone()
    return g
