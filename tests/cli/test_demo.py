"""The demo on a tiny setting: its page, its numbers, its exit code."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import Result

from parasym.cli import demo as command
from parasym.studies import ARCHITECTURES, Merging, MergingTask, run_merging
from tests.report.test_page import CHROMIUM, ink, outside_references, screenshot

Run = Callable[..., Result]


def small(task: MergingTask) -> Merging:
    return run_merging(replace(task, width=32, epochs=8, points=5))


@pytest.fixture
def only_one_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "ARCHITECTURES", ARCHITECTURES[:1])
    monkeypatch.setattr(command, "_run", small)


@pytest.mark.usefixtures("only_one_kind")
def test_the_page_is_written_and_loads_nothing(run: Run, tmp_path: Path) -> None:
    result = run("demo", "--out", tmp_path / "out", "--seeds", "2", "--fast", "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["holds"] == "yes"
    page = Path(data["page"])
    assert [file.name for file in page.parent.iterdir()] == ["index.html"]
    html = page.read_text(encoding="utf-8")
    assert outside_references(html) == []
    for words in ("Soundness: yes", "Completeness: yes", "naive", "matched", "S(32)", "seed 1", "n = 2 networks", "n = 1 pairs"):
        assert words in html, words
    if CHROMIUM is not None:
        assert ink(screenshot(page)) > 0.03


@pytest.mark.usefixtures("only_one_kind")
def test_it_fails_where_matching_does_not_help(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def worse(task: MergingTask) -> Merging:
        found = small(task)
        return replace(found, matched_all=replace(found.naive_all, loss=found.naive_all.loss + 1))

    monkeypatch.setattr(command, "_run", worse)
    result = run("demo", "--out", tmp_path, "--seeds", "2", "--fast")
    assert result.exit_code == 1
    assert "NOT as expected" in result.output


def test_a_folder_that_cannot_be_made(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    result = run("demo", "--out", tmp_path / "file" / "out")
    assert result.exit_code == 2
    assert "cannot be made" in result.stderr
