"""Merging, several models at once, and statistics."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from parasym.core import BadInputError, model_params
from parasym.find import find
from parasym.functional import reestimate
from parasym.orbit import ActivationMatching, WeightMatching, match_many, merge
from parasym.orbit.objective import gap
from tests.orbit.networks import CASES, batchnorm_cnn, linear_mlp, relu_mlp, rotary, tanh_mlp


def orbit(case, count, seed=0):
    a = case.params(seed)
    return [case.symmetry.act(case.symmetry.sample(generator=torch.Generator().manual_seed(k)), a) for k in range(count)]


@pytest.mark.parametrize("make", [c for c in CASES if c not in {linear_mlp, rotary}], ids=lambda f: f.__name__)
def test_merging_one_orbit_keeps_the_function(make):
    case = make()
    models = orbit(case, 3)
    reference = case.outputs(models[0])
    merged = merge(case.symmetry, models).params
    assert (case.outputs(merged) - reference).abs().max() < 1e-5 * reference.abs().max().clamp_min(1)
    naive = {n: torch.stack([m[n].double() for m in models]).mean(0) for n in models[0]}
    assert (case.outputs(naive) - reference).abs().max() > 1e-2


def test_the_order_of_the_models_does_not_matter():
    case = tanh_mlp([4, 8, 6, 3])
    models = [case.params(k) for k in range(4)]
    spread = []
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        chosen = [models[k] for k in order]
        moved = [case.symmetry.act(g, x) for g, x in zip(match_many(case.symmetry, chosen), chosen, strict=True)]
        middle = {n: torch.stack([m[n] for m in moved]).mean(0) for n in moved[0]}
        spread.append(sum(gap(middle, m) ** 2 for m in moved))
    assert spread[0] == pytest.approx(spread[1], rel=0.05)


def test_two_models_meet_at_the_same_place_in_both_orders():
    """It is the place of the model of least norm, whichever comes first."""
    case = relu_mlp()
    for seed in range(3):
        a, b = case.params(seed), case.params(10 + seed)
        first, second = match_many(case.symmetry, [a, b]), match_many(case.symmetry, [b, a])
        assert gap(first[0](a), second[1](a)) < 1e-9
        assert gap(first[1](b), second[0](b)) < 1e-9
        assert gap(first[0](a), a) > 0.1


def test_cycles_are_the_identity():
    case = relu_mlp()
    models = [case.params(k) for k in range(3)]
    g = match_many(case.symmetry, models)
    x = models[0]
    for i, j in ((0, 1), (1, 2), (2, 0)):
        x = (~g[j] @ g[i])(x)
    assert gap(x, models[0]) < 1e-10


def test_merge_keeps_dtype_and_integers():
    case = batchnorm_cnn()
    models = [{n: x.half() if x.is_floating_point() else x + k for n, x in case.params(k).items()} for k in range(2)]
    merged = merge(case.symmetry, models).params
    assert {n: x.dtype for n, x in merged.items()} == {n: x.dtype for n, x in models[0].items()}
    assert int(merged["1.num_batches_tracked"]) == 0


def test_statistics_are_those_of_the_data():
    case = batchnorm_cnn()
    g = torch.Generator().manual_seed(1)
    data = [torch.randn(16, 2, 7, 7, generator=g, dtype=torch.float64) for _ in range(4)]
    params = case.params(0)
    new = reestimate(case.model, params, data)
    seen = torch.cat([nn.functional.conv2d(x, params["0.weight"], params["0.bias"]) for x in data])
    assert torch.allclose(new["1.running_mean"], seen.mean((0, 2, 3)), atol=1e-10)
    assert torch.allclose(new["1.running_var"], seen.var((0, 2, 3)), rtol=1e-2)
    assert not case.model.training
    assert torch.equal(params["1.running_mean"], case.params(0)["1.running_mean"])
    with pytest.raises(BadInputError, match="at least one batch"):
        reestimate(case.model, params, [])


def test_merge_with_data_leaves_out_what_holds_for_stored_statistics_only():
    """A gain and a running variance may trade a scale as long as nobody estimates the variance again."""
    case = batchnorm_cnn()
    gain = replace(
        case.symmetry.factors[1], bindings=(replace(case.symmetry.factors[1].bindings[3]), case.symmetry.factors[0].bindings[2])
    )
    stored = replace(case.symmetry, factors=(*case.symmetry.factors, gain))
    g = torch.Generator().manual_seed(2)
    data = [torch.randn(16, 2, 7, 7, generator=g, dtype=torch.float64) for _ in range(3)]
    a = reestimate(case.model, case.params(0), data)
    assert (case.outputs(stored.act(stored.sample(generator=g, only=(4,)), a)) - case.outputs(a)).abs().max() < 1e-12
    p = case.symmetry.sample(generator=g, only=(0,))
    merged = merge(stored, [a, stored.act(p, a)], model=case.model, data=data).params
    assert (case.outputs(merged) - case.outputs(a)).abs().max() < 1e-3  # eps, and the scale before it
    broken = reestimate(case.model, stored.act(stored.sample(generator=g, only=(4,)), a), data)
    assert (case.outputs(broken) - case.outputs(a)).abs().max() > 0.1


class Wired(nn.Module):
    """A graph network whose edges are a buffer of whole numbers."""

    edges: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 5), nn.Linear(5, 2)
        self.register_buffer("edges", torch.tensor([[0, 1, 2], [1, 2, 0]]))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x).relu()
        return self.second(torch.zeros_like(h).index_add(0, self.edges[1], h[self.edges[0]]))


@pytest.mark.parametrize("by_activations", [False, True])
def test_whole_numbers_stay_what_they_are(by_activations: bool):
    torch.manual_seed(0)
    model, x = Wired().double(), torch.randn(3, 3, dtype=torch.float64)
    symmetry, a = find(model, (x,)), model_params(model)
    b = symmetry.act(symmetry.sample(generator=torch.Generator().manual_seed(1)), a)
    method = ActivationMatching(model, [x]) if by_activations else WeightMatching()
    merged = merge(symmetry, [a, b], method=method).params
    assert merged["edges"].dtype == torch.int64
    assert float((a["first.weight"] - b["first.weight"]).norm()) > 0.1
    assert torch.allclose(torch.func.functional_call(model, merged, (x,)), model(x), atol=1e-5)
