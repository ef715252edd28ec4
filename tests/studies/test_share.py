"""Shares of networks, beside published intervals, and over draws of what networks have in common."""

import pytest
from scipy import stats

from parasym.studies import (
    cautious_share,
    mean_interval,
    mean_share,
    paired_interval,
    paired_share,
    share_difference,
    share_interval,
)


def test_shares_as_scipy_and_newcombe_have_them():
    found, wanted = share_interval(7, 20), stats.binomtest(7, 20).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    # Newcombe 1998, example (a), method 10: 56/70 - 48/80.
    newcombe = share_difference((56, 70), (48, 80))
    assert [round(x, 4) for x in (newcombe.low, newcombe.high)] == [0.0524, 0.3339]


def test_draws_are_the_units():
    some = [0.9, 0.94, 0.86, 0.92]
    assert mean_share(some) == mean_interval(some)
    assert paired_share(some, [0.5, 0.4, 0.45, 0.5]) == paired_interval(some, [0.5, 0.4, 0.45, 0.5])


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_that_never_varies_has_the_width_of_as_many_votes(share: float):
    found = mean_share([share] * 5)
    assert (found.low, found.high) == (share_interval(5 * share, 5).low, share_interval(5 * share, 5).high)
    assert found.high - found.low > 0.4
    both = paired_share([share] * 5, [share] * 5)
    assert both.mean == 0
    assert both.low < -0.4 < 0.4 < both.high


def test_many_draws_that_all_differ_by_nothing_leave_a_width():
    both = paired_share([1.0] * 8, [1.0] * 8)
    assert both.low < -0.3 < 0.3 < both.high
    assert paired_share([1.0] * 8, [0.0] * 8).low > 0


def test_the_p_value_of_a_lopsided_interval_is_that_of_the_end_it_faces():
    found = share_interval(9, 10)
    assert found.p_value(found.low) == pytest.approx(0.05)
    assert found.p_value(found.high) == pytest.approx(0.05)
    assert found.p_value(0.5) < 0.05 < found.p_value(0.7)


def test_a_constant_difference_that_rounding_varies_is_constant():
    found = paired_share([1.0, 0.5, 0.3], [0.98, 0.48, 0.28])
    assert found.low < 0 < found.high


def test_few_draws_never_show_that_nearly_all_networks_are_alike_and_one_failure_does_not_help():
    perfect, one_failed = cautious_share([1.0] * 10), cautious_share([1.0] * 9 + [0.98])
    assert perfect.low < 0.99
    assert one_failed.low <= perfect.low
    assert cautious_share([1.0] * 400).low > 0.99
    many_fail = [0.8, 0.82, 0.78, 0.81, 0.79, 0.8, 0.8, 0.83, 0.77, 0.8]
    assert cautious_share(many_fail).high == mean_share(many_fail).high < 0.99
    mirrored = cautious_share([1 - share for share in many_fail])
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((cautious_share(many_fail).low, cautious_share(many_fail).high))
