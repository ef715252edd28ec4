"""What the rows of a study say: numbers with intervals beside those of the paper, claims, curves."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from parasym.studies.claim import Claim, Verdict
from parasym.studies.family import corrected, together
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
        claims: What is said about them, by the paper or as a control.
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
    """All results of a study. Its claims are one family, and their p-values are adjusted for that when it is made.

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

    def __post_init__(self) -> None:
        """Correct the claims of all parts together."""
        claims = iter(corrected(self.claims))
        parts = tuple(replace(part, claims=tuple(next(claims) for _ in part.claims)) for part in self.parts)
        object.__setattr__(self, "parts", parts)

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
                "claims": [_stated(claim) for claim in part.claims],
            }
            for part in summary.parts
        ],
        "notes": list(summary.notes),
    }


def _stated(claim: Claim) -> dict[str, object]:
    return {
        "claim": claim.text,
        "control": claim.control,
        "verdict": claim.verdict,
        "reason": claim.reason,
        "ours": _numbers(claim.ours),
        "margin": claim.margin,
        "p": claim.p,
        "adjusted": claim.adjusted,
        "paper": claim.said,
    }


def _numbers(estimate: Estimate | None) -> list[float | None] | None:
    if estimate is None:
        return None
    return [x if abs(x) < float("inf") else None for x in (estimate.mean, estimate.low, estimate.high)]
