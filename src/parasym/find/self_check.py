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
from parasym.functional.call import Call
from parasym.functional.evaluator import Evaluator, evaluator
from parasym.functional.outputs import real
from parasym.functional.points import Point, generic_point, inputs_in
from parasym.functional.rounding import Change, change_at
from parasym.symmetry import Element, Factor, Refuted, SelfCheck, Symmetry

MOST_ENTRIES = 1 << 27
"""Models of more parameters and buffers than this are not checked: copies in double precision take up to 36 bytes for each."""

_LARGE = 1 << 16
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
    return _Trial(run, point, generator)


def _is_special(x: Tensor) -> bool:
    """Whether the numbers of a tensor may hide a fault: biases, gains, and what is constant. Large matrices are generic."""
    return x.numel() < _LARGE or bool((x == x.flatten()[0]).all())


class _Trial:
    """A model at a point, and how its outputs change under elements of some factors.

    Args:
        run: The model as a function.
        point: Where.
        generator: Source of the elements.
    """

    def __init__(self, run: Evaluator, point: Point, generator: torch.Generator) -> None:
        self._run, self._point, self._generator = run, point, generator

    def run(self, symmetry: Symmetry) -> Symmetry:
        """Return the symmetry without what is wrong."""
        left, bad, element = symmetry, [], self.element(symmetry)
        change = self.change(element)
        if change.error > _BOUND.holds and self._run.randomness(self._point.params, self._point.inputs)[1]:
            reason = "the model draws random numbers that follow nothing, so equal laws cannot be told from unequal ones"
            return replace(symmetry, self_check=SelfCheck(reason=reason))
        while change.holds == "no":
            found = self.guilty(element, change.error)
            bad += [refuted(symmetry.factor(factor), size) for factor, size in found]
            left = left.without(*(factor for factor, _ in found))
            element = self.element(left)
            change = self.change(element)
        return replace(left, self_check=SelfCheck(change.error, str(change)), refuted=tuple(bad))

    def element(self, symmetry: Symmetry) -> Element:
        """Return an element that moves by every factor."""
        return symmetry.sample(generator=self._generator, nontrivial=True)

    def change(self, element: Element) -> Change:
        """Return by how much an element changes the outputs; by infinity if they become NaN."""
        if not element.moves:
            return Change(0.0, 0.0, _BOUND)
        found = change_at(self._run, self._point, element(self._point.params), element, self._generator)
        return replace(found, error=math.inf) if math.isnan(found.error) else found

    def guilty(self, element: Element, error: float) -> list[tuple[str, float]]:
        """Return the factors whose moves are to blame for an error, each with its own; all of them if none is by itself."""
        if len(element.moves) == 1:
            return [(element.moves[0].factor, error)]
        middle = len(element.moves) // 2
        halves = [replace(element, moves=moves) for moves in (element.moves[:middle], element.moves[middle:])]
        changes = [self.change(half) for half in halves]
        found = [pair for half, c in zip(halves, changes, strict=True) if c.holds == "no" for pair in self.guilty(half, c.error)]
        return found or [(move.factor, error) for move in element.moves]


def refuted(factor: Factor, error: float) -> Refuted:
    """Return what is said of a factor that did not hold.

    Args:
        factor: The factor.
        error: By how much it changes the outputs.
    """
    return Refuted(factor.label, factor.wire.name, factor.tensors, error)
