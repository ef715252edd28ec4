"""Validation losses are those of the trained network, early stopping keeps the best epoch, and hooks are told."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from parasym.core import BadInputError, Params
from parasym.population import EpochReport, StepReport, TrainingPlan, train_population
from tests.population.networks import Counting, convolutional, data, dropping, images, normalized, perceptron
from tests.population.test_resume import StoppedError, same, stop_after

PLAN = TrainingPlan(epochs=3, batch=16, rate=1e-2, smoothing=0.1)


def clones(params):
    return {n: v.clone() for n, v in params.items()}


@pytest.mark.parametrize("way", ["auto", "loop"])
@pytest.mark.parametrize("factory", [perceptron, normalized, dropping, convolutional, Counting])
def test_of_the_network_that_comes_back(factory, way):
    x, y = images() if factory is convolutional else data()
    x_val, y_val = -x[:11], y[:11].flip(0)
    found = train_population(factory, x, y, seeds=(0, 1), plan=PLAN, way=way, validation=(x_val, y_val))
    without = train_population(factory, x, y, seeds=(0, 1), plan=PLAN, way=found.way)
    for k, seed in enumerate((0, 1)):
        with torch.no_grad():
            outputs = torch.func.functional_call(factory().eval(), clones(found.params[k]), (x_val,))
        right = float(cross_entropy(outputs, y_val))
        assert found.validation_losses(seed)[-1] == pytest.approx(right, rel=1e-4)
        assert found.losses(seed) == without.losses(seed), "looking changes nothing"
        assert len(found.validation_losses(seed)) == 3
    assert without.best is None
    assert found.best is not None


@pytest.mark.parametrize("way", ["vmap", "loop"])
def test_early_stopping(way, tmp_path):
    # Labels are noise: what the network learns of the training set does not help elsewhere.
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(40, 5, generator=generator), torch.randint(3, (40,), generator=generator)
    x_val, y_val = torch.randn(30, 5, generator=generator), torch.randint(3, (30,), generator=generator)
    plan = TrainingPlan(epochs=60, batch=16, rate=3e-2, decay=0.0, schedule="constant", patience=4)
    run = partial(train_population, perceptron, x, y, seeds=(0, 1, 2), plan=plan, way=way, validation=(x_val, y_val))
    found = run()
    assert found.best is not None
    for k, seed in enumerate((0, 1, 2)):
        losses, best = found.validation_losses(seed), found.best[k]
        assert best is not None
        assert best == min(range(len(losses)), key=losses.__getitem__)
        assert len(losses) == best + 1 + 4 < 60
        assert float(cross_entropy(torch.func.functional_call(perceptron(), found.params[k], (x_val,)), y_val)) == pytest.approx(
            losses[best], rel=1e-5
        )
    with pytest.raises(StoppedError):
        run(checkpoint=tmp_path / "c.safetensors", advance=stop_after(4))
    resumed = run(checkpoint=tmp_path / "c.safetensors")
    assert same(resumed, found)
    assert resumed.best == found.best
    with pytest.raises(BadInputError, match="give `validation`"):
        train_population(perceptron, x, y, seeds=(0,), plan=plan)


@pytest.mark.parametrize("way", ["vmap", "loop"])
def test_hooks(way):
    steps: list[StepReport] = []
    epochs: list[EpochReport] = []
    found = train_population(
        perceptron, *data(), seeds=(4, 7), plan=PLAN, way=way, on_step=steps.append, on_epoch=epochs.append
    )  # fmt: skip
    assert tuple(r for e in epochs for r in e.records) == found.history
    for seed in (4, 7):
        told = [(s.epoch, s.step, float(s.losses[s.seeds.index(seed)])) for s in steps if seed in s.seeds]
        assert [t[:2] for t in told] == [(e, k) for e in range(3) for k in range(4)]
        sizes = [16, 16, 16, 12]
        for epoch in range(3):
            mean = sum(n * loss for n, (_, _, loss) in zip(sizes, told[4 * epoch : 4 * epoch + 4], strict=True)) / 60
            assert mean == pytest.approx(found.losses(seed)[epoch], rel=1e-5)


@pytest.mark.parametrize("way", ["vmap", "loop"])
def test_a_hook_may_keep_the_networks_of_an_epoch(way):
    kept: list[list[Params]] = []
    found = train_population(
        lambda: nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Linear(6, 3)),
        *data(), seeds=(4, 7), plan=PLAN, way=way, on_epoch=lambda report: kept.append(report.networks()),
    )  # fmt: skip
    for k in range(2):
        assert all(torch.equal(kept[-1][k][n], x) for n, x in found.params[k].items())
        assert not torch.equal(kept[0][k]["0.weight"], kept[1][k]["0.weight"])
        assert not torch.equal(kept[0][k]["1.running_mean"], kept[1][k]["1.running_mean"])


def test_a_hook_may_stop():
    def stop(report: EpochReport) -> None:
        if report.epoch == 1:
            raise StoppedError

    with pytest.raises(StoppedError):
        train_population(lambda: nn.Linear(5, 3), *data(), seeds=(0,), plan=PLAN, on_epoch=stop)
