"""The page of planted elements: every model and method is there, and what is lost stands out."""

from pathlib import Path

import torch

from parasym.orbit import METHODS
from parasym.testing.planted import ALL, BOUNDS, Cell, Recovery, found
from parasym.testing.planted_page import Tally, main, render
from parasym.zoo import ZOO

PAGE = Path(__file__).parent.parent.parent / "docs" / "planted.md"


def test_the_page_has_every_model_and_method():
    text = PAGE.read_text()
    for kind in METHODS.values():
        part = text.partition(f"## `{kind.__name__}`")[2].partition("\n## ")[0]
        missing = [entry.name for entry in ZOO if found(entry.name)[1].factors and f"| `{entry.name}` |" not in part]
        assert not missing, "docs/planted.md is stale: run `make planted`"
        assert all(sentence in part for sentence in kind.blind_spots)


def test_what_is_lost_stands_out():
    cell, tally = Cell("weight", ALL, "mlp_relu", torch.float64), Tally()
    for left in (1e-12, 0.5, float("nan")):
        tally.add(Recovery(1.0, left, ("it did not see",)), BOUNDS[cell.dtype])
    text = render({cell: tally}, draws=3, single=0)
    assert "**5e-01 (2 of 3)**" in text
    assert "| weight | all | 1 | 3 | 2 |" in text
    assert "`mlp_relu`: it did not see" in text


def test_it_is_written(tmp_path):
    main([str(tmp_path / "page.md"), "--draws", "1", "--single", "1", "--models", "mlp_tanh"])
    text = (tmp_path / "page.md").read_text()
    assert "| `mlp_tanh` |" in text
    assert "**" not in text
