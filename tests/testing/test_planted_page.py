"""The page of planted elements: every model and method is there, and what is lost stands out."""

from pathlib import Path

import pytest
import torch

from parasym.orbit import METHODS
from parasym.testing.planted import ALL, BOUNDS, Cell, Recovery, found
from parasym.testing.planted_page import Tally, main, read_tallies, render
from parasym.zoo import ZOO

PAGE = Path(__file__).parent.parent.parent / "docs" / "planted.md"


def test_the_page_has_every_model_and_method():
    text = PAGE.read_text()
    for kind in METHODS.values():
        part = text.partition(f"## `{kind.__name__}`")[2].partition("\n## ")[0]
        missing = [entry.name for entry in ZOO if found(entry.name)[1].factors and f"| `{entry.name}` |" not in part]
        assert not missing, f"docs/planted.md lacks {missing}: run `make planted`, which plants what is new"
        assert all(sentence in part for sentence in kind.blind_spots)


def test_the_page_shows_its_cells():
    cells = read_tallies(PAGE.parent / "results" / "planted.json")
    draws, single = (max(t.count for c, t in cells.items() if (c.kind == ALL) == whole) for whole in (True, False))
    assert PAGE.read_text() == render(cells, draws=draws, single=single), "docs/planted.md is stale: run `make planted`"
    assert not any(tally.lost for tally in cells.values())


def test_what_is_lost_stands_out():
    cell, tally = Cell("weight", ALL, "mlp_relu", torch.float64), Tally()
    for left in (1e-12, 0.5, float("nan")):
        tally.add(Recovery(1.0, left, ("it did not see",)), BOUNDS[cell.dtype])
    text = render({cell: tally}, draws=3, single=0)
    assert "**5e-01 (2 of 3)**" in text
    assert "| weight | all | 1 | 3 | 2 |" in text
    assert "`mlp_relu`: it did not see" in text


def test_it_is_written_and_goes_on_with_what_is_there(tmp_path, monkeypatch):
    main([str(tmp_path / "page.md"), "--draws", "1", "--single", "1", "--models", "mlp_tanh"])
    text = (tmp_path / "page.md").read_text()
    assert "| `mlp_tanh` |" in text
    assert "**" not in text
    before = read_tallies(tmp_path / "results" / "page.json")
    monkeypatch.setattr("parasym.testing.planted_page.recovery", lambda *_: pytest.fail("what is there is not planted again"))
    main([str(tmp_path / "page.md"), "--draws", "1", "--single", "1", "--models", "mlp_tanh"])
    assert (tmp_path / "page.md").read_text() == text
    assert read_tallies(tmp_path / "results" / "page.json") == before


def test_the_page_is_made_by_the_numbers_that_are_the_default(tmp_path, monkeypatch):
    monkeypatch.setattr("parasym.testing.planted_page.cells", lambda _: [])
    main([str(tmp_path / "page.md")])
    told = "made by `make planted DRAWS=20 SINGLE=2`"
    assert told in (tmp_path / "page.md").read_text()
    assert told in PAGE.read_text()
