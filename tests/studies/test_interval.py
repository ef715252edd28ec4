"""Intervals beside scipy's, beside published ones, and beside the share of samples they must cover."""

import math

import numpy as np
import pytest
from scipy import stats

from parasym.studies import Claim, Estimate, difference_interval, mean_interval, paired_interval, share_difference, share_interval
from parasym.studies.claim import together

A, B = [1.0, 1.5, 0.7, 1.1], [2.0, 2.9, 1.7, 2.2, 2.5]


def test_a_mean_as_scipy_has_it():
    found = mean_interval(A)
    low, high = stats.t.interval(0.95, 3, np.mean(A), stats.sem(A))
    assert (found.mean, found.low, found.high, found.n) == pytest.approx((np.mean(A), low, high, 4))


def test_a_difference_as_scipy_has_it():
    found = difference_interval(A, B)
    wanted = stats.ttest_ind(A, B, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    same = paired_interval(A, B[:4])
    wanted = stats.ttest_rel(A, B[:4]).confidence_interval()
    assert (same.low, same.high) == pytest.approx((wanted.low, wanted.high))


def test_shares_as_scipy_and_newcombe_have_them():
    found, wanted = share_interval(7, 20), stats.binomtest(7, 20).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    # Newcombe 1998, example (a), method 10: 56/70 - 48/80.
    assert [round(x, 4) for x in (share_difference((56, 70), (48, 80)).low, share_difference((56, 70), (48, 80)).high)] == [
        0.0524,
        0.3339,
    ]


def test_an_interval_covers_as_often_as_it_says_and_a_narrower_one_does_not():
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(2000, 5))
    inside = [mean_interval(list(row)).low < 0 < mean_interval(list(row)).high for row in samples]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)
    planted = [abs(row.mean()) < 1.96 * row.std(ddof=1) / math.sqrt(5) for row in samples]  # normal in place of Student
    assert np.mean(planted) < 0.92


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_values_that_are_not_finite_are_never_averaged(values: list[float]):
    with pytest.raises(ValueError, match="finite values"):
        mean_interval(values)


def test_one_value_has_no_interval_and_equal_ones_a_point():
    assert math.isinf(mean_interval([2.0]).high)
    assert difference_interval([1.0, 1.0], [2.0, 2.0]) == Estimate(-1, -1, -1, 2)
    assert math.isinf(difference_interval([1.0], [2.0, 3.0]).low)


@pytest.mark.parametrize(
    ("numbers", "below", "verdict", "words"),
    [
        ((-0.2, -0.3, -0.1), True, "yes", "holds"),
        ((-0.2, -0.5, 0.1), True, "unsure", "not settled"),
        ((0.2, -0.1, 0.5), True, "no", "does not hold"),
        ((0.0, 0.0, 0.0), True, "no", "does not hold"),
        ((-0.2, -0.3, -0.1), False, "no", "does not hold"),
        ((0.2, 0.1, 0.3), False, "yes", "holds"),
        ((-0.2, -math.inf, math.inf), True, "unsure", "not settled"),
    ],
)
def test_a_claim_goes_by_sign_and_interval(numbers: tuple[float, float, float], below: bool, verdict: str, words: str):
    claim = Claim("a < b", Estimate(*numbers, 5), below=below)
    assert (claim.verdict, claim.words) == (verdict, words)


def test_nothing_measured_is_not_settled_and_one_that_fails_decides():
    nothing, good = Claim("", None), Claim("", Estimate(-1, -2, -0.5, 5))
    bad = Claim("", Estimate(1, 0.5, 2, 5))
    assert nothing.verdict == "unsure"
    assert together((good, good)) == "yes"
    assert together((good, nothing)) == "unsure"
    assert together((good, nothing, bad)) == "no"
    assert together(()) == "unsure"


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((1.0, 0.5, 1.5), "1.000 [0.500, 1.500]"),
        ((0.00012, 0.0001, 0.00014), "0.000120 [0.000100, 0.000140]"),
        ((1e-9, -1e-9, 3e-9), "1.0e-09 [-1.0e-09, 3.0e-09]"),
        ((0.0, 0.0, 0.0), "0.000 [0.000, 0.000]"),
        ((2.0, -math.inf, math.inf), "2.000 (n = 5)"),
    ],
)
def test_a_small_number_is_not_printed_as_zero(numbers: tuple[float, float, float], text: str):
    assert str(Estimate(*numbers, 5)) == text
