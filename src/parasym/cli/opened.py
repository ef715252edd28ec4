"""What verbs on checkpoints begin with: the model, the checkpoints that fit it, and its symmetry."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from parasym.checkpoint import Fitted
from parasym.cli.parameters import in_one_precision, read_fitted, read_symmetry
from parasym.cli.screen import tell
from parasym.cli.subject import Subject, blaming_inputs, ensure_values, find_symmetry, load_subject
from parasym.core import Params
from parasym.symmetry import Element, Symmetry
from parasym.verify import Sameness, same_function


@dataclass(frozen=True)
class Opened:
    """A model with checkpoints.

    Attributes:
        subject: The model and its inputs.
        fitted: The checkpoints, in one precision.
        symmetry: That of the model.
    """

    subject: Subject
    fitted: tuple[Fitted, ...]
    symmetry: Symmetry

    def unchanged(self, element: Element, params: Params) -> Sameness:
        """Return whether an element leaves the function of a checkpoint unchanged: nothing is written otherwise.

        Args:
            element: What a verb found.
            params: Parameters and buffers by name.

        Raises:
            BadInputError: If the model does not run on its inputs.
        """
        subject = self.subject
        with blaming_inputs(subject):
            return same_function(subject.model if subject.program is None else subject.program, element, params, subject.call)


@dataclass(frozen=True)
class Request:
    """What the options say that all verbs on checkpoints have; see :mod:`parasym.cli.options`."""

    model: str
    inputs: list[str] | None
    symmetry: Path | None
    untie: bool
    train: bool
    trust: bool
    seed: int
    data: Path | None = None

    def open(self, paths: Iterable[Path]) -> Opened:
        """Read everything, and tell on the way what was left out.

        Args:
            paths: The checkpoints.

        Returns:
            The model, the checkpoints and the symmetry, found or read.

        Raises:
            BadInputError: If something does not fit.
        """
        subject = load_subject(self.model, self.inputs or [], data=self.data, seed=self.seed, train=self.train, trust=self.trust)
        ensure_values(subject)
        tell(subject.notes)
        fitted = in_one_precision(read_fitted(tuple(paths), subject.model, untie=self.untie))
        symmetry = find_symmetry(subject) if self.symmetry is None else read_symmetry(self.symmetry)
        return Opened(subject, tuple(fitted), symmetry)
