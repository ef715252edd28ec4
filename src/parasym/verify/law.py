"""What a model that draws random numbers can be said to do: its outputs have a law, and that is what a symmetry keeps."""

from dataclasses import dataclass, replace

from parasym.core import Params, Verdict
from parasym.functional.call import Call
from parasym.functional.evaluator import Evaluator
from parasym.verify.report import Row

OTHERS = "random numbers that follow nothing"


@dataclass(frozen=True)
class Law:
    """How a model draws random numbers.

    Attributes:
        following: Operations whose numbers can be made to follow the entries that they act on.
        others: Whether other operations draw too; their numbers stay in place while channels move.
        alone: Whether there is one sample only, whose numbers are all alike.
    """

    following: tuple[str, ...]
    others: bool
    alone: bool

    @property
    def operations(self) -> tuple[str, ...]:
        """What draws, for the report; empty if the model is a function."""
        return (*self.following, OTHERS) if self.others else self.following

    @property
    def notes(self) -> list[str]:
        """What the report should say of it."""
        notes = []
        if self.following:
            notes.append(
                f"the model draws random numbers ({', '.join(self.following)}): the claim is one in law, and was checked with "
                "numbers that follow the entries that they act on"
            )
        if self.following and self.alone:
            notes.append(
                "with one sample the numbers are all alike, which a map that mixes channels would pass too: give several samples"
            )
        if self.others:
            notes.append(
                "the model draws random numbers that follow nothing: they were kept fixed, and where the outputs change "
                "nevertheless their law may be the same; `model.eval()` turns dropout off"
            )
        return notes

    def softened(self, verdict: Verdict) -> Verdict:
        """Return what a verdict is worth: where numbers stay in place, outputs that change may have kept their law."""
        return "unsure" if self.others and verdict == "no" else verdict

    def judged(self, row: Row) -> Row:
        """Return a row with the verdict that can be given; what moves nothing fails in law too."""
        if row.moved == 0.0 or self.softened(row.holds) == row.holds:
            return row
        return replace(row, holds="unsure", reason=f"{row.reason}, and so does what the model draws: see the notes")


def law_of(run: Evaluator, params: Params, inputs: Call) -> Law:
    """Return how a model draws random numbers, by one evaluation.

    Args:
        run: The model.
        params: Parameters and buffers by name.
        inputs: The arguments.
    """
    return Law(*run.randomness(params, inputs), alone=inputs.samples == 1)
