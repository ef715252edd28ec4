"""Without an effect a claim is settled to either side by luck in at most 2.5 of 100 studies, whatever the interval."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from parasym.studies import (
    Claim,
    Estimate,
    corrected,
    difference_interval,
    mean_interval,
    mean_share,
    paired_interval,
    paired_share,
)

STUDIES = 2000
MOST = 0.025 + 3 * (0.025 * 0.975 / STUDIES) ** 0.5
Sample = Callable[[np.random.Generator, int], Estimate]


def student(rng: np.random.Generator, n: int) -> Estimate:
    return mean_interval(rng.normal(size=n).tolist())


def paired(rng: np.random.Generator, n: int) -> Estimate:
    common = 10 * rng.normal(size=n)
    return paired_interval(*((common + rng.normal(size=n)).tolist() for _ in range(2)))


def two_groups(rng: np.random.Generator, n: int) -> Estimate:
    return difference_interval(rng.normal(size=10).tolist(), (3 * rng.normal(size=n)).tolist())


def clusters(rng: np.random.Generator, n: int) -> Estimate:
    """Means of 20 networks per draw, of which each draw moves all."""
    a, b = ((rng.normal(size=(n, 1)) + rng.normal(size=(n, 20))).mean(1).tolist() for _ in range(2))
    return paired_interval(a, b)


def shares(rng: np.random.Generator, n: int) -> Estimate:
    a, b = ((rng.binomial(50, rng.beta(0.9, 0.1, n)) / 50).tolist() for _ in range(2))
    return paired_share(a, b)


def votes(rng: np.random.Generator, n: int) -> Estimate:
    """All networks of a draw are alike: shares are 0 or 1."""
    a, b = (rng.binomial(1, 0.5, n).astype(float).tolist() for _ in range(2))
    return paired_share(a, b)


def nearly_all(rng: np.random.Generator, n: int) -> Estimate:
    a, b = ((rng.binomial(50, 0.995, n) / 50).tolist() for _ in range(2))
    return paired_share(a, b)


def coins(rng: np.random.Generator, n: int) -> Estimate:
    """Differences of one size and either sign: by luck all are equal."""
    return mean_interval(rng.choice([-1.0, 1.0], n).tolist())


def rates(sample: Sample, n: int, judge: Callable[[Estimate], str] | None = None) -> tuple[float, float]:
    rng = np.random.default_rng(n)
    verdicts = [
        judge(found) if judge else Claim("x", "A", "<", "B", found).verdict for found in (sample(rng, n) for _ in range(STUDIES))
    ]
    return verdicts.count("yes") / STUDIES, verdicts.count("no") / STUDIES


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("sample", [student, paired, two_groups, clusters, shares, votes, nearly_all], ids=lambda f: f.__name__)
def test_no_effect_is_settled_by_luck_alone(sample: Sample, n: int):
    found = rates(sample, n)
    assert max(found) <= MOST
    if n < 3:
        assert found == (0, 0)


@pytest.mark.parametrize("n", [3, 5])
def test_equal_values_are_no_verdict_while_they_may_be_luck(n: int):
    assert max(rates(coins, n)) <= MOST
    without_width = rates(coins, n, lambda e: "no" if e.mean == 1 else "yes" if e.mean == -1 else "unsure")
    assert max(without_width) > 0.025, "planted fault: an interval of no width"
    assert Claim("x", "A", "<", "B", mean_interval([-1.0] * 6)).verdict == "yes"


def test_planted_a_rule_that_refutes_by_the_sign_alone_is_seen():
    def lopsided(found: Estimate) -> str:
        return "no" if found.mean >= 0 else "yes" if found.high < 0 else "unsure"

    held, refuted = rates(student, 5, lopsided)
    assert held <= MOST
    assert refuted > 0.45


def test_planted_networks_of_one_draw_are_not_as_many_draws():
    def as_if_independent(rng: np.random.Generator, n: int) -> Estimate:
        a, b = ((rng.normal(size=(n, 1)) + rng.normal(size=(n, 20))).ravel().tolist() for _ in range(2))
        return paired_interval(a, b)

    assert max(rates(as_if_independent, 5)) > 0.2


@pytest.mark.parametrize("interval", [mean_interval, mean_share], ids=lambda f: f.__name__)
def test_what_is_there_is_found(interval: Callable[[Sequence[float]], Estimate]):
    assert Claim("x", "A", ">", 0.0, interval([0.8, 0.82, 0.79, 0.81])).verdict == "yes"


def test_exchanged_sides_exchange_the_verdicts():
    rng, words = np.random.default_rng(0), {"yes": "no", "no": "yes", "unsure": "unsure"}
    seen = set()
    for shift in np.linspace(-2, 2, 60):
        a, b = rng.normal(size=4).tolist(), (shift + rng.normal(size=4)).tolist()
        one, other = (Claim("x", "A", "<", "B", found) for found in (paired_interval(a, b), paired_interval(b, a)))
        assert other.verdict == words[one.verdict]
        assert Claim("x", "A", ">", "B", one.ours).verdict == words[one.verdict]
        seen.add(one.verdict)
    assert seen == {"yes", "no", "unsure"}


def equivalences(true: float, margin: float = 1.0) -> tuple[float, float]:
    def sample(rng: np.random.Generator, n: int) -> Estimate:
        return mean_interval((true + 0.5 * rng.normal(size=n)).tolist())

    return rates(sample, 5, lambda e: Claim("x", "A", "=", "B", e, margin=margin).verdict)


def test_equivalence_is_two_one_sided_tests():
    held, refuted = equivalences(1.0)
    assert held <= 0.05 + 3 * (0.05 * 0.95 / STUDIES) ** 0.5
    assert held > 0.03, "the test uses its size"
    assert refuted <= MOST
    assert equivalences(0.0)[0] > 0.8
    assert equivalences(0.0)[1] == 0
    assert equivalences(2.5)[1] > 0.9
    assert equivalences(0.0, margin=0.1)[0] == 0, "what five values cannot show is not shown"


def family(rng: np.random.Generator) -> tuple[Claim, ...]:
    return tuple(Claim("x", f"{k}", "<", "B", student(rng, 5)) for k in range(20))


def test_of_many_claims_none_is_settled_by_luck():
    rng, studies = np.random.default_rng(0), 400
    families = [family(rng) for _ in range(studies)]
    wrong = np.mean([any(claim.verdict != "unsure" for claim in corrected(claims)) for claims in families])
    assert wrong <= 0.05 + 3 * (0.05 * 0.95 / studies) ** 0.5
    assert np.mean([any(claim.verdict != "unsure" for claim in claims) for claims in families]) > 0.5, "planted: no correction"
