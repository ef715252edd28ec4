"""The balanced gauge: where the norm is least along the non-compact directions of the group."""

from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from parasym.core import Params
from parasym.groups import GeneralLinear, Orthogonal, PlaneRotation, PositiveScaling
from parasym.orbit.condensed import Energies, is_condensable
from parasym.orbit.objective import STATISTICS, counted
from parasym.symmetry import Binding, Element, Factor, Move, Symmetry

FAR = 40.0
"""Logarithm of a scale at which to stop: there is no point of least norm that way, and single precision ends at 88."""


@dataclass(frozen=True)
class Balanced:
    """Parameters in the balanced gauge.

    Attributes:
        params: The moved parameters.
        moves: The moves that led there, one per factor that is not compact.
        steps: Number of passes.
    """

    params: Params
    moves: tuple[Move, ...]
    steps: int


def balance(symmetry: Symmetry, params: Params, *, tolerance: float, max_steps: int = 1000) -> Balanced:
    r"""Return the parameters of least norm along scalings, moduli of planes and ``GL(n)``.

    Along ``exp(s)`` the squared norm :math:`\sum_p E_p e^{2ps}` is convex; where all powers have one sign (a scale that a
    normalization forgets) it has no minimum, and the gauge is :math:`\sum_p E_p e^{2ps} = 1`. For ``GL(n)`` with Gram matrices
    ``A`` of the covariant and ``B`` of the dual places, :math:`g A g^\top = g^{-\top} B g^{-1}` for

    .. math:: g = S^{1/2},\quad S = A^{-1/2}(A^{1/2} B A^{1/2})^{1/2} A^{-1/2}.

    Neighbouring wires share tensors, so the passes repeat until no move is larger than ``tolerance``. What is left of
    the group is isometric. A channel without any weight on one side gets norm 1 on the other.

    Args:
        symmetry: Any symmetry.
        params: Parameters by name; not modified.
        tolerance: Largest logarithm of a move at which to stop.
        max_steps: Bound on the passes.

    References:
        Kempf, Ness. The length of vectors in representation spaces. 1979.
        Stock et al. Equi-normalization of neural networks. ICLR 2019, https://arxiv.org/abs/1902.10416
    """
    names = set(counted(params, STATISTICS))
    first = unit_variances(symmetry, params)
    params = Element(symmetry, first)(params)
    fixed = {move.factor for move in first}
    active = [f for f in symmetry.factors if _is_noncompact(f) and f.id not in fixed]
    real = {n: params[n] for n in names}
    if all(is_condensable(factor, real) for factor in active):
        rest = _balanced_scales(symmetry, params, active, real, tolerance=tolerance, max_steps=max_steps)
        return Balanced(rest.params, (*first, *rest.moves), rest.steps)
    values: dict[str, Tensor] = {}
    steps = 0
    while steps < max_steps:
        steps += 1
        largest = 0.0
        for factor in active:
            g, size = _balancing(factor, params, names)
            if size == 0.0:
                continue
            largest = max(largest, size)
            params = factor.act(g, params)
            values[factor.id] = g if factor.id not in values else factor.group.compose(g, values[factor.id])
        if largest <= tolerance:
            break
    return Balanced(params, (*first, *(Move(k, g) for k, g in values.items())), steps)


def unit_variances(symmetry: Symmetry, params: Params) -> tuple[Move, ...]:
    """Return the moves that make stored variances one, where a scale moves them.

    Such a scale leaves behind what the normalization divides out, so the norm of the weights alone has no minimum along it.

    Args:
        symmetry: Any symmetry.
        params: Parameters and buffers by name.
    """
    moves: list[Move] = []
    done: set[str] = set()
    for factor in symmetry.factors:
        mine = [b for b in factor.bindings if isinstance(b, Binding) and b.tensor.endswith("running_var") and b.power]
        if not isinstance(factor.group, PositiveScaling) or not mine or done & {b.tensor for b in mine}:
            continue
        value = mine[0].gather(params[mine[0].tensor]) + mine[0].offset
        if value.shape[-2] == 1 and bool((value > 0).all()):
            moves.append(Move(factor.id, (value.double().log() / -float(mine[0].power)).exp().to(value)[..., 0, :]))
            done |= {b.tensor for b in mine}
    return tuple(moves)


def _balanced_scales(
    symmetry: Symmetry, params: Params, factors: list[Factor], real: Params, *, tolerance: float, max_steps: int
) -> Balanced:
    """Return what :func:`balance` does, where only whole axes are scaled: tensors are read once and moved once."""
    energies = Energies(factors, real)
    logs: dict[int, Tensor] = {}
    steps = 0
    while steps < max_steps:
        steps += 1
        largest = 0.0
        for i in range(len(factors)):
            present = energies.of(i)
            if not present:
                continue
            floor = _floor(present, params[factors[i].tensors[0]])
            log = balancing_log({p: torch.where(e > floor, e, torch.zeros_like(e)) for p, e in present.items()})
            size = float(log.abs().max())
            if size > 0:
                largest = max(largest, size)
                energies.scale(i, log)
                logs[i] = logs[i] + log if i in logs else log
        if largest <= tolerance or any(float(log.abs().max()) > FAR for log in logs.values()):
            break
    moves = tuple(Move(factors[i].id, log.exp().to(params[factors[i].tensors[0]])) for i, log in logs.items())
    return Balanced(Element(symmetry, moves)(params), moves, steps)


def _is_noncompact(factor: Factor) -> bool:
    group = factor.group
    if isinstance(group, PlaneRotation):
        return group.scale
    return isinstance(group, PositiveScaling) or (isinstance(group, GeneralLinear) and not isinstance(group, Orthogonal))


def _balancing(factor: Factor, params: Params, names: set[str]) -> tuple[Tensor, float]:
    bindings = [b for b in factor.bindings if isinstance(b, Binding) and b.tensor in names and b.power != 0]
    like = params[factor.tensors[0]]
    if not bindings:
        return factor.group.identity(factor.batch, dtype=like.dtype, device=like.device), 0.0
    if isinstance(factor.group, GeneralLinear):
        g = balancing_matrix(*grams(bindings, params))
        size = float((g - torch.eye(g.shape[-1], dtype=g.dtype, device=g.device)).abs().max())
        return g.to(like), size
    energies = _energies(factor, bindings, params)
    floor = _floor(energies, like)
    log = balancing_log({p: torch.where(e > floor, e, torch.zeros_like(e)) for p, e in energies.items()})
    scale = log.exp().to(like)
    if isinstance(factor.group, PlaneRotation):
        scale = torch.complex(scale, torch.zeros_like(scale))
    return scale, float(log.abs().max())


def _floor(energies: dict[Fraction, Tensor], like: Tensor) -> float:
    """Return what counts as zero: what rounding leaves of a bias that a translation made zero is no side to balance against."""
    return (64 * torch.finfo(like.dtype).eps) ** 2 * max(float(e.max()) for e in energies.values())


def _energies(factor: Factor, bindings: list[Binding], params: Params) -> dict[Fraction, Tensor]:
    """Return the sum of squares of every channel by power, of shape ``[*over, n]``."""
    out: dict[Fraction, Tensor] = {}
    for binding in bindings:
        energy = torch.linalg.vector_norm(binding.gather(params[binding.tensor]), dim=-2, dtype=torch.float64).square()
        if isinstance(factor.group, PlaneRotation):
            energy = energy.unflatten(-1, (2, -1)).sum(-2)
        out[binding.power] = out[binding.power] + energy if binding.power in out else energy
    return out


def balancing_log(energies: dict[Fraction, Tensor]) -> Tensor:
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


def _root(energies: dict[Fraction, Tensor]) -> Tensor:
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


def grams(bindings: list[Binding], params: Params) -> tuple[Tensor, Tensor]:
    """Return the Gram matrices of the covariant and of the dual places, in float64, of shape ``[*over, n, n]``."""
    parts: dict[bool, list[Tensor]] = {False: [], True: []}
    for binding in bindings:
        x = binding.gather(params[binding.tensor]).double()
        parts[binding.dual].append(x.mT @ x)
    some = (parts[False] or parts[True])[0]
    a, b = (torch.stack(parts[side]).sum(0) if parts[side] else torch.zeros_like(some) for side in (False, True))
    return a, b


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
