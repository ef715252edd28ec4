"""The balanced gauge: where the norm is least along the non-compact directions of the group."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch import Tensor

from parasym.core import Params
from parasym.groups.least_norm import balancing_log, rank
from parasym.orbit.condensed import Energies, is_condensable
from parasym.orbit.inputs import is_small
from parasym.orbit.meeting import meet
from parasym.orbit.objective import STATISTICS, counted
from parasym.orbit.translation import settle
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
        residual: Size of the largest move of the last pass: how far from the gauge they may still be.
    """

    params: Params
    moves: tuple[Move, ...]
    steps: int
    residual: float = 0.0


FINE, COARSE = (1e-11, 1000), (1e-6, 100)
"""Largest logarithm of a scale at which balancing stops before matching, and a bound on its passes: for small models, where it
may be all that there is to do, and for large ones, where it only prepares inner products."""


def in_gauge(symmetry: Symmetry, params: Params) -> Balanced:
    """Return a model as it is compared with others: without translations, in the balanced gauge.

    Args:
        symmetry: Any symmetry.
        params: Parameters by name; not modified.
    """
    tolerance, steps = FINE if is_small(params) else COARSE
    return balance(symmetry, settle(symmetry, params), tolerance=tolerance, max_steps=steps)


def unsettled(residuals: Mapping[str, float], reached: float = COARSE[0]) -> tuple[str, ...]:
    """Return a sentence for every model that balancing did not bring to its gauge.

    Args:
        residuals: Sizes of the last moves, by what the model is called.
        reached: Up to which size the gauge counts as reached.
    """
    far = {name: x for name, x in residuals.items() if x > reached}
    return tuple(f"the balanced gauge of {name} was reached only up to factors of 1 ± {x:.0e}" for name, x in far.items())


def balance(symmetry: Symmetry, params: Params, *, tolerance: float, max_steps: int = 1000) -> Balanced:
    r"""Return the parameters of least norm along scalings, moduli of planes and ``GL(n)``.

    Along ``exp(s)`` the squared norm :math:`\sum_p E_p e^{2ps}` is convex; where all powers have one sign (a scale that a
    normalization forgets) it has no minimum, and the gauge is :math:`\sum_p |p| E_p e^{2ps} = 1`, which is where
    :math:`\sum_p E_p e^{2ps} \mp 2s` is least: so all scales together minimize one convex function. For ``GL(n)`` it is where the
    Gram matrices of the covariant and of the dual places agree, :math:`g A g^\top = g^{-\top} B g^{-1}`.

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
        return replace(rest, moves=(*first, *rest.moves))
    values: dict[str, Tensor] = {}
    steps, largest = 0, 0.0
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
    return Balanced(params, (*first, *(Move(k, g) for k, g in values.items())), steps, largest)


def unit_variances(symmetry: Symmetry, params: Params) -> tuple[Move, ...]:
    """Return the moves that make stored variances one, where a scale moves them.

    Such a scale leaves behind what the normalization divides out, so the norm of the weights alone has no minimum along it.

    Args:
        symmetry: Any symmetry.
        params: Parameters and buffers by name.
    """
    moves: list[Move] = []
    for factor, place in of_variances(symmetry):
        value = place.gather(params[place.tensor]) + place.offset
        if value.shape[-2] == 1 and bool((value > 0).all()):
            moves.append(Move(factor.id, (value.double().log() / -float(place.power)).exp().to(value)[..., 0, :]))
    return tuple(moves)


def of_variances(symmetry: Symmetry) -> list[tuple[Factor, Binding]]:
    """Return the scales that make stored variances one, with the variance that each is responsible for.

    Args:
        symmetry: Any symmetry.
    """
    out: list[tuple[Factor, Binding]] = []
    for factor in symmetry.factors:
        mine = _variances(factor)
        if mine and not any(x.tensor == y.tensor and meet(x, y) for x in mine for _, y in out):
            out.append((factor, mine[0]))
    return out


def stores_variance(factor: Factor) -> bool:
    """Return whether a factor scales a stored variance.

    Args:
        factor: Any factor.
    """
    return bool(_variances(factor))


def _variances(factor: Factor) -> list[Binding]:
    places = [b for b in factor.bindings if isinstance(b, Binding) and b.tensor.endswith("running_var") and b.power]
    return places if factor.group.scales else []


def _balanced_scales(
    symmetry: Symmetry, params: Params, factors: list[Factor], real: Params, *, tolerance: float, max_steps: int
) -> Balanced:
    """Return what :func:`balance` does, where only whole axes are scaled: tensors are read once and moved once."""
    energies = Energies(factors, real)
    logs: dict[int, Tensor] = {}
    steps, largest = 0, 0.0
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
    return Balanced(Element(symmetry, moves)(params), moves, steps, largest)


def is_noncompact(factor: Factor) -> bool:
    """Return whether elements of a factor change norms, and a gauge can be chosen along it.

    Args:
        factor: Any factor.
    """
    return factor.group.can("balance") and not factor.group.isometric


def undetermined(symmetry: Symmetry, params: Params) -> list[Factor]:
    """Return the factors of invertible maps of wires that are wider than the rank of what is before and after them.

    Args:
        symmetry: Any symmetry.
        params: Parameters by name.
    """
    names, out = set(counted(params, STATISTICS)), []
    for factor in symmetry.factors:
        if is_noncompact(factor) and factor.group.mixes:
            places = [b for b in factor.bindings if isinstance(b, Binding) and b.tensor in names and b.power]
            ranks = [rank(x) for x in roots(places, params).values()]
            if ranks and not bool((torch.stack(ranks) == factor.group.size).any(0).all()):
                out.append(factor)
    return out


def _balancing(factor: Factor, params: Params, names: set[str]) -> tuple[Tensor, float]:
    """Return the element that balances one factor, and how far it is from the identity."""
    bindings = [b for b in factor.bindings if isinstance(b, Binding) and b.tensor in names and b.power != 0]
    like, group = params[factor.tensors[0]], factor.group
    if not bindings:
        return group.identity(factor.batch, dtype=like.dtype, device=like.device), 0.0
    squares = roots(bindings, params) if group.mixes else products(bindings, params, params, whole=False)
    if not group.mixes:
        floor = _floor(squares, like)
        squares = {p: torch.where(e > floor, e, torch.zeros_like(e)) for p, e in squares.items()}
    g = group.balance(squares)
    size = float((g - group.identity(factor.batch, dtype=torch.float64, device=g.device)).abs().max())
    return (g if g.is_complex() else g.to(like)), size


def _floor(energies: dict[Fraction, Tensor], like: Tensor) -> float:
    """Return what counts as zero: what rounding leaves of a bias that a translation made zero is no side to balance against."""
    return (64 * torch.finfo(like.dtype).eps) ** 2 * max(float(e.max()) for e in energies.values())


def roots(bindings: list[Binding], params: Params) -> dict[Fraction, Tensor]:
    r"""Return triangular ``R`` with the Gram matrix :math:`R^\top R` of the channels of a wire by power, in float64.

    Args:
        bindings: Places of the wire.
        params: Parameters by name.
    """
    rows: dict[Fraction, list[Tensor]] = {}
    for binding in bindings:
        rows.setdefault(binding.power, []).append(binding.gather(params[binding.tensor]).double())
    return {p: torch.linalg.qr(torch.cat(x, -2), mode="r")[1] for p, x in rows.items()}


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
