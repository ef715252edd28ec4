"""Rates by hand, and plans that make no sense."""

import pytest

from parasym.core import BadInputError
from parasym.population import TrainingPlan
from parasym.population.plan import epoch_rates, rate_factor


@pytest.mark.parametrize(
    ("schedule", "warm_up", "factors"),
    [
        ("constant", 0, (1, 1, 1, 1, 1, 1)),
        ("constant", 2, (0.25, 0.5, 0.75, 1, 1, 1)),
        ("constant", 0.75, (2 / 3, 1, 1, 1, 1, 1)),
        ("linear", 0, (1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6)),
        ("triangular", 1, (0.5, 1, 1, 0.75, 0.5, 0.25)),
        ("cosine", 0, (1, 0.9330127, 0.75, 0.5, 0.25, 0.0669873)),
        ("exponential", 2, (0.01, 0.01, 0.1, 0.1, 1, 1)),
    ],
)
def test_factors(schedule, warm_up, factors):
    plan = TrainingPlan(epochs=3, schedule=schedule, warm_up=warm_up)
    assert [rate_factor(plan, k, 2) for k in range(6)] == pytest.approx(factors)


def test_rates_of_an_epoch():
    plans = [TrainingPlan(epochs=2, rate=1.0, schedule="linear"), TrainingPlan(epochs=4, rate=8.0, schedule="linear")]
    assert epoch_rates(plans, 1, 2).tolist() == [[0.5, 6.0], [0.25, 5.0]]


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0}, {"batch": 0}, {"rate": 0.0}, {"rate": float("nan")}, {"decay": -1.0}, {"momentum": 1.0},
        {"nesterov": True}, {"warm_up": 31}, {"start": 0.0}, {"smoothing": 1.0}, {"schedule": "step"}, {"optimizer": "lion"},
        {"precision": "int8"},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_fields_are_named(wrong):
    with pytest.raises(BadInputError, match=f"Field `{next(iter(wrong))}`"):
        TrainingPlan(**wrong)
