"""What the rows of a study say: numbers with intervals beside those of the paper, claims, curves."""

from collections.abc import Mapping
from dataclasses import dataclass

from parasym.studies.claim import Claim, Verdict, together
from parasym.studies.interval import Estimate


@dataclass(frozen=True)
class Cell:
    """One number of a table.

    Attributes:
        ours: What we measured; ``None`` if nothing could be measured.
        paper: The paper's number, as text; empty if there is none.
    """

    ours: Estimate | None
    paper: str = ""


@dataclass(frozen=True)
class Line:
    """One line of a table.

    Attributes:
        name: What was measured, such as a method.
        n: How many measurements are averaged.
        diverged: How many runs ended in numbers that are not finite; they are counted here and averaged nowhere.
        cells: One per measure.
        control: Whether it is a control that the paper lacks.
    """

    name: str
    n: int
    diverged: int
    cells: tuple[Cell, ...]
    control: bool = False


@dataclass(frozen=True)
class Runs:
    """One quantity of many runs along the same points.

    Attributes:
        name: Of the method.
        points: Positions, ``[k]``.
        values: For every run, ``[runs][k]``.
    """

    name: str
    points: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Part:
    """The results for one architecture.

    Attributes:
        title: Architecture and data.
        measures: Names of the columns.
        lines: One per method.
        claims: What the paper says about them.
        curves: For the figure.
        note: How it was done: plan, counts.
        quantity: What its curves show; that of the summary if empty.
        axis: What the curves run along; a segment if empty.
    """

    title: str
    measures: tuple[str, ...]
    lines: tuple[Line, ...]
    claims: tuple[Claim, ...]
    curves: tuple[Runs, ...]
    note: str = ""
    quantity: str = ""
    axis: str = ""


@dataclass(frozen=True)
class Summary:
    """All results of a study.

    Attributes:
        study: Its name.
        title: For people.
        quantity: What the curves show.
        parts: One per architecture.
        notes: What falls short, for people to know before they read the numbers.
    """

    study: str
    title: str
    quantity: str
    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()

    @property
    def claims(self) -> tuple[Claim, ...]:
        """All claims."""
        return tuple(claim for part in self.parts for claim in part.claims)

    @property
    def verdict(self) -> Verdict:
        """Whether all claims hold."""
        return together(self.claims)


def plain(summary: Summary) -> Mapping[str, object]:
    """Return the summary as values that JSON can hold, without the curves.

    Args:
        summary: Any summary.
    """
    return {
        "study": summary.study,
        "parts": [
            {
                "title": part.title,
                "note": part.note,
                "lines": [
                    {
                        "name": line.name,
                        "n": line.n,
                        "diverged": line.diverged,
                        "control": line.control,
                        **{
                            name: {"ours": _numbers(cell.ours), "paper": cell.paper}
                            for name, cell in zip(part.measures, line.cells, strict=True)
                        },
                    }
                    for line in part.lines
                ],
                "claims": [
                    {"claim": c.text, "verdict": c.verdict, "ours": _numbers(c.ours), "paper": c.paper} for c in part.claims
                ],
            }
            for part in summary.parts
        ],
        "notes": list(summary.notes),
    }


def _numbers(estimate: Estimate | None) -> list[float | None] | None:
    if estimate is None:
        return None
    return [x if abs(x) < float("inf") else None for x in (estimate.mean, estimate.low, estimate.high)]
