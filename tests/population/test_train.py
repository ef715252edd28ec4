"""Training many networks at once gives what training each alone gives."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from parasym.core import BadInputError, Params
from parasym.population import FullBatch, TrainingPlan, Way, train_population
from tests.population.networks import Counting, GraphNet, alone, data, dropping, masked, normalized, perceptron

PLAN = TrainingPlan(epochs=3, batch=16, rate=1e-2, decay=0.1)
WAYS: tuple[Literal["vmap", "loop"], ...] = ("vmap", "loop")


def close(params: Params, model: nn.Module) -> None:
    for name, value in model.named_parameters():
        torch.testing.assert_close(params[name], value.detach(), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("factory", [perceptron, normalized, masked])
def test_together_is_each_alone(factory: Callable[[], nn.Module], way: Literal["vmap", "loop"]) -> None:
    found = train_population(factory, *data(), seeds=(3, 8), plan=PLAN, way=way)
    assert found.way.name == way
    for seed, params in zip((3, 8), found.params, strict=True):
        close(params, alone(factory, seed, PLAN, *data()))


def test_a_wrong_loop_would_be_seen() -> None:
    found = train_population(perceptron, *data(), seeds=(3,), plan=PLAN)
    for wrong in (replace(PLAN, decay=0.2), replace(PLAN, rate=1.01e-2), replace(PLAN, schedule="constant")):
        with pytest.raises(AssertionError):
            close(found.params[0], alone(perceptron, 3, wrong, *data()))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "common",
    [
        {"optimizer": "adamw"},
        {"optimizer": "adam", "schedule": "constant", "warm_up": 1.5},
        {"optimizer": "sgd", "momentum": 0.9, "nesterov": True, "schedule": "triangular", "warm_up": 1},
        {"optimizer": "sgd", "momentum": 0.9, "schedule": "exponential", "warm_up": 2},
        {"optimizer": "sgd", "schedule": "linear"},
    ],
    ids=str,
)
def test_a_plan_for_each(common: dict, way: Literal["vmap", "loop"]) -> None:
    plans = [
        TrainingPlan(batch=16, epochs=3, rate=1e-2, decay=0.1, **common),
        TrainingPlan(batch=16, epochs=2, rate=3e-2, decay=0.0, smoothing=0.2, **common),
        TrainingPlan(batch=16, epochs=4, rate=2e-3, decay=0.3, smoothing=0.1, **common),
    ]
    found = train_population(perceptron, *data(), seeds=(0, 1, 2), plan=plans, way=way)
    for seed, params, plan in zip((0, 1, 2), found.params, plans, strict=True):
        close(params, alone(perceptron, seed, plan, *data()))
        assert len(found.losses(seed)) == plan.epochs, "who has finished stands still"


@pytest.mark.parametrize("factory", [perceptron, normalized, masked, dropping])
def test_neighbours_do_not_matter(factory: Callable[[], nn.Module]) -> None:
    many = train_population(factory, *data(), seeds=(5, 1, 2, 3), plan=PLAN)
    few = train_population(factory, *data(), seeds=(3, 1), plan=PLAN)
    for k, j in ((3, 0), (1, 1)):
        for name, value in many.params[k].items():
            torch.testing.assert_close(value, few.params[j][name], rtol=1e-4, atol=2e-5)
        assert many.losses(few.seeds[j]) == pytest.approx(few.losses(few.seeds[j]), rel=1e-4)
    assert many.losses(5) != many.losses(1)


def test_running_statistics_are_those_of_the_training_set() -> None:
    x, y = data()
    (params,) = train_population(normalized, x, y, seeds=(0,), plan=PLAN).params
    hidden = x @ params["0.weight"].T
    torch.testing.assert_close(params["1.running_mean"], hidden.mean(dim=0))
    torch.testing.assert_close(params["1.running_var"], hidden.var(dim=0))


def test_initial_and_history() -> None:
    x, y = data()
    found = train_population(perceptron, x, y, seeds=(0, 1), plan=PLAN)
    assert not torch.allclose(found.initial[0]["0.weight"], found.initial[1]["0.weight"])
    assert [(r.seed, r.epoch) for r in found.history] == [(s, e) for e in range(3) for s in (0, 1)]
    whole = torch.func.functional_call(perceptron(), found.initial[0], (x,))
    first = train_population(perceptron, x, y, seeds=(0,), plan=replace(PLAN, epochs=1, batch=60))
    assert first.losses(0)[0] == pytest.approx(float(nn.functional.cross_entropy(whole, y)), rel=1e-5)
    assert first.history[0].rate == pytest.approx(PLAN.rate)
    assert found.losses(1)[-1] < found.losses(1)[0]


def test_frozen_and_tied_parameters() -> None:
    def tied() -> nn.Module:
        model: Any = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 5), nn.Linear(5, 3))
        model[2].weight = model[0].weight
        model[3].bias.requires_grad_(False)
        return model

    for way in WAYS:
        found = train_population(tied, *data(), seeds=(0, 1), plan=PLAN, way=way)
        for k, params in enumerate(found.params):
            assert torch.equal(params["0.weight"], params["2.weight"])
            assert torch.equal(params["3.bias"], found.initial[k]["3.bias"])
            close(params, alone(tied, k, PLAN, *data()))


def test_masks_are_kept_once_and_frozen_entries_stay() -> None:
    found = train_population(masked, *data(), seeds=(0, 1), plan=PLAN, way="vmap")
    model = masked()
    model.load_state_dict(found.params[1])
    layer: Any = model[0]
    mask = layer.parametrizations.weight[0]
    assert torch.equal(layer.weight[mask.mask], mask.constant[mask.mask])
    assert torch.equal(found.params[0]["0.parametrizations.weight.0.mask"], found.params[1]["0.parametrizations.weight.0.mask"])


def test_what_vmap_cannot_do_is_done_in_a_loop_and_said() -> None:
    drop = train_population(dropping, *data(), seeds=(0, 1), plan=PLAN)
    assert drop.way.name == "loop"
    assert "random" in drop.way.reason
    count = train_population(Counting, *data(), seeds=(0, 1), plan=PLAN)
    assert count.way.reason == "the forward pass changes the buffer `calls`"
    assert [float(p["calls"]) for p in count.params] == [12.0, 12.0]
    with pytest.raises(BadInputError, match="changes the buffer"):
        train_population(Counting, *data(), seeds=(0, 1), plan=PLAN, way="vmap")


def test_a_way_of_before_is_followed() -> None:
    one = train_population(perceptron, *data(), seeds=(0, 1, 2), plan=PLAN)
    assert {"loop", "vmap of 3"} <= set(one.way.seconds)
    two = train_population(perceptron, *data(), seeds=(0, 1, 2), plan=PLAN, way=one.way)
    assert all(torch.equal(a[n], b[n]) for a, b in zip(one.params, two.params, strict=True) for n in a)
    parts = train_population(perceptron, *data(), seeds=(0, 1, 2), plan=PLAN, way=Way("vmap", 2, {}, "two at once"))
    for a, b in zip(one.params, parts.params, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("way", WAYS)
def test_a_graph_is_one_full_batch(way: Literal["vmap", "loop"]) -> None:
    generator = torch.Generator().manual_seed(0)
    x, edges = torch.randn(12, 4, generator=generator), torch.randint(12, (2, 30), generator=generator)
    y, train = torch.randint(3, (12,), generator=generator), torch.arange(8)
    plan = TrainingPlan(epochs=5, rate=1e-2, optimizer="adam", decay=0.0, schedule="constant", warm_up=2)
    found = train_population(GraphNet, FullBatch((x, edges), rows=train), y[train], seeds=(0, 1), plan=plan, way=way)
    model = GraphNet()
    model.load_state_dict(found.initial[1])
    optimizer = torch.optim.Adam(model.parameters())
    for rate in (5e-3, 1e-2, 1e-2, 1e-2, 1e-2):
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x, edges)[train], y[train]).backward()
        optimizer.step()
    close(found.params[1], model)


def test_several_inputs_and_another_loss() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(5))

        def forward(self, x: Tensor, z: Tensor) -> Tensor:
            return (x * self.scale).sum(dim=1) + z

    x, _ = data()
    z = x[:, 0] * 2
    y = x.sum(dim=1) + z + x[:, 1]
    plan = TrainingPlan(epochs=80, batch=20, rate=0.1, decay=0.0)
    for way in WAYS:
        found = train_population(Two, (x, z), y, seeds=(0, 1), plan=plan, loss=mse_loss, way=way)
        torch.testing.assert_close(found.params[0]["scale"], torch.tensor([1.0, 2.0, 1.0, 1.0, 1.0]), atol=1e-2, rtol=0)


@pytest.mark.parametrize("way", WAYS)
def test_diverged_networks_are_counted(way: Literal["vmap", "loop"]) -> None:
    wild = replace(PLAN, rate=1e30, optimizer="sgd", decay=1.0)
    tame = replace(wild, rate=1e-2)
    found = train_population(perceptron, *data(), seeds=(0, 1, 2), plan=[tame, wild, tame], way=way)
    assert found.diverged == (False, True, False)
    assert found.num_diverged == 1
    assert len(found.losses(1)) < 3
    assert math.isnan(found.losses(1)[-1]) or math.isinf(found.losses(1)[-1])
    assert [r.seed for r in found.history if not r.finite] == [1]
    close(found.params[2], alone(perceptron, 2, tame, *data()))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("way", WAYS)
def test_half_precision(way: Literal["vmap", "loop"], precision: Literal["bfloat16", "float16"]) -> None:
    full = train_population(perceptron, *data(), seeds=(0, 1), plan=PLAN, way=way)
    half = train_population(perceptron, *data(), seeds=(0, 1), plan=replace(PLAN, precision=precision), way=way)
    for a, b in zip(full.params, half.params, strict=True):
        assert b["0.weight"].dtype == torch.float32
        assert 1e-6 < float((a["0.weight"] - b["0.weight"]).abs().max()) < 0.05


def test_the_global_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    train_population(dropping, *data(), seeds=(0,), plan=PLAN)
    assert torch.equal(before, torch.random.get_rng_state())


def test_every_epoch_is_told() -> None:
    told: list[int] = []
    train_population(perceptron, *data(), seeds=(0,), plan=PLAN, advance=told.append)
    assert told == [1, 1, 1]


@pytest.mark.parametrize("seeds", [(), (1, 1)])
def test_seeds_must_be_different(seeds: tuple[int, ...]) -> None:
    with pytest.raises(BadInputError, match="must be different numbers"):
        train_population(perceptron, *data(), seeds=seeds, plan=PLAN)


def test_bad_input() -> None:
    x, y = data()
    with pytest.raises(BadInputError, match="one per seed"):
        train_population(perceptron, x, y, seeds=(0, 1), plan=[PLAN])
    with pytest.raises(BadInputError, match="same `batch`"):
        train_population(perceptron, x, y, seeds=(0, 1), plan=[PLAN, replace(PLAN, batch=8)])
    with pytest.raises(BadInputError, match="equally many"):
        train_population(perceptron, x, y[:-1], seeds=(0,))
    with pytest.raises(BadInputError, match="belongs to the cross-entropy"):
        train_population(perceptron, x, y, seeds=(0,), plan=replace(PLAN, smoothing=0.1), loss=mse_loss)
    with pytest.raises(BadInputError, match="has one example"):
        train_population(normalized, *data(33), seeds=(0,), plan=PLAN)
    with pytest.raises(BadInputError, match="none of its own"):
        train_population(GraphNet, FullBatch((x, y)), y, seeds=(0,), augment=lambda x, _: x)
    with pytest.raises(BadInputError, match="one floating-point type"):
        train_population(nn.Identity, x, y, seeds=(0,))
    widths = iter((4, 5))
    with pytest.raises(BadInputError, match="always build one architecture"):
        train_population(lambda: nn.Linear(5, next(widths)), x, y, seeds=(0, 1))


@pytest.mark.gpu
def test_on_a_gpu() -> None:
    x, y = data()
    found = train_population(normalized, x.cuda(), y.cuda(), seeds=(0, 1), plan=replace(PLAN, precision="float16"))
    assert found.params[0]["0.weight"].is_cuda
    full = train_population(normalized, x.cuda(), y.cuda(), seeds=(0, 1), plan=PLAN)
    close({n: v.cpu() for n, v in full.params[1].items()}, alone(normalized, 1, PLAN, x, y))
