"""Many claims at once: adjusted p-values by hand, and what verdicts make of them."""

import numpy as np
import pytest

from parasym.studies import Claim, Estimate, Line, Part, Summary, corrected, holm, plain
from parasym.studies.family import together


def claim(mean: float, half: float, n: int = 5) -> Claim:
    return Claim("x", "A", "<", "B", Estimate(mean, mean - half, mean + half, n))


def test_adjusted_by_hand():
    # 4 * 0.005, 3 * 0.01, 2 * 0.03, then 0.04 may not be less than what comes before it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []
    values = np.random.default_rng(0).uniform(size=30).tolist()
    assert all(adjusted >= p for adjusted, p in zip(holm(values), values, strict=True))
    assert min(holm(values)) <= 30 * min(values)


def test_what_holds_alone_may_not_hold_among_many():
    near = claim(-1.0, 0.95)
    assert near.verdict == "yes"
    among = corrected([near, *[claim(0.1, 1.0)] * 9])[0]
    assert (among.verdict, among.reason) == ("unsure", "one of many claims")
    assert corrected([claim(-1.0, 0.1), *[claim(0.1, 1.0)] * 9])[0].verdict == "yes"


def test_what_was_not_measured_is_no_test():
    found = corrected([claim(-1.0, 0.95), *[Claim("x", "A", "<", "B", None)] * 9])
    assert [one.verdict for one in found] == ["yes", *["unsure"] * 9]
    assert found[1].reason == "nothing measured"


def test_all_parts_of_a_summary_are_one_family():
    line = Line("A", 5, 0, ())
    parts = [Part(f"{k}", (), (line,), (claim(-1.0, 0.9),), ()) for k in range(10)]
    assert Summary("s", "S", "x", (parts[0],)).verdict == "yes"
    summary = Summary("s", "S", "x", tuple(parts))
    assert summary.verdict == "unsure"
    first = plain(summary)["parts"][0]["claims"][0]  # pyright: ignore[reportIndexIssue]
    assert first["adjusted"] == pytest.approx(10 * first["p"])
    assert first["reason"] == "one of many claims"


def test_one_that_does_not_hold_decides():
    nothing, good, bad = Claim("x", "A", "<", "B", None), claim(-1.0, 0.5), claim(1.0, 0.5)
    assert together((good, good)) == "yes"
    assert together((good, nothing)) == "unsure"
    assert together((good, nothing, bad)) == "no"
    assert together(()) == "unsure"
