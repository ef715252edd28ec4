"""What a study shows: which columns there are, and what its figure says."""

import re
from dataclasses import replace

import numpy as np
import pytest

from parasym.report.figure import Curve, interpolation_figure
from parasym.report.markdown import as_markdown
from parasym.report.study import provenance, result_table, study_figure, study_markdown
from parasym.studies import Claim, Estimate, Part, Row, Runs
from parasym.studies.summary import Cell, Line, Summary

OURS = Estimate(0.5, 0.4, 0.6, 5)
LINES = (
    Line("standard", 5, 0, (Cell(OURS), Cell(None, "0.188"), Cell(None))),
    Line("matched", 5, 0, (Cell(OURS), Cell(None), Cell(None))),
)
PART = Part(
    "MLP on digits", ("ours alone", "theirs alone", "of neither"), LINES, (), (Runs("standard", (0.0, 1.0), ((1.0, 2.0),)),)
)


def test_columns_are_what_is_known_of_us_or_of_the_paper() -> None:
    table = result_table(PART)
    assert [name for name, _ in table.columns] == ["method", "n", "diverged", "ours alone", "theirs alone", "paper"]
    assert [row[-1] for row in table.rows] == ["0.188", "–"]


def test_the_figure_says_what_its_curves_show() -> None:
    assert "<!-- loss -->" in study_figure(PART, quantity="loss").svg
    own = study_figure(replace(PART, quantity="energy", axis="epochs"), quantity="loss").svg
    assert "<!-- energy -->" in own
    assert "<!-- epochs -->" in own
    assert "<!-- loss -->" not in own


def test_runs_are_left_and_intervals_right() -> None:
    left, right = study_figure(PART, quantity="loss").svg.split('id="axes_2"')
    assert [color in left for color in ("#1f77b4", "#ff7f0e")] == [True, False], "only one method has runs"
    assert [color in right for color in ("#1f77b4", "#ff7f0e")] == [True, True]


@pytest.mark.parametrize(("lines", "height"), [(2, 2.8), (12, 5.28)])
def test_a_figure_grows_with_its_lines(lines: int, height: float) -> None:
    part = replace(PART, lines=tuple(replace(LINES[0], name=f"method {k}") for k in range(lines)))
    width, found, *_ = re.findall(r'(?:width|height)="([\d.]+)pt"', study_figure(part, quantity="loss").svg)
    assert sorted([float(width), float(found)]) == pytest.approx([72 * height, 72 * 9.0], abs=1e-3)


def test_markdown_has_every_part_with_its_table_figure_and_claims() -> None:
    claims = tuple(Claim("loss", name, "<", "c", OURS) for name in ("a", "b"))
    parts = (replace(PART, claims=claims[:1]), replace(PART, title="VGG", claims=claims[1:]))
    text = study_markdown(Summary("toy", "Toys", "loss", parts, ("few runs",)), (), command="make toys")
    places = [text.index(words) for words in ("# Toys", "(forest.svg)", "## MLP on digits")]
    places += [text.index(words, places[-1]) for words in ("| standard", "(figure-0.svg)", as_markdown(claims[0].text))]
    places += [text.index(words, places[-1]) for words in ("## VGG", "| standard", "(figure-1.svg)", as_markdown(claims[1].text))]
    places += [text.index(words, places[-1]) for words in ("* few runs", "## How it was made", "make toys")]
    assert places == sorted(places)


def test_losses_are_drawn_from_zero() -> None:
    points = np.linspace(0, 1, 5)
    svg = interpolation_figure([Curve("naive", "#335577", points, [points + 7.0], [points])], title="two").svg
    assert "<!-- 0 -->" in svg


def test_rows_of_different_sources_are_pointed_out() -> None:
    row = Row("0" * 64, "s", {}, "", "", {"torch": "2"}, "a" * 64, "cpu", 1, 3, 1.0, 60.0, (), {}, {})
    assert not [line for line in provenance([row, row], command="x") if "Attention" in line]
    mixed = provenance([row, replace(row, sources="b" * 64), replace(row, sources="")], command="x")
    assert "rows were made: 1 of unknown ones, 1 of aaaaaaaaaaaa, 1 of bbbbbbbbbbbb." in " ".join(mixed)
