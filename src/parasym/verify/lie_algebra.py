"""What may act on a wire, found from gradients alone: a second oracle for the continuous part."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from parasym.core import BadInputError, Params
from parasym.functional.call import Call
from parasym.functional.evaluator import Evaluator, evaluator
from parasym.functional.outputs import real
from parasym.functional.points import fresh_inputs, inputs_in, redraw
from parasym.functional.reading import example_call
from parasym.groups import AbstractGroup, GeneralLinear, PositiveScaling
from parasym.symmetry import Binding, Factor
from parasym.verify.rank import rank_by_gap

_DIAGONAL = 1e-7
_PER_BATCH = 64
MOST_UNKNOWNS = 2500


@dataclass(frozen=True)
class InterfaceAlgebra:
    """The infinitesimal transformations of one wire that leave the function unchanged.

    Attributes:
        dimension: Their number.
        basis: An orthonormal basis, of shape ``[dimension, *batch, n, n]``.
        diagonal: Whether all of them are diagonal.
        gap: Ratio of the singular values on either side of the rank.
        trustworthy: Whether that gap is clear.
    """

    dimension: int
    basis: Tensor
    diagonal: bool
    gap: float
    trustworthy: bool


def interface_algebra(
    model: nn.Module | ExportedProgram,
    factor: Factor,
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    generator: torch.Generator | None = None,
    diagonal_only: bool = False,
) -> InterfaceAlgebra:
    r"""Return all matrices :math:`B` for which acting by :math:`e^B` on the factor's wire changes nothing.

    Only *where* the factor acts is used, not its group. For a wire between rows of :math:`W`, entries of
    :math:`b` and columns of :math:`U`, the derivative of a loss along :math:`B` is the scalar product with

    .. math:: M = g_W W^\top + g_b b^\top - U^\top g_U,

    and so :math:`B` is a symmetry if it is orthogonal to :math:`M` for all parameters and inputs. The matrices are
    collected over random ones (a trained point would mix symmetry with degeneracy) and normalized by
    :math:`\|g\|\,\|\theta\|`, without which the all-zero case (a linear wire) would have no scale. The same holds for
    any set of bindings, each slice of the outer wires having its own :math:`B`.

    True for bindings that act linearly. A power other than 1 or -1 (``running_var``) has a meaning for diagonal
    matrices only, and only those are looked for then.

    Args:
        model: A module or an exported program. Not modified.
        factor: Says where the wire sits.
        args: Inputs, as :func:`parasym.functional.example_call` reads them.
        kwargs: Keyword inputs.
        generator: Source of randomness; a fixed one if ``None``.
        diagonal_only: Whether to look for diagonal matrices only.

    Raises:
        BadInputError: If the factor is a translation, or the wire is too large.

    Example:
        >>> from parasym.groups import Permutation
        >>> from parasym.symmetry import Slot, Wire
        >>> def at(tensor, axis, power):
        ...     return Binding(tensor, Slot.whole(axis, 6), power=power)
        >>> places = (at("0.weight", 0, 1), at("0.bias", 0, 1), at("2.weight", 1, -1))
        >>> wire = Factor(Permutation(6), Wire("0.weight[0]", 6), (), places)
        >>> for kind in (nn.ReLU, nn.Identity, nn.Tanh):
        ...     _ = torch.manual_seed(0)
        ...     model = nn.Sequential(nn.Linear(5, 6), kind(), nn.Linear(6, 3))
        ...     found = interface_algebra(model, wire, (torch.randn(8, 5),))
        ...     print(kind.__name__, found.dimension, found.diagonal)
        ReLU 6 True
        Identity 36 False
        Tanh 0 True
    """
    bindings = [b for b in factor.bindings if isinstance(b, Binding)]
    if len(bindings) != len(factor.bindings):
        raise BadInputError(f"Argument `factor` must act linearly, but {factor.wire.name} carries a translation.")
    diagonal_only = diagonal_only or any(abs(b.power) != 1 or b.slot is None for b in bindings)
    probe = _probe(factor, diagonal_only=diagonal_only)
    count = prod((*probe.batch, *probe.group.algebra_shape))
    if count > MOST_UNKNOWNS:
        raise BadInputError(
            f"Argument `factor` must have at most {MOST_UNKNOWNS} unknowns, but {factor.wire.name} has {count}. "
            "Use `diagonal_only=True`, or a narrower model."
        )
    generator = generator or torch.Generator().manual_seed(0)
    run, params = evaluator(model, torch.float64, seed=0)
    inputs = inputs_in(example_call(args, kwargs, model=run.model), torch.float64)
    rows = torch.zeros(0, count, dtype=torch.float64)
    while len(rows) < 3 * count + 16:
        rows = torch.cat([rows, _charges(run, probe, params, inputs, generator)])
    return _null(rows, probe, factor)


def _probe(factor: Factor, *, diagonal_only: bool) -> Factor:
    """Return the factor with the largest group that can act where it does."""
    length = factor.group.length
    if diagonal_only and length != factor.group.size:
        raise BadInputError(f"Planes have no diagonal matrices: {factor.wire.name} must be probed with all of them.")
    group: AbstractGroup = PositiveScaling(length) if diagonal_only else GeneralLinear(length)
    return dataclasses.replace(factor, group=group)


def _charges(run: Evaluator, probe: Factor, params: Params, inputs: Call, generator: torch.Generator) -> Tensor:
    """Return normalized derivatives of random losses along every matrix, of shape ``[losses, unknowns]``, at one random point."""
    names = tuple(dict.fromkeys((*run.trainable, *run.statistics, *(run.ties[name] for name in probe.tensors))))
    there = run.tied(redraw(params, names, size=1.0, generator=generator))
    bound = {name: there[name].clone().requires_grad_() for name in probe.tensors}
    xi = torch.zeros((*probe.batch, *probe.group.algebra_shape), dtype=torch.float64, requires_grad=True)
    moved = probe.act(probe.group.exp(xi), there | bound)
    outputs = run(moved, fresh_inputs(inputs, tokens=True, generator=generator))
    flat = torch.cat([real(y).reshape(-1) for y in outputs if y.requires_grad])
    rows = []
    for _ in range(min(_PER_BATCH, 4 + flat.numel() // 2)):
        loss = torch.randn(flat.shape, generator=generator, dtype=torch.float64) @ flat.nan_to_num(0.0, 0.0, 0.0)
        along, *gradients = torch.autograd.grad(loss, [xi, *bound.values()], retain_graph=True, materialize_grads=True)
        size = sum(float(g.norm() * bound[n].detach().norm()) for n, g in zip(bound, gradients, strict=True))
        if size > 0:
            rows.append(along.reshape(-1) / size)
    return torch.stack(rows) if rows else torch.zeros(1, xi.numel(), dtype=torch.float64)


def _null(rows: Tensor, probe: Factor, factor: Factor) -> InterfaceAlgebra:
    _, singular, vh = torch.linalg.svd(rows / len(rows) ** 0.5, full_matrices=False)
    rank = rank_by_gap(singular, scale=1.0)
    basis = vh[rank.value :].reshape(-1, *probe.batch, *probe.group.algebra_shape)
    if len(probe.group.algebra_shape) == 1:
        basis = torch.diag_embed(basis)
    size = factor.group.length
    off = basis * (1 - torch.eye(size, dtype=basis.dtype))
    largest = float(off.abs().max()) if off.numel() else 0.0
    return InterfaceAlgebra(len(basis), basis, largest < _DIAGONAL, rank.gap, rank.trustworthy)
