"""Scales and matrices along which the norm of the weights is least, and those that bring one model to another."""

from collections.abc import Mapping
from fractions import Fraction

import torch
from torch import Tensor


def balancing_log(energies: Mapping[Fraction, Tensor]) -> Tensor:
    r"""Return ``s`` that minimizes :math:`\sum_p E_p e^{2ps}`, or makes it 1 where all powers have one sign.

    For powers 1 and -1 it is :math:`\tfrac14 \ln(E_{-1}/E_1)`; otherwise the root of a monotone function, by bisection.

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
        energy = energies[powers[0]]
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
    for _ in range(120):
        s = (low + high) / 2
        terms = [e * (float(p) if mixed else 1.0) * (2 * float(p) * s).exp() for p, e in energies.items()]
        value = torch.stack(terms).sum(0) - target
        above = value > 0 if mixed or powers[-1] > 0 else value <= 0
        high, low = torch.where(above, s, high), torch.where(above, low, s)
    return torch.where(alive, (low + high) / 2, torch.zeros_like(first))


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


def balancing_matrix(a: Tensor, b: Tensor) -> Tensor:
    r"""Return the symmetric ``g`` with :math:`g A g = g^{-1} B g^{-1}`.

    Where only one of the two is regular (a wire wider than a neighbour) the orbit has no point of least norm; then ``g`` makes
    the regular one the unit matrix. Where neither is, the gauge is undetermined and ``g`` is the identity.

    Args:
        a: Symmetric positive matrices of shape ``[*batch, n, n]``.
        b: The same.

    Example:
        >>> balancing_matrix(torch.eye(1), 16 * torch.eye(1))
        tensor([[2.]])
    """
    left, right = is_regular(a)[..., None, None], is_regular(b)[..., None, None]
    eye = torch.eye(a.shape[-1], dtype=a.dtype, device=a.device)
    safe_a, safe_b = torch.where(left, a, eye), torch.where(right, b, eye)
    root, inverse = _power(safe_a, 0.5), _power(safe_a, -0.5)
    s = inverse @ _power(root @ safe_b @ root, 0.5) @ inverse
    balanced = _power((s + s.mT) / 2, 0.5)
    one_sided = torch.where(left, inverse, torch.where(right, _power(safe_b, 0.5), eye))
    return torch.where(left & right, balanced, one_sided)


def is_regular(m: Tensor) -> Tensor:
    """Return whether symmetric positive matrices have full rank: the eigenvalues span less than ten decades.

    Args:
        m: Matrices of shape ``[*batch, n, n]``.
    """
    values = torch.linalg.eigvalsh(m)
    return values[..., 0] > 1e-10 * values[..., -1].clamp_min(torch.finfo(m.dtype).tiny)


def _power(m: Tensor, exponent: float) -> Tensor:
    values, vectors = torch.linalg.eigh(m)
    values = values.clamp_min(torch.finfo(m.dtype).tiny).pow(exponent)
    return (vectors * values.unsqueeze(-2)) @ vectors.mT


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
