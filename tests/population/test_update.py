"""The rules for rows, against torch.optim row by row."""

from dataclasses import replace

import pytest
import torch

from parasym.population import TrainingPlan
from parasym.population.update import FIRST_SCALE, GROWTH_INTERVAL, Rows, Stepper, fresh_rows
from tests.population.networks import optimizer_of

PLANS = [
    TrainingPlan(optimizer="adamw", decay=0.1),
    TrainingPlan(optimizer="adam", decay=0.1),
    TrainingPlan(optimizer="sgd", decay=0.1),
    TrainingPlan(optimizer="sgd", momentum=0.9, decay=0.1),
    TrainingPlan(optimizer="sgd", momentum=0.9, nesterov=True, decay=0.1),
]
RATES, DECAYS = (0.1, 0.01, 0.03), (0.0, 0.1, 0.5)


def gradients(steps: int, rows: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(rows, 4, generator=generator, dtype=torch.float64) for _ in range(steps)]


def ours(plan: TrainingPlan, rates: tuple[float, ...], decays: tuple[float, ...], *, same: bool) -> Rows:
    rows = fresh_rows([torch.ones(len(rates), n, dtype=torch.float64) for n in (3, 1)], plan)
    for k, grad in enumerate(gradients(6, len(rates))):
        if k % 3 == 0:  # a new epoch
            stepper = Stepper(rows, plan, torch.tensor(decays, dtype=torch.float64), same=same)
        stepper.step_([x.clone() for x in grad.split((3, 1), dim=1)], torch.tensor(rates, dtype=torch.float64) / (k + 1))
    return rows


def whole(rows: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat(rows, dim=1)


def theirs(plan: TrainingPlan, rates: tuple[float, ...], decays: tuple[float, ...]) -> torch.Tensor:
    found = []
    for row, (rate, decay) in enumerate(zip(rates, decays, strict=True)):
        x = torch.ones(4, dtype=torch.float64, requires_grad=True)
        optimizer = optimizer_of(replace(plan, decay=decay), [x])
        for k, grad in enumerate(gradients(6, len(rates))):
            optimizer.param_groups[0]["lr"] = rate / (k + 1)
            x.grad = grad[row].clone()
            optimizer.step()
        found.append(x.detach())
    return torch.stack(found)


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_a_rate_for_each_row(plan):
    torch.testing.assert_close(
        whole(ours(plan, RATES, DECAYS, same=False).params), theirs(plan, RATES, DECAYS), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_one_rate_for_all_rows(plan):
    rates, decays = (0.1,) * 3, (0.2,) * 3
    fused, own = (ours(plan, rates, decays, same=same) for same in (True, False))
    torch.testing.assert_close(whole(fused.params), theirs(plan, rates, decays), rtol=1e-6, atol=1e-9)
    for name, value in vars(fused).items():
        torch.testing.assert_close(value, getattr(own, name), rtol=1e-6, atol=1e-9)


def test_another_rule_would_be_seen():
    for plan, wrong in ((PLANS[0], PLANS[1]), (PLANS[3], PLANS[4]), (PLANS[2], PLANS[3])):
        with pytest.raises(AssertionError):
            torch.testing.assert_close(
                whole(ours(wrong, RATES, DECAYS, same=False).params), theirs(plan, RATES, DECAYS), rtol=1e-6, atol=1e-9
            )


def test_overflow_is_left_out_for_that_row_only():
    plan = TrainingPlan(precision="float16", decay=0.0)
    rows = fresh_rows([torch.ones(2, 4)], plan)
    stepper = Stepper(rows, plan, torch.zeros(2), same=True)
    grad = torch.full((2, 4), FIRST_SCALE)
    grad[1, 2] = torch.inf
    stepper.step_([grad], torch.full((2,), 0.1, dtype=torch.float64))
    assert rows.scale.tolist() == [FIRST_SCALE, FIRST_SCALE / 2]
    assert rows.steps.flatten().tolist() == [1, 0]
    torch.testing.assert_close(rows.params[0], torch.tensor([[0.9], [1.0]]).expand(2, 4))
    assert not rows.first[0][1].any()


def test_the_scale_grows_after_calm_steps():
    plan = TrainingPlan(precision="float16", decay=0.0, optimizer="sgd")
    rows = fresh_rows([torch.ones(1, 4)], plan)
    stepper = Stepper(rows, plan, torch.zeros(1), same=True)
    rate = torch.zeros(1, dtype=torch.float64)
    for _ in range(GROWTH_INTERVAL - 1):
        stepper.step_([torch.zeros(1, 4)], rate)
    assert float(rows.scale) == FIRST_SCALE
    stepper.step_([torch.zeros(1, 4)], rate)
    assert float(rows.scale) == 2 * FIRST_SCALE
    assert int(rows.calm) == 0
