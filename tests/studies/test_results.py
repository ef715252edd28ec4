"""The results in the documentation are those of their rows."""

import json
from pathlib import Path

import pytest

from parasym.report.study import MARKDOWN, study_markdown
from parasym.studies import STUDIES, Ledger

FOLDERS = sorted(path.parent for path in (Path(__file__).parents[2] / "docs/results").glob("*/study.json"))


def fresh(folder: Path) -> str:
    ledger = Ledger(folder)
    begun = ledger.tasks()
    study = next(study for study in STUDIES if study.name == begun["study"])
    rows = ledger.rows()
    return study_markdown(study.summarize(rows), rows, command=f"parasym study {study.name} --preset {begun['preset']}")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_the_page_is_what_its_rows_say(folder: Path):
    assert (folder / MARKDOWN).read_text() == fresh(folder), f"stale: run `parasym report {folder}`"


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
