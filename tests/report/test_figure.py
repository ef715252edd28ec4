"""What is drawn: a line is dashed if that was asked for, and the numbers in the middle are told in words."""

import numpy as np

from parasym.report.figure import Curve, correlation_figure, interpolation_figure


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
