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

    def read(self, paths: Iterable[Path]) -> tuple[Subject, tuple[Fitted, ...]]:
        """Read a model and checkpoints, and tell on the way what was left out.

        Args:
            paths: The checkpoints.

        Returns:
            The model, and the checkpoints in one precision.

        Raises:
            BadInputError: If something does not fit.
        """
        subject = load_subject(self.model, self.inputs or [], data=self.data, seed=self.seed, train=self.train, trust=self.trust)
        ensure_values(subject)
        tell(subject.notes)
        return subject, tuple(in_one_precision(read_fitted(tuple(paths), subject.model, untie=self.untie)))

    def open(self, paths: Iterable[Path]) -> Opened:
        """Read everything, as :meth:`read` does, and find the symmetry if it is not given.

        Args:
            paths: The checkpoints.

        Returns:
            The model, the checkpoints and the symmetry.

        Raises:
            BadInputError: If something does not fit.
        """
        subject, fitted = self.read(paths)
        symmetry = find_symmetry(subject) if self.symmetry is None else read_symmetry(self.symmetry)
        return Opened(subject, fitted, symmetry)
