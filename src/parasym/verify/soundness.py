"""Soundness: sample elements, act, compare outputs."""

import math

import torch

from parasym.core import Params, Verdict
from parasym.functional.call import Call
from parasym.functional.evaluator import Evaluator
from parasym.functional.points import Point, generic_point
from parasym.functional.rounding import Change, change_at
from parasym.symmetry import Element, Symmetry, group_name
from parasym.verify.report import Row, worst

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

    All factors together are tried at every point; each alone at one generic point, and where rounding hides what all together
    do, or at every one if the whole fails, to find out which is to blame. Elements are sampled; in turn their inverses and
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
    whole, blind = _row(run, symmetry, None, "all together", points, everything, generator)
    # The given point comes last: a generic one has nothing that is zero by accident.
    some = [*points[1:], points[0]]
    must = [point for point in some if point in blind or whole.holds != "yes"]
    rows = [
        _row(run, symmetry, k, f"{group_name(f)} on {f.wire.name}", some, (k,), generator, must=must)[0]
        for k, f in enumerate(symmetry.factors)
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
    *,
    must: list[Point] | None = None,
) -> tuple[Row, list[Point]]:
    """Return a row, and the points at which nothing could be seen. Once something was seen, only some points must be tried."""
    moved, reason, changes, blind = 0.0, "", list[Change](), list[Point]()
    for k, point in enumerate(points):
        if must is not None and point not in must and len(changes) > len(blind):
            continue
        element = _element(symmetry, only, k + len(only), run.dtype, generator)
        if element is None:
            return Row(factor, name, 0.0, 0.0, "no", "a symmetry that does nothing: its group has only the identity"), []
        there = element(point.params)
        moved = max(moved, _change(point.params, there))
        reason = reason or run.untied(there)
        changes.append(change_at(run, point, there, element, generator))
        blind += [point] if changes[-1].blind else []
    error = largest([change.error for change in changes])
    if reason or moved == 0.0:
        return Row(factor, name, error, moved, "no", reason or "a symmetry that does nothing: no parameter moves"), []
    holds = _together(changes)
    if math.isnan(error):
        reason = "the model returns NaN before anything moves"
    elif math.isinf(error):
        reason = "the outputs become NaN or change shape"
    else:
        rounding = str(max(changes, key=lambda change: change.rounding))
        reason = ", ".join(filter(None, ["" if holds == "yes" else "the outputs change", rounding]))
    return Row(factor, name, error, moved, holds, reason), blind


def _together(changes: list[Change]) -> Verdict:
    """Return the verdict over some points. Where rounding hides everything nothing is seen, so another one must see more."""
    seen: list[Verdict] = [change.holds for change in changes if not change.blind]
    return worst(seen) if seen else "unsure"


def largest(errors: list[float]) -> float:
    """Return the largest error, or NaN if there is one.

    Args:
        errors: Any number of them.
    """
    return next((error for error in errors if math.isnan(error)), max(errors, default=0.0))


def _element(
    symmetry: Symmetry, only: tuple[int, ...], kind: int, dtype: torch.dtype, generator: torch.Generator
) -> Element | None:
    """Return an element with no trivial move: a sample, the inverse of one, or a product of two; ``None`` if there is none."""
    for _ in range(_TRIES):
        element = symmetry.sample(generator=generator, dtype=dtype, only=only, nontrivial=True)
        if kind % 3 == 1:
            element = ~element
        elif kind % 3 == 2:
            element = element @ symmetry.sample(generator=generator, dtype=dtype, only=only)
        if len(only) > 1 or not all(symmetry.factor(move.factor).is_identity(move.value) for move in element.moves):
            return element
    return None


def _change(before: Params, after: Params) -> float:
    changes = [0.0]
    for name, x in before.items():
        if after[name] is not x and x.numel() and x.is_floating_point():
            norm = float(torch.linalg.vector_norm(x)) or 1.0
            changes.append(float(torch.linalg.vector_norm(after[name] - x)) / norm)
    return max(changes)
