"""The results in the documentation are those of their rows."""

import json
import re
import runpy
from pathlib import Path

import pytest

from parasym.report import Reported, forest_figure, overview_markdown
from parasym.report.overview import TITLE, claim_groups
from parasym.report.study import FOREST, MARKDOWN, study_forest, study_markdown
from parasym.studies import STUDIES, Ledger, Summary

RESULTS = Path(__file__).parents[2] / "docs/results"
FOLDERS = sorted(path.parent for path in RESULTS.glob("*/study.json"))
COMMAND = f"parasym report {' '.join(f'docs/results/{folder.name}' for folder in FOLDERS)} --out docs/results"


def summary_of(folder: Path) -> Summary:
    ledger = Ledger(folder)
    study = next(study for study in STUDIES if study.name == ledger.tasks()["study"])
    return study.summarize(ledger.rows())


def fresh(folder: Path) -> str:
    begun, summary = Ledger(folder).tasks(), summary_of(folder)
    return study_markdown(summary, Ledger(folder).rows(), command=f"parasym study {summary.study} --preset {begun['preset']}")


def content(svg: str) -> list[str]:
    """What a forest plot says, whatever draws it: its texts, its links, and every mark with its verdict and place."""
    return re.findall(
        r'<text[^>]*>[^<]*</text>|xlink:href="[^"]*\.md[^"]*"|id="claim[^"]*"', re.sub(r' (style|x|y|transform)="[^"]*"', "", svg)
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_the_page_is_what_its_rows_say(folder: Path):
    assert (folder / MARKDOWN).read_text() == fresh(folder), f"stale: run `parasym report {folder}`"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_its_forest_plot_is_what_its_rows_say(folder: Path):
    wanted = content(study_forest(summary_of(folder), page=MARKDOWN).svg)
    assert content((folder / FOREST).read_text()) == wanted, f"stale: run `parasym report {folder}`"
    assert len(wanted) > 50


def test_the_forest_plot_of_all_studies_is_what_their_rows_say():
    studies = [Reported(folder, summary_of(folder)) for folder in FOLDERS]
    wanted = content(forest_figure(claim_groups(studies, out=RESULTS, page=MARKDOWN), title=TITLE).svg)
    assert content((RESULTS / FOREST).read_text()) == wanted, f"stale: run `{COMMAND}`"
    assert (RESULTS / MARKDOWN).read_text() == overview_markdown(studies, RESULTS, command=COMMAND), f"stale: run `{COMMAND}`"
    claims = [claim for one in studies for claim in one.summary.claims]
    assert sum(part.startswith('id="claim') and "paper" not in part for part in wanted) == len(claims)
    assert content((RESULTS / FOREST).read_text().replace("-yes-", "-no-", 1)) != wanted, "planted fault: another verdict"


def test_links_of_the_forest_plot_lead_somewhere():
    targets = set(re.findall(r'xlink:href="([^"]*\.md)#([^"]*)"', (RESULTS / FOREST).read_text()))
    assert len(targets) > len(FOLDERS)
    for page, anchor in targets:
        assert f'<a id="{anchor}"></a>' in (RESULTS / page).read_text()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_every_task_has_its_row_from_committed_code(folder: Path):
    ledger = Ledger(folder)
    rows = ledger.rows()
    assert len(rows) == len(ledger.tasks()["tasks"])
    assert all(len(row.commit) == 40 for row in rows)


def test_a_number_that_was_changed_is_seen(tmp_path: Path):
    source = FOLDERS[0]
    lines = (source / "rows.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    alive = next(record for record in first["records"] if not record["diverged"])
    name = "barrier" if "barrier" in alive else "largest_rise"
    alive[name] += 1.0
    (tmp_path / "study.json").write_text((source / "study.json").read_text())
    (tmp_path / "rows.jsonl").write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n")
    assert fresh(tmp_path) != (source / MARKDOWN).read_text()


def test_links_of_figures_lead_to_the_pages_of_a_built_site():
    to_pages = runpy.run_path(str(RESULTS.parent / "img/links.py"))["to_pages"]
    text = to_pages((RESULTS / FOREST).read_text())
    links = set(re.findall(r'xlink:href="([^"#]+)#', text))
    assert links == {f"{folder.name}/results/" for folder in FOLDERS}
    assert to_pages('xlink:href="#m1" xlink:href="https://a.b/c.md#d"') == 'xlink:href="#m1" xlink:href="https://a.b/c.md#d"'
