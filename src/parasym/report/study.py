"""The results of a study: tables, figures, a page, and Markdown; all from its rows and nothing else."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from parasym.checkpoint import atomic_write
from parasym.report.figure import Figure, drawing
from parasym.report.forest import ClaimGroup, forest_figure
from parasym.report.markdown import as_markdown, markdown_table
from parasym.report.number import sig
from parasym.report.page import Card, Page, Section, render_page
from parasym.report.table import Columns, Table
from parasym.studies import Claim, Estimate, Part, Row, Runs, Summary

PAGE, MARKDOWN, FOREST = "report.html", "results.md", "forest.svg"
GLANCE = "All claims"
TWO_ONE_SIDED = 0.9
MANY = 60
"""Above this many runs a figure shows quartiles rather than the whole range."""


def result_table(part: Part, *, most: int | None = None) -> Table:
    """Return ours beside the paper's, one line per method, each with n and interval.

    Args:
        part: The results for one architecture.
        most: How many measures at most, for narrow terminals; ``None`` for all.
    """
    told = [k for k in range(len(part.measures)) if any(line.cells[k].ours or line.cells[k].paper for line in part.lines)][:most]
    columns: list[tuple[str, Any]] = [("method", "left"), ("n", "right"), ("diverged", "right")]
    for k in told:
        columns.append((part.measures[k], "right"))
        if _has_paper(part, k):
            columns.append(("paper", "right"))
    rows = []
    for line in part.lines:
        row = [f"{line.name} (control)" if line.control else line.name, str(line.n), str(line.diverged)]
        for k in told:
            cell = line.cells[k]
            row.append("–" if cell.ours is None else str(cell.ours))
            if _has_paper(part, k):
                row.append(cell.paper or "–")
        rows.append(tuple(row))
    return Table(part.title, tuple(columns), tuple(rows), part.note)


def claim_table(part: Part) -> Table:
    """Return one line per claim: the paper's numbers, our difference with its interval, and whether the claim holds.

    Args:
        part: The results for one architecture.
    """
    rows = tuple((c.text, c.said or "–", _difference(c), _p_values(c), _verdict(c)) for c in part.claims)
    columns: Columns = (
        ("claim", "left"),
        ("paper", "right"),
        ("our difference", "right"),
        ("p (adjusted)", "right"),
        ("the claim", "left"),
    )
    note = (
        "A claim holds if the whole 95 % interval has the claimed sign, and does not hold if the whole interval has the other. "
        "An equality within a margin holds if the 90 % interval is within it, and does not hold if the 95 % one is beyond it. "
        "For both the p-value must be up to 0.05 also when it is adjusted for all claims of the study by Holm's method."
    )
    return Table(
        f"Claims: {part.title}", columns, rows, note, strong=tuple(k for k, c in enumerate(part.claims) if c.verdict == "no")
    )


def study_figure(part: Part, *, quantity: str) -> Figure:
    """Return curves along the segment, and the first measure of every method with its interval.

    Lines are means, or medians of many runs; bands reach from the lowest to the highest run, or over the middle half of many.

    Args:
        part: The results for one architecture.
        quantity: What the curves show.
    """
    quantity, axis = part.quantity or quantity, part.axis or "position on the segment"
    lines = [line for line in part.lines if line.cells[0].ours is not None]
    with drawing(max(2.8, 0.34 * len(lines) + 1.2), 9.0) as (canvas, made):
        left, right = canvas.subplots(1, 2, width_ratios=(1, 1))
        colors = {line.name: mpl.colormaps["tab10"](k % 10) for k, line in enumerate(part.lines)}
        for runs in part.curves:
            _draw_runs(left, runs, colors.get(runs.name, "black"))
        left.set_xlabel(axis)
        left.set_title(quantity)
        for place, line in enumerate(reversed(lines)):
            ours = line.cells[0].ours
            if ours is not None:
                _draw_interval(right, ours, place, colors[line.name])
        right.set_yticks(range(len(lines)), [f"{line.name}, n = {line.n}" for line in reversed(lines)])
        right.axvline(0, color="#9aa5b1", linewidth=1)
        right.set_title(f"{part.measures[0]} (95 %)")
    alt = f"{part.title}. {part.measures[0]}: " + "; ".join(f"{line.name} {line.cells[0].ours}" for line in lines) + "."
    many = any(len(runs.values) > MANY for runs in part.curves)
    what = "median and middle half" if many else "mean, lowest and highest"
    return Figure(made[0], alt, f"{part.title}: {quantity} by {axis} ({what} of the runs), and {part.measures[0]}.")


def anchor(part: int) -> str:
    """Return the name by which links find a part, on the page and in the Markdown.

    Args:
        part: Its number.
    """
    return f"part-{part}"


def study_forest(summary: Summary, *, page: str = "") -> Figure:
    """Return all claims of a study at a glance, with links to its parts.

    Args:
        summary: What its rows say.
        page: File that the links lead to; the page itself if empty.
    """
    groups = [ClaimGroup(part.title, part.claims, f"{page}#{anchor(k)}") for k, part in enumerate(summary.parts)]
    return forest_figure(groups, title=f"{summary.title}, all claims")


def study_page(summary: Summary, rows: Sequence[Row], *, command: str) -> Page:
    """Return the page of a study.

    Args:
        summary: What its rows say.
        rows: The rows, for versions, devices and times.
        command: What made them.
    """
    verdicts = [claim.verdict for claim in summary.claims]
    cards = (
        Card("claims that hold", f"{verdicts.count('yes')} of {len(verdicts)}", good=None),
        Card("do not hold", str(verdicts.count("no")), good=None),
        Card("not settled", str(verdicts.count("unsure")), "too few runs for so many claims", good=None),
    )
    sections = tuple(
        Section(part.title, anchor(k), (), (result_table(part), claim_table(part), study_figure(part, quantity=summary.quantity)))
        for k, part in enumerate(summary.parts)
    )
    notes = Section("What to know before reading the numbers", "notes", summary.notes) if summary.notes else None
    lead = "Every number is made from the rows of this study, with how many runs it is made of and a 95 % interval."
    glance = [Section(GLANCE, "forest", (), (study_forest(summary),))] if summary.claims else []
    return Page(summary.title, lead, cards, (*glance, *sections, *([notes] if notes else [])), provenance(rows, command=command))


def study_markdown(summary: Summary, rows: Sequence[Row], *, command: str) -> str:
    """Return the same as Markdown, with links to the figures that :func:`write_results` puts beside it.

    Args:
        summary: What its rows say.
        rows: The rows.
        command: What made them.
    """
    lines = [f"# {as_markdown(summary.title)}", ""]
    if summary.claims:
        forest = study_forest(summary, page=MARKDOWN)
        lines += [f"[![{as_markdown(forest.alt)}]({FOREST})]({FOREST})", "", as_markdown(forest.caption), ""]
    for k, part in enumerate(summary.parts):
        alt = as_markdown(study_figure(part, quantity=summary.quantity).alt)
        lines += [
            f'<a id="{anchor(k)}"></a>',
            "",
            f"## {as_markdown(part.title)}",
            "",
            *markdown_table(result_table(part)),
            f"![{alt}](figure-{k}.svg)",
            "",
        ]
        lines += markdown_table(claim_table(part))
    if summary.notes:
        lines += ["## What to know before reading the numbers", "", *(f"* {as_markdown(note)}" for note in summary.notes), ""]
    lines += ["## How it was made", "", *(f"* {as_markdown(line)}" for line in provenance(rows, command=command)), ""]
    return "\n".join(lines)


def provenance(rows: Sequence[Row], *, command: str) -> tuple[str, ...]:
    """Return sentences on command, code, versions, devices and time.

    Args:
        rows: The rows.
        command: What made them.
    """
    commits = sorted({row.commit[:12] + ("+" if row.commit.endswith("+") else "") for row in rows if row.commit})
    versions = sorted({", ".join(f"{k} {v}" for k, v in row.versions.items()) for row in rows})
    return (
        f"Command: `{command}`.",
        f"Rows: {len(rows)}, on {', '.join(sorted({row.device for row in rows})) or 'nothing'}, with {'; '.join(versions) or '-'}"
        + (f", at commit {', '.join(commits)}" if commits else "")
        + (" (+ means with changes)." if any(commit.endswith("+") for commit in commits) else "."),
        *_mixed(rows),
        f"Time: {sum(row.processor for row in rows) / 60:.1f} minutes of processor time in all.",
    )


def _mixed(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return a warning if rows come from different sources, of which some may measure something else."""
    sources = Counter(row.sources for row in rows)
    if len(sources) < 2:
        return ()
    parts = ", ".join(f"{n} of {one[:12] or 'unknown ones'}" for one, n in sorted(sources.items()))
    return (f"Attention: the sources that decide the numbers changed while these rows were made: {parts}.",)


def write_results(folder: Path, summary: Summary, rows: Sequence[Row], *, command: str) -> tuple[Path, ...]:
    """Write page, Markdown and figures into the folder of a study, replacing those of an earlier call.

    Args:
        folder: The folder.
        summary: What its rows say.
        rows: The rows.
        command: What made them.

    Returns:
        The files, the page first.
    """
    texts: Mapping[str, str] = {
        PAGE: render_page(study_page(summary, rows, command=command)),
        MARKDOWN: study_markdown(summary, rows, command=command),
        **({FOREST: study_forest(summary, page=MARKDOWN).svg + "\n"} if summary.claims else {}),
        **{f"figure-{k}.svg": study_figure(part, quantity=summary.quantity).svg + "\n" for k, part in enumerate(summary.parts)},
    }
    return tuple(
        atomic_write(folder / name, lambda file, text=text: file.write_text(text, encoding="utf-8"), force=True)
        for name, text in texts.items()
    )


def _has_paper(part: Part, k: int) -> bool:
    return any(line.cells[k].paper for line in part.lines)


def _difference(claim: Claim) -> str:
    if claim.ours is None:
        return "nothing measured"
    return f"{claim.ours.at_level(TWO_ONE_SIDED)} (90 %)" if claim.sense == "=" else str(claim.ours)


def _p_values(claim: Claim) -> str:
    return "–" if claim.ours is None else f"{sig(claim.p, 2)} ({sig(claim.p if claim.adjusted is None else claim.adjusted, 2)})"


def _verdict(claim: Claim) -> str:
    return f"{claim.words}: {claim.reason}" if claim.reason else claim.words


def _draw_runs(axes: Any, runs: Runs, color: Any) -> None:
    values = np.asarray(runs.values)
    many = len(values) > MANY
    middle = np.median(values, axis=0) if many else values.mean(axis=0)
    low, high = np.quantile(values, (0.25, 0.75), axis=0) if many else (values.min(axis=0), values.max(axis=0))
    axes.plot(runs.points, middle, color=color)
    axes.fill_between(runs.points, low, high, color=color, alpha=0.13, linewidth=0)


def _draw_interval(axes: Any, estimate: Estimate, place: int, color: Any) -> None:
    if np.isfinite(estimate.low):
        axes.plot([estimate.low, estimate.high], [place, place], color=color, linewidth=2)
    axes.plot([estimate.mean], [place], "o", color=color, markersize=5)
