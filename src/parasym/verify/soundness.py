"""Soundness: sample elements, act, compare outputs."""

import math

import torch

from parasym.core import Params, tolerance_for
from parasym.functional.call import Call
from parasym.functional.evaluator import Evaluator
from parasym.functional.outputs import output_error
from parasym.functional.points import Point, generic_point
from parasym.symmetry import Element, Symmetry, group_name
from parasym.verify.report import Row, verdict

_TRIES = 30


def moved_tensors(run: Evaluator, symmetry: Symmetry) -> tuple[str, ...]:
    """Return the first names of all parameters and float buffers that are trainable or that the symmetry moves.

    Args:
        run: The model.
        symmetry: The symmetry.
    """
    moved = {run.ties.get(name, name) for factor in symmetry.factors for name in factor.tensors}
    names = dict.fromkeys(run.ties.values())
    return tuple(name for name in names if name in moved or name in run.trainable)


def sample_points(
    run: Evaluator, symmetry: Symmetry, params: Params, inputs: Call, samples: int, generator: torch.Generator
) -> list[Point]:
    """Return points at which to test: the given one, then perturbed parameters with fresh and given inputs in turn.

    Where fresh inputs do not work (the model refuses them or gives NaN), the given ones are used.

    Args:
        run: The model.
        symmetry: Says which buffers may be perturbed.
        params: The given parameters.
        inputs: The given inputs.
        samples: Number of points.
        generator: Source of randomness.

    Raises:
        RuntimeError: What the model raises on its own inputs.
        ValueError: The same.
        IndexError: The same.
    """
    points = [Point(params, inputs, run(params, inputs))]
    names = (*moved_tensors(run, symmetry), *run.statistics)
    for k in range(1, samples):
        point = generic_point(run, params, names, inputs, generator, fresh=k % 2 == 1)
        points += [] if point is None else [point]
    return points


def soundness(run: Evaluator, symmetry: Symmetry, points: list[Point], generator: torch.Generator) -> list[Row]:
    r"""Return one row for all factors together and one for each: does :math:`f(x; g\theta) = f(x; \theta)`?

    All factors together are tried at every point; each alone at one generic point, or at every one if
    the whole fails, to find out which is to blame. Elements are sampled; in turn their inverses and
    products are tried too. A factor whose elements move nothing fails.

    Args:
        run: The model.
        symmetry: The claim.
        points: Where to test.
        generator: Source of randomness.
    """
    if not symmetry.factors:
        return []
    everything = tuple(range(len(symmetry.factors)))
    whole = _row(run, symmetry, None, "all together", points, everything, generator)
    some = points if whole.holds != "yes" else points[1:2] or points
    rows = [
        _row(run, symmetry, k, f"{group_name(f)} on {f.wire.name}", some, (k,), generator) for k, f in enumerate(symmetry.factors)
    ]
    return [whole, *rows]


def _row(
    run: Evaluator,
    symmetry: Symmetry,
    factor: int | None,
    name: str,
    points: list[Point],
    only: tuple[int, ...],
    generator: torch.Generator,
) -> Row:
    error, moved, reason = 0.0, 0.0, ""
    for k, point in enumerate(points):
        element = _element(symmetry, only, k + len(only), run.dtype, generator)
        if element is None:
            return Row(factor, name, 0.0, 0.0, "no", "a symmetry that does nothing: its group has only the identity")
        there = symmetry.act(element, point.params)
        moved = max(moved, _change(point.params, there))
        reason = reason or run.untied(there)
        found = output_error(point.outputs, run(there, point.inputs))
        error = found if math.isnan(found) else max(error, found)
    if reason or moved == 0.0:
        return Row(factor, name, error, moved, "no", reason or "a symmetry that does nothing: no parameter moves")
    holds = verdict(error, tolerance_for(run.dtype))
    if math.isnan(error):
        reason = "the model returns NaN before anything moves"
    elif holds != "yes":
        reason = "the outputs become NaN or change shape" if math.isinf(error) else "the outputs change"
    return Row(factor, name, error, moved, holds, reason)


def _element(
    symmetry: Symmetry, only: tuple[int, ...], kind: int, dtype: torch.dtype, generator: torch.Generator
) -> Element | None:
    """Return an element with no trivial move: a sample, the inverse of one, or a product of two; ``None`` if there is none."""
    for _ in range(_TRIES):
        element = symmetry.sample(generator=generator, dtype=dtype, only=only)
        if kind % 3 == 1:
            element = ~element
        elif kind % 3 == 2:
            element = element @ symmetry.sample(generator=generator, dtype=dtype, only=only)
        if len(only) > 1 or not _is_identity(symmetry, element):
            return element
    return None


def _is_identity(symmetry: Symmetry, element: Element) -> bool:
    for move in element.moves:
        factor = symmetry.factor(move.factor)
        neutral = factor.group.identity(factor.batch, dtype=torch.float64)
        if bool(((move.value - neutral).abs() > 1e-6).any()):
            return False
    return True


def _change(before: Params, after: Params) -> float:
    changes = [0.0]
    for name, x in before.items():
        if after[name] is not x and x.numel() and x.is_floating_point():
            norm = float(torch.linalg.vector_norm(x)) or 1.0
            changes.append(float(torch.linalg.vector_norm(after[name] - x)) / norm)
    return max(changes)
