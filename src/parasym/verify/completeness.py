"""Completeness: how many of the directions in which the function stands still are explained."""

import torch
from torch import Tensor

from parasym.core import Params
from parasym.functional.call import Call
from parasym.functional.evaluator import Evaluator
from parasym.functional.points import redraw
from parasym.symmetry import Symmetry
from parasym.verify.jacobian import SMALL, Jacobian, jacobian, jacobian_rows
from parasym.verify.rank import rank_by_gap
from parasym.verify.report import Completeness
from parasym.verify.rest import rest_by_kind
from parasym.verify.soundness import moved_tensors

_NULL = 1e-9
_POINTS = 16
_AGAIN = 4


def completeness(run: Evaluator, symmetry: Symmetry, params: Params, inputs: Call, generator: torch.Generator) -> Completeness:
    r"""Return how much of the null space of :math:`J = \partial f / \partial\theta` the symmetry explains.

    .. math:: \text{nullity} = P - \operatorname{rank} J, \qquad
        \text{explained} = \dim(\operatorname{span}\{\xi \cdot \theta\} \cap \ker J).

    Here :math:`\theta` are the trainable parameters, and whatever else the symmetry moves and the
    outputs depend on; :math:`\xi` runs over the Lie algebra. True at ``params``, which should be
    generic: at a special point there are more null directions than symmetries. A random ReLU network
    may have units that never or always fire, and so more null directions than its architecture; so
    several points are drawn, until one is explained altogether or the best of them comes up again.

    Args:
        run: The model.
        symmetry: The claim.
        params: Points are drawn around these values.
        inputs: Inputs of the right shapes.
        generator: Source of randomness.
    """
    names = differentiable(run, symmetry, params, inputs, generator)
    ranks: list[int] = []
    best: tuple[Jacobian, Tensor, float] | None = None
    for _ in range(_POINTS):
        there = run.tied(redraw(params, moved_tensors(run, symmetry), size=1.0, generator=generator))
        jac = jacobian(run, there, names, inputs, generator)
        ranks.append(jac.rank.value)
        if best is None or jac.rank.value > best[0].rank.value:
            best = (jac, *_tangents(run, symmetry, jac, there))
        size = jac.factor.shape[1]
        done = best[1].shape[1] == size - best[0].rank.value or best[2] > _NULL
        if done or ranks.count(max(ranks)) == _AGAIN or size > SMALL:
            break
    assert best is not None
    return _summary(*best)


def _summary(jac: Jacobian, tangents: Tensor, residual: float) -> Completeness:
    explained = tangents.shape[1]
    size = sum(s.numel() for s in jac.shapes)
    rest = rest_by_kind(jac, tangents) if explained < size - jac.rank.value else ()
    return Completeness(
        parameters=size,
        rank=jac.rank.value,
        explained=explained,
        gap=jac.rank.gap,
        spectrum=(jac.rank.above, jac.rank.below),
        residual=residual,
        inputs=jac.inputs,
        trustworthy=jac.rank.trustworthy and jac.settled and residual < _NULL,
        rest=rest,
    )


def differentiable(
    run: Evaluator, symmetry: Symmetry, params: Params, inputs: Call, generator: torch.Generator
) -> tuple[str, ...]:
    """Return the tensors that span the parameter space: trainable, or moved and seen by the outputs.

    Running statistics that the symmetry moves count in eval mode; in train mode no output depends on them.

    Args:
        run: The model.
        symmetry: Says what moves.
        params: The point.
        inputs: Inputs of the right shapes.
        generator: Source of randomness.
    """
    names = tuple(n for n in moved_tensors(run, symmetry) if params[n].is_floating_point() and params[n].numel())
    seen = [n for n in names if n not in run.buffers]
    for name in names:
        if name in run.buffers and float(jacobian_rows(run, params, (name,), inputs, generator).abs().sum()) > 0:
            seen.append(name)
    return tuple(seen)


def _tangents(run: Evaluator, symmetry: Symmetry, jac: Jacobian, params: Params) -> tuple[Tensor, float]:
    """Return an orthonormal basis of the orbit's tangents in the null space, and the largest residual of a generator."""
    columns = []
    for _, tangent in symmetry.generators(params):
        first = {run.ties.get(name, name): value for name, value in reversed(tangent.items())}
        columns.append(jac.scaled(first))
    empty = jac.factor.new_zeros(jac.factor.shape[1], 0)
    if not columns:
        return empty, 0.0
    stack = torch.stack(columns, dim=1)
    norms = torch.linalg.vector_norm(stack, dim=0)
    stack = stack[:, norms > 0] / norms[norms > 0]
    if stack.shape[1] == 0:
        return empty, 0.0
    norm = float(torch.linalg.matrix_norm(jac.factor, 2)) or 1.0
    residual = float(torch.linalg.vector_norm(jac.factor @ stack, dim=0).max()) / norm
    u, s, _ = torch.linalg.svd(stack, full_matrices=False)
    span = u[:, : rank_by_gap(s).value]
    _, s, vh = torch.linalg.svd(jac.factor @ span, full_matrices=True)
    still = span.shape[1] - int((s > _NULL * norm).sum())
    return span @ vh[span.shape[1] - still :].mT, residual
