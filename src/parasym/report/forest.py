"""A forest plot: all claims at a glance, each with its estimate, its interval, its verdict, and what the paper has."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from parasym.report.figure import GRID, INK, WIDTH, Figure, drawing
from parasym.studies import Claim, Estimate
from parasym.studies.claim import WORDS, Verdict

MARKS: dict[Verdict, tuple[str, str, bool]] = {
    "yes": ("o", "#1f5fa8", True),
    "no": ("X", "#c2542d", True),
    "unsure": ("D", "#7b8794", False),
}
"""Shape, color and whether it is filled."""
REACH, MARKED = 2.0, 1.9
"""Where the axis ends, since a difference of two numbers is never more than twice the larger of them; and where marks do."""
ROWS, MOST_COLUMNS = 56, 3
"""Rows of one column, unless there would be too many columns."""
LETTERS = 92

UNITS = (
    "Differences are divided by the larger of the two numbers and turned so that what is claimed is on the right; equalities are "
    "divided by their margin, which the gray bands show. Arrows lead beyond the axis."
)


@dataclass(frozen=True)
class ClaimGroup:
    """Claims that are shown together.

    Attributes:
        title: What they are of.
        claims: One row each.
        href: Where their rows are.
    """

    title: str
    claims: tuple[Claim, ...]
    href: str


Row = tuple[ClaimGroup, Claim | None]


def forest_figure(groups: Sequence[ClaimGroup], *, title: str) -> Figure:
    """Return all claims, one row each below the title of its group: the verdict by color and shape, the paper's value as a tick.

    Every row is a link to where its group is shown.

    Args:
        groups: The claims.
        title: Named in the alternative text.
    """
    columns = _columns([group for group in groups if group.claims])
    height = max(map(len, columns), default=1)
    with drawing(0.17 * height + 1.1, max(WIDTH, 6.2 * len(columns)), letters="none") as (canvas, made):
        for number, (axes, rows) in enumerate(zip(canvas.subplots(1, len(columns), squeeze=False)[0], columns, strict=True)):
            _draw_column(axes, rows, height, number)
        canvas.legend(handles=_legend(), loc="outside upper left", ncols=4, handlelength=1.2)
    return Figure(made[0], _words(groups, title), f"{title}. {UNITS}", inline=True)


def _columns(groups: Sequence[ClaimGroup]) -> list[list[Row]]:
    blocks: list[list[Row]] = [[(group, None), *((group, claim) for claim in group.claims)] for group in groups]
    total = sum(map(len, blocks))
    count = max(1, min(MOST_COLUMNS, math.ceil(total / ROWS)))
    columns: list[list[Row]] = [[]]
    for block in blocks:  # a group is never torn apart
        if columns[-1] and len(columns) < count and len(columns[-1]) + len(block) / 2 > total / count:
            columns.append([])
        columns[-1] += block
    return columns


def _draw_column(axes: Axes, rows: Sequence[Row], height: int, number: int) -> None:
    axes.axvline(0, color="#9aa5b1", linewidth=1)
    for place, (group, claim) in enumerate(rows):
        if claim is not None:
            _draw_claim(axes, claim, place, group.href, f"claim-{number}-{place}")
    axes.set_xlim(-REACH * 1.05, REACH * 1.05)
    axes.set_ylim(height - 0.4, -0.6)
    axes.set_xticks([-2, -1, 0, 1, 2])
    axes.set_xlabel("← against the claim   |   as claimed →", fontsize=7)
    axes.grid(visible=False)
    axes.set_yticks(range(len(rows)), [_shortened(group.title if claim is None else claim.text) for group, claim in rows])
    axes.tick_params(axis="y", length=0, labelsize=6.5)
    axes.tick_params(axis="x", labelsize=7)
    for label, (group, claim) in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_url(group.href)
        label.set_color(INK)
        label.set_fontweight("bold" if claim is None else "normal")


def _draw_claim(axes: Axes, claim: Claim, place: int, href: str, name: str) -> None:
    shape, color, filled = MARKS[claim.verdict]
    shown = position(claim)
    if shown is None:
        short = claim.reason.partition(",")[0]  # the axis is narrow; the table says it all
        white = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
        label = axes.text(0, place, short, ha="center", va="center", fontsize=6, color=color, url=href, bbox=white)
        label.set_gid(f"{name}-{claim.verdict}")
        return
    if claim.sense == "=":
        axes.fill_between([-1, 1], place - 0.42, place + 0.42, color=GRID, linewidth=0)
    axes.plot([_inside(end) for end in (shown.low, shown.high)], [place, place], color=color, linewidth=1.2, url=href)
    for edge in {math.copysign(REACH, end) for end in (shown.low, shown.high) if abs(end) > REACH}:
        axes.plot([edge], [place], ">" if edge > 0 else "<", color=color, markersize=3.5, url=href)
    style: dict[str, Any] = {"color": color, "markersize": 4.5, "markerfacecolor": color if filled else "white"}
    middle = max(-MARKED, min(MARKED, shown.mean))
    axes.plot([middle], [place], shape, url=href, gid=f"{name}-{claim.verdict}-{shown.mean:.3f}", **style)
    if claim.theirs is not None:
        theirs = _turn(claim) * claim.theirs
        axes.plot([_inside(theirs)], [place], "|", color="black", markersize=7, url=href, gid=f"{name}-paper-{theirs:.3f}")


def _inside(value: float) -> float:
    return max(-REACH, min(REACH, value))


def position(claim: Claim) -> Estimate | None:
    """Return a claim's number and interval on the axis of the plot; ``None`` if it has none.

    A difference is divided by the claim's scale and is positive if it is as claimed. An equality is divided by its margin, and
    its interval is that of the two one-sided tests, with 90 %.

    Args:
        claim: Any claim.

    Example:
        >>> print(position(Claim("barrier", "A", "<", "B", Estimate(-0.6, -0.8, -0.4, 5), scale=0.8)))
        0.750 [0.500, 1.000]
    """
    ours = claim.ours
    scale = claim.margin if claim.sense == "=" else claim.scale
    if ours is None or not scale or not math.isfinite(ours.mean):
        return None
    if claim.sense == "=":
        ours = ours.at_level(0.9)
    turned = sorted(_turn(claim) * end / scale for end in (ours.low, ours.high))
    return Estimate(_turn(claim) * ours.mean / scale, turned[0], turned[1], ours.n)


def _turn(claim: Claim) -> int:
    return -1 if claim.sense == "<" else 1


def _legend() -> list[Line2D]:
    marks = [
        Line2D(
            [], [], marker=shape, color=color, markerfacecolor=color if filled else "white", linewidth=1.2, label=WORDS[verdict]
        )
        for verdict, (shape, color, filled) in MARKS.items()
    ]
    return [*marks, Line2D([], [], marker="|", color="black", linestyle="", markersize=8, label="the paper's value")]


def _shortened(text: str) -> str:
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…"


def counts(claims: Sequence[Claim]) -> str:
    """Return how many claims hold, do not, and are not settled.

    Args:
        claims: Some claims.

    Example:
        >>> counts([Claim("x", "A", "<", "B", None)])
        '0 hold, 0 do not hold, 1 not settled'
    """
    verdicts = [claim.verdict for claim in claims]
    return f"{verdicts.count('yes')} hold, {verdicts.count('no')} do not hold, {verdicts.count('unsure')} not settled"


def _words(groups: Sequence[ClaimGroup], title: str) -> str:
    every = [claim for group in groups for claim in group.claims]
    parts = "; ".join(f"{group.title}: {counts(group.claims)}" for group in groups if group.claims)
    refuted = "; ".join(f"{claim.text} ({group.title})" for group in groups for claim in group.claims if claim.verdict == "no")
    told = f" What does not hold: {refuted}." if refuted else ""
    return f"{title}: forest plot of {len(every)} claims, of which {counts(every)}. {parts}.{told}"
