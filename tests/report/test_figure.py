"""What is drawn: a line is dashed if that was asked for, and the numbers in the middle are told in words."""

import base64
import io
import re
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.image import imread

from parasym.report.figure import GRID, STYLE, Curve, correlation_figure, fields_figure, interpolation_figure
from parasym.report.hop import orbit_figure, runs_figure


def pictures(svg: str) -> list[np.ndarray]:
    """Return the colors, of shape ``[height, width, 3]`` with entries up to 255, of the images in a figure."""
    found = re.findall(r"data:image/png;base64,([^\"]*)", svg)
    return [np.rint(255 * imread(io.BytesIO(base64.b64decode("".join(data.split()))))[..., :3]) for data in found]


def colors(*shares: float) -> list[tuple[int, ...]]:
    """Return those of the map, for shares of its length."""
    return [tuple(round(255 * part) for part in mpl.colormaps["RdBu_r"](share)[:3]) for share in shares]


def test_lines_are_dashed_if_asked_for() -> None:
    points = np.linspace(0, 1, 5)
    losses, accuracies = [points * 0 + 0.25, points * 0 + 0.75], [points * 0 + 0.5]
    plain = interpolation_figure([Curve("naive", "#335577", points, losses, accuracies)], title="two")
    dashed = interpolation_figure([Curve("naive", "#335577", points, losses, accuracies, dashed=True)], title="two")
    assert "stroke-dasharray" not in plain.svg
    assert "stroke-dasharray" in dashed.svg
    assert plain.alt.endswith("At the midpoint, naive: 0.5 loss, 50.0 % accuracy.")


def test_colors_of_correlations_are_explained() -> None:
    matrix = np.eye(3)
    figure = correlation_figure([("before", matrix), ("after", -matrix)], alt="two matrices", caption="units")
    assert (figure.alt, figure.caption) == ("two matrices", "units")
    assert [word in figure.svg for word in ("before", "after", "correlation", "unit of network A", "unit of network B")] == [
        True
    ] * 5


def test_correlations_have_one_scale_from_minus_one_to_one() -> None:
    low, middle, high = colors(0.0, 0.5, 1.0)
    first, second, bar = pictures(correlation_figure([("a", np.full((2, 2), 0.0)), ("b", np.diag([1.0, -1]))], alt="").svg)
    assert {tuple(c) for c in first.reshape(-1, 3)} == {middle}
    assert {tuple(c) for c in second.reshape(-1, 3)} == {low, middle, high}
    assert {tuple(bar[0, 0]), tuple(bar[-1, 0])} == {low, high}


def test_correlations_are_labelled_on_the_left_and_have_no_grid() -> None:
    svg = correlation_figure([("before", np.eye(3)), ("after", np.eye(3))], alt="").svg
    assert svg.index('id="axes_1"') < svg.index("unit of network A") < svg.index('id="axes_2"')
    assert svg.count("unit of network B") == 2
    assert GRID not in svg
    assert "unit of network A" in correlation_figure([("alone", np.eye(3))], alt="").svg


def test_fields_have_one_scale_and_nothing_around() -> None:
    low, middle, high = colors(0.0, 0.5, 1.0)
    fields = np.array([[[1.0, 0.0]], [[0.0, -1.0]]])
    figure = fields_figure([("first", fields), ("second", 0 * fields)], alt="weights", caption="units")
    assert (figure.alt, figure.caption) == ("weights", "units")
    drawn = [{tuple(c) for c in picture.reshape(-1, 3)} for picture in pictures(figure.svg)]
    assert drawn == [{middle, high}, {low, middle}, {middle}, {middle}]
    assert GRID not in figure.svg
    assert STYLE["axes.edgecolor"] not in figure.svg
    assert figure.svg.index("first") < figure.svg.index("second")
    assert len(pictures(fields_figure([("alone", fields[:1])], alt="").svg)) == 1


def test_figures_of_a_page_are_equally_wide() -> None:
    points, fields = np.linspace(0, 1, 5), np.ones((4, 2, 2))
    hop: Any = SimpleNamespace(before=1.0, after=0.5, moved=True)
    figures = [
        (2.9, interpolation_figure([Curve("naive", "#335577", points, [points], [points])], title="two")),
        (7.4 / 7.2 + 0.1, fields_figure([("a", fields)], alt="")),
        (2 * 7.4 / 7.2 + 0.1, fields_figure([("a", fields), ("b", fields)], alt="")),
        (3.5, correlation_figure([("a", np.eye(2))], alt="")),
        (2.7, orbit_figure(np.array([1.0, 0.5, 0.25]), hop)),
        (2.9, runs_figure({"hops": np.array([[1.0, 0.5]])})),
    ]
    for height, figure in figures:
        found = [float(number) for number in re.findall(r'(?:width|height)="([\d.]+)pt"', figure.svg)[:2]]
        assert sorted(found) == pytest.approx(sorted([72 * 7.4, 72 * height]), abs=1e-3)


def test_axes_have_their_words_and_names_with_dollars_are_names() -> None:
    points = np.linspace(0, 1, 5)
    svg = interpolation_figure([Curve("$a_1$", "#335577", points, [points], [points])], title="two").svg
    assert svg.count("<!-- share of network B -->") == 2
    assert "DejaVuSans-24" in svg, "the glyph of a dollar"
