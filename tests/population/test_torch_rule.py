"""Any element-wise optimizer of torch over rows is that optimizer on each network alone."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts, ExponentialLR, OneCycleLR, ReduceLROnPlateau

from parasym.core import BadInputError, CheckpointError, child_generator, child_seed
from parasym.population import TrainingPlan, train_population
from tests.population.networks import data, perceptron
from tests.population.test_resume import StoppedError, same, stop_after


def with_schedule(kind: Any, schedule: Any, **options: Any) -> Any:
    def make(params):
        optimizer = kind(params, lr=1e-2)
        return optimizer, schedule(optimizer, **options)

    return make


RULES: dict[str, Any] = {
    "RMSprop": lambda params: torch.optim.RMSprop(params, lr=1e-2, momentum=0.5, centered=True),
    "NAdam": lambda params: torch.optim.NAdam(params, lr=1e-2, weight_decay=0.1),
    "Adagrad": lambda params: torch.optim.Adagrad(params, lr=1e-1),
    "Rprop": lambda params: torch.optim.Rprop(params, lr=1e-3),
    "cycle": with_schedule(torch.optim.SGD, OneCycleLR, max_lr=0.1, total_steps=12),
    "restarts": with_schedule(torch.optim.RAdam, CosineAnnealingWarmRestarts, T_0=5),
}


def alone(seed, make, plan, x, y):
    """Return a network trained by a plain loop."""
    torch.manual_seed(child_seed(seed, "initial weights"))
    model = perceptron()
    made = make(list(model.parameters()))
    optimizer, schedule = made if isinstance(made, tuple) else (made, None)
    order = child_generator(seed, "order")
    for _ in range(plan.epochs):
        for index in torch.randperm(len(x), generator=order).split(plan.batch):
            optimizer.zero_grad()
            cross_entropy(model(x[index]), y[index]).backward()
            if plan.clip is not None:
                torch.nn.utils.clip_grad_norm_(model.parameters(), plan.clip)
            optimizer.step()
            if schedule is not None:
                schedule.step()
    return dict(model.named_parameters())


@pytest.mark.parametrize("way", ["vmap", "loop"])
@pytest.mark.parametrize("name", RULES)
def test_rows_are_each_alone(name, way):
    plan = TrainingPlan(epochs=3, batch=16, optimizer=RULES[name], clip=0.5)
    x, y = data()
    found = train_population(perceptron, x, y, seeds=(3, 8), plan=plan, way=way)
    for seed, params in zip((3, 8), found.params, strict=True):
        right = alone(seed, RULES[name], plan, x, y)
        wrong = alone(seed, RULES[name], replace(plan, clip=None), x, y)
        assert all(torch.allclose(params[n], v, rtol=1e-4, atol=2e-5) for n, v in right.items())
        assert name == "Rprop" or not all(torch.allclose(params[n], v, rtol=1e-4, atol=2e-5) for n, v in wrong.items())


@pytest.mark.parametrize("way", ["vmap", "loop"])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_clipping_with_rules_of_our_own(optimizer, way):
    kinds = {"adamw": lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0.0), "sgd": lambda p: torch.optim.SGD(p, lr=1e-2)}
    common = {"epochs": 3, "batch": 16, "decay": 0.0, "schedule": "constant", "optimizer": optimizer}
    plans = [TrainingPlan(rate=1e-2, clip=0.1, **common), TrainingPlan(rate=1e-2, **common)]
    x, y = data()
    found = train_population(perceptron, x, y, seeds=(3, 8), plan=plans, way=way)
    for seed, params, plan in zip((3, 8), found.params, plans, strict=True):
        right = alone(seed, kinds[optimizer], plan, x, y)
        assert all(torch.allclose(params[n], v, rtol=1e-4, atol=2e-5) for n, v in right.items())


@pytest.mark.parametrize("way", ["vmap", "loop"])
@pytest.mark.parametrize("name", ["NAdam", "cycle"])
def test_stopped_and_taken_up(name, way, tmp_path):
    plan = TrainingPlan(epochs=3, batch=16, optimizer=RULES[name])
    plans = [plan, replace(plan, epochs=2)]
    run = partial(train_population, perceptron, *data(), seeds=(0, 1), plan=plans, way=way)
    whole = run()
    with pytest.raises(StoppedError):
        run(checkpoint=tmp_path / "c.safetensors", advance=stop_after(1))
    assert same(run(checkpoint=tmp_path / "c.safetensors"), whole)
    assert [len(whole.losses(s)) for s in (0, 1)] == [3, 2]
    assert torch.equal(whole.params[1]["0.weight"], run(plan=[plans[1]] * 2).params[1]["0.weight"]), (
        "who has finished stands still"
    )


def test_another_setting_is_another_task(tmp_path):
    run = partial(train_population, perceptron, *data(), seeds=(0,), checkpoint=tmp_path / "c.safetensors")
    run(plan=TrainingPlan(epochs=1, optimizer=lambda p: torch.optim.RMSprop(p, lr=1e-2)))
    with pytest.raises(CheckpointError, match="plan differs"):
        run(plan=TrainingPlan(epochs=1, optimizer=lambda p: torch.optim.RMSprop(p, lr=2e-2)))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda p: torch.optim.Adafactor(p), "Adafactor, which does not treat each entry on its own"),
        (lambda p: torch.optim.LBFGS(p), "LBFGS, which cannot take a step from gradients alone"),
        (lambda p: torch.optim.SGD(p, lr=0.0), "leaves parameters where they are"),
        (lambda _p: 3, "but returns int"),
        (with_schedule(torch.optim.SGD, ReduceLROnPlateau), "needs a metric"),
    ],
)
def test_what_is_refused(make, match):
    with pytest.raises(BadInputError, match=match):
        train_population(perceptron, *data(), seeds=(0,), plan=TrainingPlan(epochs=1, optimizer=make))


def test_nothing_is_said_twice():
    with pytest.raises(BadInputError, match="`rate` does nothing"):
        TrainingPlan(optimizer=RULES["NAdam"], rate=1e-1)
    with pytest.raises(BadInputError, match="float16"):
        TrainingPlan(optimizer=RULES["NAdam"], precision="float16")
    with pytest.raises(BadInputError, match="`clip`"):
        TrainingPlan(clip=0.0)
    found = train_population(
        perceptron, *data(), seeds=(0,),
        plan=TrainingPlan(epochs=2, batch=16, optimizer=with_schedule(torch.optim.SGD, ExponentialLR, gamma=0.5)),
    )  # fmt: skip
    assert [r.rate for r in found.history] == pytest.approx([1e-2 * 0.5**4, 1e-2 * 0.5**8])
