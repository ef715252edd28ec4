"""The faster way is chosen: where the clock is told what to say, and for real on both kinds of networks."""

import pytest
import torch

from parasym.population import TrainingPlan, choose, train_population
from tests.population.networks import data, perceptron

PLAN = TrainingPlan(epochs=2, batch=16, rate=1e-2)


@pytest.mark.parametrize(
    ("loop", "together", "name", "size"),
    [
        (1.0, {2: 0.5, 8: 1.0, 10: 1.0}, "vmap", 10),
        (1.0, {2: 0.5, 8: 1.0, 10: 3.0}, "vmap", 8),
        (1.0, {2: 0.5, 8: 9.0, 10: 12.0}, "loop", 1),
        (1.0, {2: 100.0}, "loop", 1),  # hopeless: nothing larger is tried
    ],
)
def test_the_fastest_is_chosen(loop, together, name, size, monkeypatch):
    monkeypatch.setattr(choose, "_try_alone", lambda *_: (loop, []))
    monkeypatch.setattr(choose, "_try_together", lambda _task, _state, n, _loop: together[n])
    way = train_population(perceptron, *data(), seeds=range(10), plan=PLAN).way
    assert (way.name, way.size) == (name, size)
    assert way.seconds["loop"] == loop


def test_small_networks_go_together_and_trials_leave_no_trace(monkeypatch):
    monkeypatch.setattr(choose, "LEAST", 60.0)  # a first call is slow on a busy machine
    x, y = data()
    plan = TrainingPlan(epochs=2, batch=4)
    found = train_population(perceptron, x, y, seeds=range(40), plan=plan)
    assert found.way.name == "vmap"
    again = train_population(perceptron, x, y, seeds=range(40), plan=plan, way=found.way)
    assert all(torch.equal(a[n], b[n]) for a, b in zip(found.params, again.params, strict=True) for n in a)
