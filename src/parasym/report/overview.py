"""All claims of several studies on one page: the forest plot, then how many hold in every part."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from parasym.checkpoint import atomic_write
from parasym.report.forest import ClaimGroup, counts, forest_figure
from parasym.report.markdown import as_markdown, markdown_table
from parasym.report.page import Card, Page, Section, render_page
from parasym.report.study import FOREST, MARKDOWN, PAGE, anchor
from parasym.report.table import Columns, Table
from parasym.studies import Claim, Summary

TITLE = "All claims of all studies"


@dataclass(frozen=True)
class Reported:
    """A study whose own page has been written.

    Attributes:
        folder: Where.
        summary: What its rows say.
    """

    folder: Path
    summary: Summary


def claim_groups(studies: Sequence[Reported], *, out: Path, page: str) -> tuple[ClaimGroup, ...]:
    """Return the claims of all studies, part by part, with links to the pages of the studies.

    Args:
        studies: The studies.
        out: From where the links lead.
        page: To which file in the folder of a study.
    """
    return tuple(
        ClaimGroup(f"{one.summary.study}: {part.title}", part.claims, f"{_path(one.folder, out)}/{page}#{anchor(k)}")
        for one in studies
        for k, part in enumerate(one.summary.parts)
    )


def write_overview(studies: Sequence[Reported], out: Path, *, command: str) -> tuple[Path, ...]:
    """Write page, Markdown and forest plot of several studies, replacing those of an earlier call.

    Args:
        studies: The studies; their own pages are what it links to.
        out: Folder to write to; made if it does not exist.
        command: What makes it.

    Returns:
        The files, the page first.
    """
    out.mkdir(parents=True, exist_ok=True)
    groups = claim_groups(studies, out=out, page=MARKDOWN)
    texts: Mapping[str, str] = {
        PAGE: render_page(_page(studies, out, command=command)),
        MARKDOWN: overview_markdown(studies, out, command=command),
        FOREST: forest_figure(groups, title=TITLE).svg + "\n",
    }
    return tuple(
        atomic_write(out / name, lambda file, text=text: file.write_text(text, encoding="utf-8"), force=True)
        for name, text in texts.items()
    )


def overview_markdown(studies: Sequence[Reported], out: Path, *, command: str) -> str:
    """Return the forest plot and a table of verdicts as Markdown.

    Args:
        studies: The studies.
        out: Where it is written.
        command: What makes it.
    """
    figure = forest_figure(claim_groups(studies, out=out, page=MARKDOWN), title=TITLE)
    lines = [f"# {TITLE}", "", f"[![{as_markdown(figure.alt)}]({FOREST})]({FOREST})", "", as_markdown(figure.caption), ""]
    for one in studies:
        lines += [f"## {as_markdown(one.summary.title)}", ""]
        lines += [f"{counts(one.summary.claims)}: [results]({_path(one.folder, out)}/{MARKDOWN}).", ""]
        lines += markdown_table(_verdicts(one.summary))
    return "\n".join([*lines, f"Made by `{command}`.", ""])


def _page(studies: Sequence[Reported], out: Path, *, command: str) -> Page:
    claims: list[Claim] = [claim for one in studies for claim in one.summary.claims]
    figure = forest_figure(claim_groups(studies, out=out, page=PAGE), title=TITLE)
    sections = [Section("At a glance", "forest", (), (figure,))]
    sections += [
        Section(one.summary.title, one.summary.study, (counts(one.summary.claims) + ".",), (_verdicts(one.summary),))
        for one in studies
    ]
    lead = "Every claim with its estimate and interval; each study is one family, for whose size verdicts are corrected."
    card = Card("claims", str(len(claims)), counts(claims))
    return Page(TITLE, lead, (card,), tuple(sections), (f"Made by `{command}`.",))


def _verdicts(summary: Summary) -> Table:
    columns: Columns = (("part", "left"), ("hold", "right"), ("do not hold", "right"), ("not settled", "right"))
    rows = []
    for part in summary.parts:
        verdicts = [claim.verdict for claim in part.claims]
        rows.append((part.title, *(str(verdicts.count(verdict)) for verdict in ("yes", "no", "unsure"))))
    return Table(f"Claims of {summary.title}", columns, tuple(rows))


def _path(folder: Path, out: Path) -> str:
    return quote(Path(os.path.relpath(folder, out)).as_posix())
