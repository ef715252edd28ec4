"""Training many networks at once gives what training each alone gives."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from parasym.core import BadInputError, child_generator, child_seed
from parasym.population import TrainingPlan, train_population

PLAN = TrainingPlan(epochs=3, batch=16, rate=1e-2, decay=0.1)


def data() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 5, generator=generator)
    return x, (x[:, 0] > x[:, 1]).long() + (x[:, 2] > 1).long()


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3))


def normalized() -> nn.Module:
    # No bias: its gradient before a normalization is rounding error, which Adam blows up.
    return nn.Sequential(nn.Linear(5, 7, bias=False), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 3))


def alone(factory: Callable[[], nn.Module], seed: int) -> nn.Module:
    """One network, trained by the plainest loop there is."""
    x, y = data()
    torch.manual_seed(child_seed(seed, "initial weights"))
    model = factory()
    optimizer = torch.optim.AdamW(model.parameters(), lr=PLAN.rate, weight_decay=PLAN.decay)
    order, step, steps = child_generator(seed, "order"), 0, PLAN.epochs * math.ceil(len(x) / PLAN.batch)
    for _ in range(PLAN.epochs):
        for index in torch.randperm(len(x), generator=order).split(PLAN.batch):
            for group in optimizer.param_groups:
                group["lr"] = PLAN.rate * 0.5 * (1 + math.cos(math.pi * step / steps))
            optimizer.zero_grad()
            cross_entropy(model(x[index]), y[index]).backward()
            optimizer.step()
            step += 1
    return model


@pytest.mark.parametrize("factory", [perceptron, normalized])
def test_together_is_each_alone(factory: Callable[[], nn.Module]) -> None:
    x, y = data()
    found = train_population(factory, x, y, seeds=(3, 8), plan=PLAN).params
    for seed, params in zip((3, 8), found, strict=True):
        for name, value in alone(factory, seed).named_parameters():
            torch.testing.assert_close(params[name], value.detach(), rtol=1e-4, atol=1e-5)


def test_running_statistics_are_those_of_the_training_set() -> None:
    x, y = data()
    (params,) = train_population(normalized, x, y, seeds=(0,), plan=PLAN).params
    hidden = x @ params["0.weight"].T
    torch.testing.assert_close(params["1.running_mean"], hidden.mean(dim=0))
    torch.testing.assert_close(params["1.running_var"], hidden.var(dim=0))


def test_seeds_differ_and_repeat() -> None:
    x, y = data()
    a, b = train_population(perceptron, x, y, seeds=(0, 1), plan=PLAN).params
    (again,) = train_population(perceptron, x, y, seeds=(1,), plan=PLAN).params
    assert not torch.allclose(a["0.weight"], b["0.weight"])
    torch.testing.assert_close(again["0.weight"], b["0.weight"], rtol=1e-4, atol=1e-5)


def test_the_global_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    train_population(perceptron, *data(), seeds=(0,), plan=PLAN)
    assert torch.equal(before, torch.random.get_rng_state())


def test_every_epoch_is_told() -> None:
    told: list[int] = []
    train_population(perceptron, *data(), seeds=(0,), plan=PLAN, advance=told.append)
    assert told == [1, 1, 1]


@pytest.mark.parametrize("seeds", [(), (1, 1)])
def test_seeds_must_be_different(seeds: tuple[int, ...]) -> None:
    with pytest.raises(BadInputError, match="must be different numbers"):
        train_population(perceptron, *data(), seeds=seeds, plan=PLAN)
