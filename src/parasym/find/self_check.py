"""Tries a symmetry on numbers as soon as it is found: one element of all factors together, in two evaluations.

Only if the outputs change are the factors halved until those that are to blame are known; they are left out and listed. A
sound ``find`` never leaves anything out: whatever is listed is a bug. The element acts at a generic point beside the model's
own, where no bias is zero, and on random inputs where the model takes them.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from parasym.core import BadInputError, tolerance_for
from parasym.functional.call import Call, cast
from parasym.functional.evaluator import Evaluator, evaluator
from parasym.functional.outputs import output_error, real
from parasym.functional.points import Point, generic_point, inputs_in
from parasym.symmetry import Factor, Refuted, SelfCheck, Symmetry

MOST_ENTRIES = 1 << 27
"""Models of more parameters and buffers than this are not checked: copies in double precision take up to 36 bytes for each."""

_LARGE = 1 << 16
_GROWTH = 1000.0
"""Rounding grows by 5e8 from double to single precision, a fault by nothing."""

_PRECISION = torch.float64
_BOUND = tolerance_for(_PRECISION)


def self_checked(model: nn.Module | ExportedProgram, call: Call, symmetry: Symmetry) -> Symmetry:
    """Return a symmetry with what came of trying it, without the factors that were found wrong.

    Args:
        model: A module or an exported program. Not modified.
        call: Example inputs.
        symmetry: What was found.
    """
    reason = _hindrance(model, call, symmetry)
    if reason:
        return replace(symmetry, self_check=SelfCheck(reason=reason))
    generator = torch.Generator().manual_seed(0)
    try:
        trial = _trial(model, call, symmetry, generator)
    except BadInputError as error:
        return replace(symmetry, self_check=SelfCheck(reason=str(error)))
    except Exception as error:  # a model may fail in double precision in any way it likes
        why = str(error).strip().splitlines() or [type(error).__name__]
        return replace(symmetry, self_check=SelfCheck(reason=f"the model does not run in double precision: {why[0]}"))
    if trial is None:
        return replace(symmetry, self_check=SelfCheck(reason="the model returns no finite numbers"))
    return trial.run(symmetry)


def _hindrance(model: nn.Module | ExportedProgram, call: Call, symmetry: Symmetry) -> str:
    """Return why a symmetry cannot be tried, if it cannot."""
    own = model.state_dict.values() if isinstance(model, ExportedProgram) else (*model.parameters(), *model.buffers())
    if any(x.is_meta or type(x).__name__ == "FakeTensor" for x in (*own, *call.tensors)):
        return "parameters or inputs have no numbers"
    if not symmetry.factors:
        return "nothing moves"
    size = sum(x.numel() for x in own)
    return f"{size:,} parameters are more than {MOST_ENTRIES:,}" if size > MOST_ENTRIES else ""


def _trial(model: nn.Module | ExportedProgram, call: Call, symmetry: Symmetry, generator: torch.Generator) -> "_Trial | None":
    if isinstance(model, ExportedProgram) and not call.tensors and model.example_inputs is not None:
        call = Call(*model.example_inputs)
    run, own = evaluator(model, _PRECISION, seed=0)
    run = replace(run, follows=True)
    moved = [run.ties.get(name, name) for factor in symmetry.factors for name in factor.tensors]
    names = tuple(name for name in dict.fromkeys((*moved, *run.trainable, *run.statistics)) if _is_special(own[name]))
    with torch.no_grad():
        point = generic_point(run, own, names, inputs_in(call, _PRECISION), generator)
    if point is None or not any(bool(real(x).isfinite().any()) for x in point.outputs):
        return None
    return _Trial(model, run, point, generator)


def _is_special(x: Tensor) -> bool:
    """Whether the numbers of a tensor may hide a fault: biases, gains, and what is constant. Large matrices are generic."""
    return x.numel() < _LARGE or bool((x == x.flatten()[0]).all())


class _Trial:
    """A model at a point, and how its outputs change under elements of some factors.

    Args:
        model: The model.
        run: The model as a function.
        point: Where.
        generator: Source of the elements.
    """

    def __init__(self, model: nn.Module | ExportedProgram, run: Evaluator, point: Point, generator: torch.Generator) -> None:
        self._model, self._run, self._point, self._generator = model, run, point, generator

    def run(self, symmetry: Symmetry) -> Symmetry:
        """Return the symmetry without what is wrong."""
        left, bad = symmetry, []
        error = self.error(left)
        if error > _BOUND.holds and self._run.randomness(self._point.params, self._point.inputs)[1]:
            reason = "the model draws random numbers that follow nothing, so equal laws cannot be told from unequal ones"
            return replace(symmetry, self_check=SelfCheck(reason=reason))
        while self.is_wrong(left, error):
            found = self.guilty(left, error)
            bad += [refuted(factor, size) for factor, size in found]
            left = left.without(*(factor.id for factor, _ in found))
            error = self.error(left)
        more = "rounding, which is larger in single precision" if error > _BOUND.holds else ""
        return replace(left, self_check=SelfCheck(error, more), refuted=tuple(bad))

    def error(self, symmetry: Symmetry) -> float:
        """Return by how much one element of all factors changes the outputs; infinite if they become NaN."""
        return self._error(self._run, self._point, symmetry)

    def _error(self, run: Evaluator, point: Point, symmetry: Symmetry) -> float:
        if not symmetry.factors:
            return 0.0
        element = symmetry.sample(generator=self._generator)
        with torch.no_grad():
            error = output_error(point.outputs, run(element(point.params), point.inputs))
        return math.inf if math.isnan(error) else error

    def is_wrong(self, symmetry: Symmetry, error: float) -> bool:
        """Whether an error is no rounding: it is large, or in single precision it is not a thousand times as large."""
        if error <= _BOUND.holds or error > _BOUND.fails:
            return error > _BOUND.fails
        run, _ = evaluator(self._model, torch.float32, seed=0)
        run = replace(run, follows=True)
        params = {name: cast(x, torch.float32) for name, x in self._point.params.items()}
        inputs = inputs_in(self._point.inputs, torch.float32)
        with torch.no_grad():
            point = Point(params, inputs, run(params, inputs))
        return self._error(run, point, symmetry) < _GROWTH * error

    def guilty(self, symmetry: Symmetry, error: float) -> list[tuple[Factor, float]]:
        """Return the factors that are to blame for an error, each with its own; all of them if none is by itself."""
        if len(symmetry.factors) == 1:
            return [(symmetry.factors[0], error)]
        ids = [factor.id for factor in symmetry.factors]
        halves = (symmetry.only(*ids[: len(ids) // 2]), symmetry.only(*ids[len(ids) // 2 :]))
        errors = [self.error(half) for half in halves]
        found = [pair for half, e in zip(halves, errors, strict=True) if self.is_wrong(half, e) for pair in self.guilty(half, e)]
        return found or [(factor, error) for factor in symmetry.factors]


def refuted(factor: Factor, error: float) -> Refuted:
    """Return what is said of a factor that did not hold.

    Args:
        factor: The factor.
        error: By how much it changes the outputs.
    """
    return Refuted(factor.label, factor.wire.name, factor.tensors, error)
