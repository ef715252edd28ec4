"""What a study shows: which columns there are, and what its figure says."""

from dataclasses import replace

import numpy as np

from parasym.report.figure import Curve, interpolation_figure
from parasym.report.study import result_table, study_figure
from parasym.studies import Estimate, Part, Runs
from parasym.studies.summary import Cell, Line

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


def test_losses_are_drawn_from_zero() -> None:
    points = np.linspace(0, 1, 5)
    svg = interpolation_figure([Curve("naive", "#335577", points, [points + 7.0], [points])], title="two").svg
    assert "<!-- 0 -->" in svg
