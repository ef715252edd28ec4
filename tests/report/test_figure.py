"""What is drawn: a line is dashed if that was asked for, and the numbers in the middle are told in words."""

import numpy as np

from parasym.report.figure import Curve, interpolation_figure


def test_lines_are_dashed_if_asked_for() -> None:
    points = np.linspace(0, 1, 5)
    losses, accuracies = [points * 0 + 0.25, points * 0 + 0.75], [points * 0 + 0.5]
    plain = interpolation_figure([Curve("naive", "#335577", points, losses, accuracies)], title="two")
    dashed = interpolation_figure([Curve("naive", "#335577", points, losses, accuracies, dashed=True)], title="two")
    assert "stroke-dasharray" not in plain.svg
    assert "stroke-dasharray" in dashed.svg
    assert plain.alt.endswith("At the midpoint, naive: 0.5 loss, 50.0 % accuracy.")
