"""Monotonicity and convexity: curves whose answer is known, and the wrong endpoint as a planted fault."""

import math
import random

import pytest

from parasym.core import BadInputError
from parasym.landscape import monotonicity, summarize

GRID = [i / 24 for i in range(25)]


def with_the_wrong_endpoint(losses: list[float]) -> float:
    """The published fault: the chord ends at the second grid point."""
    inside = range(1, len(losses) - 1)
    a = [i / (len(losses) - 1) for i in range(len(losses))]
    return sum(losses[i] <= (1 - a[i]) * losses[0] + a[i] * losses[1] for i in inside) / len(inside)


def test_a_concave_curve_is_nowhere_convex():
    concave = [2.3 - 2 * a**3 for a in GRID]
    found = monotonicity(concave)
    assert found.global_convexity == 0.0
    assert found.local_convexity == 0.0
    assert found.monotonic
    assert with_the_wrong_endpoint(concave) == 1.0, "the fault calls every decreasing curve convex"


def test_a_convex_curve():
    found = monotonicity([(1 - a) ** 2 for a in GRID])
    assert (found.local_convexity, found.global_convexity) == (1.0, 1.0)
    assert found.rise == pytest.approx(-((1 / 24) ** 2))


def test_a_curve_by_hand():
    found = monotonicity([4.0, 3.0, 3.5, 1.0, 0.0])
    # differences -1, 0.5, -2.5, -1; second differences 1.5, -3, 1.5; chord 3, 2, 1
    assert found.rise == 0.5
    assert not found.monotonic
    assert found.local_convexity == pytest.approx(2 / 3)
    assert found.global_convexity == pytest.approx(2 / 3)


def test_level_is_monotonic_and_convex_whatever_its_last_digits_are():
    noise = random.Random(0)
    for _ in range(20):
        found = monotonicity([0.7 * (1 + noise.uniform(-1e-7, 1e-7)) for _ in GRID])
        assert (found.monotonic, found.rise, found.local_convexity, found.global_convexity) == (True, 0.0, 1.0, 1.0)
    assert monotonicity([0.0, 0.0, 0.0]).global_convexity == 1.0
    assert not monotonicity([1.0, 1.0, 1.0 + 1e-5]).monotonic
    assert not monotonicity([1.0, 1.0, 1.0 + 1e-12], rounding=1e-13).monotonic
    assert monotonicity([1.0, 1.0 + 1e-5, 1.0]).global_convexity == 0.0


def test_diverged_curves_are_counted():
    found = summarize([[2.0, 1.0, 0.5], [math.nan] * 3, [1.0, 2.0, 3.0], [1.0, math.inf, 0.0]])
    assert (found.n, found.diverged, found.monotonic) == (2, 2, 0.5)
    assert found.rise[0] == pytest.approx((-0.5 + 1.0) / 2)
    assert found.rise[1] == pytest.approx(1.5 / math.sqrt(2))


def test_bad_input():
    with pytest.raises(BadInputError, match="three values"):
        monotonicity([1.0, 0.0])
    with pytest.raises(BadInputError, match="nan at place 1"):
        monotonicity([1.0, math.nan, 0.0])
    with pytest.raises(BadInputError, match="None of the 1 curves"):
        summarize([[math.nan] * 3])
