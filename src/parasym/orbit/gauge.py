"""The balanced gauge: where the norm is least along the non-compact directions of the group."""

from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from parasym.core import Params
from parasym.groups.least_norm import balancing_log
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
    active = [f for f in symmetry.factors if is_noncompact(f) and f.id not in fixed]
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
        if not factor.group.scales or not mine or done & {b.tensor for b in mine}:
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


def is_noncompact(factor: Factor) -> bool:
    """Return whether elements of a factor change norms, and a gauge can be chosen along it.

    Args:
        factor: Any factor.
    """
    return factor.group.can("balance") and not factor.group.isometric


def _balancing(factor: Factor, params: Params, names: set[str]) -> tuple[Tensor, float]:
    """Return the element that balances one factor, and how far it is from the identity."""
    bindings = [b for b in factor.bindings if isinstance(b, Binding) and b.tensor in names and b.power != 0]
    like, group = params[factor.tensors[0]], factor.group
    if not bindings:
        return group.identity(factor.batch, dtype=like.dtype, device=like.device), 0.0
    squares = products(bindings, params, params, whole=group.mixes)
    if not group.mixes:
        floor = _floor(squares, like)
        squares = {p: torch.where(e > floor, e, torch.zeros_like(e)) for p, e in squares.items()}
    g = group.balance(squares)
    size = float((g - group.identity(factor.batch, dtype=torch.float64, device=g.device)).abs().max())
    return (g if g.is_complex() else g.to(like)), size


def _floor(energies: dict[Fraction, Tensor], like: Tensor) -> float:
    """Return what counts as zero: what rounding leaves of a bias that a translation made zero is no side to balance against."""
    return (64 * torch.finfo(like.dtype).eps) ** 2 * max(float(e.max()) for e in energies.values())


def products(bindings: list[Binding], a: Params, b: Params, *, whole: bool) -> dict[Fraction, Tensor]:
    r"""Return :math:`\langle a_i, b_j \rangle` of the channels of a wire by power, in float64, of shape ``[*over, n, n]``.

    Args:
        bindings: Places of the wire.
        a: One model.
        b: The other, or the same.
        whole: Whether to return matrices; otherwise their diagonals, of shape ``[*over, n]``.
    """
    out: dict[Fraction, Tensor] = {}
    for binding in bindings:
        x, y = (binding.gather(p[binding.tensor]) for p in (a, b))
        if whole:
            part = x.double().mT @ y.double()
        elif a is b:
            part = torch.linalg.vector_norm(x, dim=-2, dtype=torch.float64).square()
        else:
            part = (x * y).sum(-2, dtype=torch.float64)
        out[binding.power] = out[binding.power] + part if binding.power in out else part
    return out
