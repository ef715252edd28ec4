"""Whether one element leaves one checkpoint's function unchanged: checked before anything is written."""

from dataclasses import dataclass

import torch

from parasym.cli.outcome import Verdict
from parasym.cli.subject import Subject, blaming_inputs
from parasym.core import Params, tolerance_for
from parasym.functional.call import cast
from parasym.functional.evaluator import evaluator
from parasym.functional.outputs import output_error
from parasym.symmetry import Element, Symmetry
from parasym.verify.report import verdict


@dataclass(frozen=True)
class Sameness:
    """How far the function moved.

    Attributes:
        holds: Whether it is the same, at the tolerance of float64.
        error: Largest difference of outputs, relative to the largest output.
    """

    holds: Verdict
    error: float


def element_sameness(subject: Subject, symmetry: Symmetry, element: Element, params: Params) -> Sameness:
    """Compare the model at ``params`` and at ``element`` acting on them, in float64.

    Args:
        subject: The model and its inputs.
        symmetry: Its symmetry.
        element: The element to check.
        params: Parameters and buffers by name.

    Returns:
        The error and the verdict.

    Raises:
        BadInputError: If the model does not run on its inputs.
    """
    source = subject.model if subject.program is None else subject.program
    run, _ = evaluator(source, torch.float64, 0)
    before = {name: cast(value, torch.float64) for name, value in params.items()}
    after = symmetry.act(element.to(torch.float64), before)
    inputs = subject.call.to(dtype=torch.float64)
    with torch.no_grad(), blaming_inputs(subject):
        error = output_error(run(before, inputs), run(after, inputs))
    return Sameness(verdict(error, tolerance_for(torch.float64)), error)
