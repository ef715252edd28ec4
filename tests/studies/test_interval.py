"""Intervals beside scipy's, beside published ones, and beside the share of samples they must cover."""

import math
from typing import Literal

import numpy as np
import pytest
from scipy import stats

from parasym.studies import Claim, Estimate, difference_interval, mean_interval, paired_interval

A, B = [1.0, 1.5, 0.7, 1.1], [2.0, 2.9, 1.7, 2.2, 2.5]


def test_a_mean_as_scipy_has_it():
    found = mean_interval(A)
    low, high = stats.t.interval(0.95, 3, np.mean(A), stats.sem(A))
    assert (found.mean, found.low, found.high, found.n) == pytest.approx((np.mean(A), low, high, 4))


def test_a_difference_as_scipy_has_it_but_for_its_freedom():
    found, statistic = difference_interval(A, B), np.asarray(stats.ttest_ind(A, B, equal_var=False))[0]
    assert found.p_value() == pytest.approx(2 * stats.t.sf(abs(statistic), len(A) - 1))
    same = paired_interval(A, B[:4])
    wanted = stats.ttest_rel(A, B[:4])
    assert (same.low, same.high) == pytest.approx((wanted.confidence_interval().low, wanted.confidence_interval().high))
    assert same.p_value() == pytest.approx(wanted.pvalue)


def test_a_p_value_and_its_interval_say_the_same():
    found = mean_interval(A)
    assert found.p_value(0.3) == pytest.approx(stats.ttest_1samp(A, 0.3)[1])
    assert found.p_value(found.low) == found.p_value(found.high) == pytest.approx(0.05)
    narrow = found.at_level(0.9)
    low, high = stats.t.interval(0.9, 3, np.mean(A), stats.sem(A))
    assert (narrow.low, narrow.high) == pytest.approx((low, high))
    assert str(found.minus(1.0)) == "0.075 [-0.451, 0.601]"


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


def test_one_value_has_no_interval_and_a_few_equal_ones_have_none():
    assert math.isinf(mean_interval([2.0]).high)
    assert math.isinf(difference_interval([1.0, 1.0], [2.0, 2.0]).high)
    assert difference_interval([1.0] * 6, [2.0] * 7) == Estimate(-1, -1, -1, 6)
    assert mean_interval([1.0 - 0.9] * 3 + [0.5 - 0.4] * 3).p_value() == 2**-5
    assert math.isinf(difference_interval([1.0], [2.0, 3.0]).low)


@pytest.mark.parametrize(
    ("numbers", "sense", "words"),
    [
        ((-0.2, -0.3, -0.1), "<", "holds"),
        ((-0.2, -0.4, 0.0), "<", "holds"),
        ((-0.2, -0.5, 0.1), "<", "not settled"),
        ((0.2, -0.1, 0.5), "<", "not settled"),
        ((0.2, 0.0, 0.4), "<", "does not hold"),
        ((0.3, 0.1, 0.5), "<", "does not hold"),
        ((0.0, 0.0, 0.0), "<", "not settled"),
        ((-0.2, -0.3, -0.1), ">", "does not hold"),
        ((0.2, 0.1, 0.3), ">", "holds"),
        ((-0.2, -math.inf, math.inf), "<", "not settled"),
    ],
)
def test_a_claim_goes_by_its_whole_interval(numbers: tuple[float, float, float], sense: Literal["<", ">"], words: str):
    assert Claim("x", "a", sense, "b", Estimate(*numbers, 5)).words == words


@pytest.mark.parametrize(
    ("numbers", "margin", "words", "reason"),
    [
        ((0.01, -0.03, 0.05), 0.05, "holds", ""),
        ((0.01, -0.041, 0.061), 0.05, "holds", ""),  # the 90 % interval reaches 0.049
        ((0.01, -0.045, 0.065), 0.05, "not settled", "both are possible"),
        ((0.2, 0.06, 0.34), 0.05, "does not hold", ""),
        ((-0.2, -0.34, -0.06), 0.05, "does not hold", ""),
        ((0.2, 0.04, 0.36), 0.05, "not settled", "both are possible"),  # above 0, but not beyond the margin
        ((0.0, -0.01, 0.01), None, "not settled", "no margin, since what it is a share of may be 0"),
    ],
)
def test_equivalence_goes_by_its_margin(numbers: tuple[float, float, float], margin: float | None, words: str, reason: str):
    claim = Claim("x", "a", "=", 0.0, Estimate(*numbers, 5), margin=margin)
    assert (claim.words, claim.reason) == (words, reason)


def test_the_sentence_is_that_of_the_statistic():
    some = Estimate(-0.3, -0.4, -0.2, 5)
    assert Claim("barrier", "W", "<", "standard", some, unit="nats").text == "barrier: W < standard"
    assert Claim("share monotonic", "W", ">", 0.99, some, control=True).text == "control, share monotonic: W > 0.99"
    assert Claim("barrier", "W, constants of 0", "<", "standard", some).text == "barrier: W (constants of 0) < standard"
    assert Claim("slope", "W", "<", 0.0, some, unit="nats").text == "slope: W < 0 nats"
    assert Claim("barrier", "W", "=", 0.0, some, margin=0.05, unit="nats").text == "barrier: W = 0 within ±0.05 nats"
    assert Claim("barrier", "W", "=", "anchor", some).text == "barrier: W = anchor within a margin"


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
