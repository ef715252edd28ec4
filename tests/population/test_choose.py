"""The faster way is chosen: where the clock is told what to say, and for real on both kinds of networks."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from parasym.population import TrainingPlan, train_population
from parasym.population.choose import LEAST, SHARE, TURNS, Trial, fastest
from parasym.population.gradient import Gradients
from parasym.population.value import Way
from tests.population.networks import data, perceptron

COLD = 10.0
STEPS = 10**6  # so long a training that trials may take what they want


def told(size: int, *seconds: float) -> Trial:
    """A trial whose steps take so long per network; the last number counts for ever."""

    def forever() -> Iterator[float]:
        yield from seconds[:-1]
        while True:
            yield seconds[-1]

    each = forever()
    return Trial("loop" if size == 1 else f"vmap of {size}", size, lambda: size * next(each))


def way_of(loop: Trial, together: dict[int, Trial], *, steps: int = STEPS) -> Way:
    loop.take()
    together[2].take()
    return fastest(loop, together[2], [size for size in together if size > 2], together.__getitem__, steps)


@pytest.mark.parametrize(
    ("together", "size"),
    [
        ({2: 0.5, 8: 0.2, 10: 0.1}, 10),
        ({2: 0.5, 8: 0.2, 10: 0.3}, 8),
        ({2: 1.5, 8: 1.1, 10: 1.2}, 1),
        ({2: 0.5, 8: 0.6, 10: 1.2}, 2),
        ({2: 0.5, 8: 0.2, 10: 0.19}, 10),
        ({2: 0.5, 8: 0.2, 10: 0.195}, 8),  # a tie
        ({2: 1.5, 8: 1.1, 10: 0.9}, 10),  # not promising at first, but there is time
    ],
)
def test_the_fastest_is_chosen(together: dict[int, float], size: int) -> None:
    way = way_of(told(1, COLD, 1.0), {n: told(n, COLD, s) for n, s in together.items()})
    assert (way.name, way.size) == (("vmap", size) if size > 1 else ("loop", 1))
    assert way.seconds == {"loop": 1.0, **{f"vmap of {n}": s for n, s in together.items()}}


def test_a_disturbance_is_outlived() -> None:
    trials = {2: told(2, COLD, 0.5), 8: told(8, COLD, 0.3), 10: told(10, COLD, 0.4, 0.35, 0.1)}
    assert way_of(told(1, COLD, 1.0), trials).size == 10
    assert trials[10].turns == TURNS
    far_off = {2: told(2, COLD, 0.5), 8: told(8, COLD, 0.3), 10: told(10, COLD, 5.0, 0.1)}
    assert way_of(told(1, COLD, 1.0), far_off).size == 8, "what is far off is given up"


def test_trials_take_a_small_share() -> None:
    loop, trials = told(1, 1.0), {2: told(2, 2.0), 8: told(8, 2.0)}
    way = way_of(loop, trials, steps=200)
    assert (way.name, trials[8].turns) == ("loop", 0)
    assert loop.spent + trials[2].spent <= SHARE * 200 + 5.0, "one turn more at most"
    assert way.seconds == {"loop": 1.0, "vmap of 2": 2.0}
    for steps in (200, STEPS):
        quick, slow = told(1, LEAST / 1e3), {2: told(2, LEAST / 500), 8: told(8, LEAST / 500)}
        way_of(quick, slow, steps=steps)
        assert slow[8].turns == 2, "so little counts for nothing"


@pytest.mark.parametrize(("clock", "name"), [(time.thread_time, "vmap"), (time.perf_counter, "loop")])
def test_other_work_on_the_machine_does_not_count(clock: Callable[[], float], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To this thread a process that takes the processor away is a sleep; a clock on the wall would be misled."""
    together = Gradients.together

    def disturbed(*args: Any) -> Tensor:
        time.sleep(0.03)
        return together(*args)

    monkeypatch.setattr(Gradients, "together", disturbed)
    monkeypatch.setattr(time, "thread_time", clock)
    assert train_population(perceptron, *data(), seeds=range(10), plan=TrainingPlan(epochs=2, batch=16)).way.name == name


def test_small_networks_go_together_and_trials_leave_no_trace() -> None:
    x, y = data()
    plan = TrainingPlan(epochs=2, batch=4)
    found = train_population(perceptron, x, y, seeds=range(40), plan=plan)
    assert found.way.name == "vmap"
    again = train_population(perceptron, x, y, seeds=range(40), plan=plan, way=found.way)
    assert all(torch.equal(a[n], b[n]) for a, b in zip(found.params, again.params, strict=True) for n in a)
