"""Barriers: against numbers by hand, with and without vmap, and zero along an orbit after matching."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from parasym.breaking import WAsymmetric, break_, trainable_masks
from parasym.core import BadInputError, model_params
from parasym.find import find
from parasym.landscape import Barrier, barrier, path
from parasym.orbit import distance, match, match_many, merge
from tests.orbit.networks import batchnorm_cnn, relu_mlp


def test_by_hand():
    model = nn.Linear(1, 1, bias=False)
    x = torch.ones(4, 1)
    found = barrier(
        model, {"weight": torch.ones(1, 1)}, {"weight": 3 * torch.ones(1, 1)}, x, 2 * x, points=5, loss=nn.functional.mse_loss
    )
    assert found.t == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert found.loss == pytest.approx((1.0, 0.25, 0.0, 0.25, 1.0))
    assert found.midpoint == pytest.approx(-1.0)
    assert found.maximum == 0.0
    assert found.accuracy == ()
    assert math.isnan(found.midpoint_accuracy)


def test_accuracy_by_hand():
    found = Barrier(t=(0.0, 0.5, 1.0), loss=(1.0, 1.5, 3.0), accuracy=(0.875, 0.5, 0.625))
    assert (found.midpoint, found.maximum, found.midpoint_accuracy) == (-0.5, 0.0, 0.25)
    assert str(found) == "barrier -0.5000 at the midpoint, 0.0000 at most; accuracy falls by 0.2500"
    assert "accuracy" not in str(replace(found, accuracy=()))


def test_the_maximum_is_above_the_chord():
    """Ends of unequal loss: the largest loss, and the largest rise over the first end, are other numbers."""
    found = Barrier((0.0, 0.25, 0.5, 0.75, 1.0), (1.0, 2.0, 2.0, 2.25, 3.0), ())
    assert found.maximum == 0.5  # at 1/4, where the chord is 1.5
    assert found.midpoint == 0.0
    falling = Barrier(found.t, found.loss[::-1], ())
    assert falling.maximum == 0.5
    assert Barrier(found.t, (1.0, 1.1, 1.2, 1.3, 3.0), ()).maximum == 0.0  # below the chord, above its start


class Masked(nn.Module):
    mask: torch.Tensor

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 3)
        self.register_buffer("mask", (torch.rand(6) < 0.5).float())
        self.register_buffer("steps", torch.tensor(seed))
        self.register_buffer("unused", torch.rand(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.tanh(self.first(x)) * self.mask)


def test_other_constants_are_another_architecture():
    model, a, b = Masked(0), model_params(Masked(0)), model_params(Masked(1))
    x, y = torch.randn(9, 4), torch.randint(0, 3, (9,))
    symmetry = find(model, x)
    assert symmetry.constants == ("mask",)
    verbs = {
        "barrier": lambda b: barrier(model, a, b, x, y, points=3),
        "path": lambda b: path(model, [a], [b], x, y, points=3),
        "match": lambda b: match(symmetry, a, b),
        "distance": lambda b: distance(symmetry, a, b),
        "match_many": lambda b: match_many(symmetry, [a, a, b]),
        "merge": lambda b: merge(symmetry, [a, b]),
    }
    for name, verb in verbs.items():
        with pytest.raises(BadInputError, match="different architectures: `mask` of layer `the model itself` is a constant"):
            verb(b)
        assert verb({**b, "mask": a["mask"]}) is not None, name  # counters, and what nobody reads, may differ


def test_frozen_entries_are_constants_and_what_is_stored_behind_them_is_not():
    plain = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    model, other = (break_(plain, WAsymmetric(frozen=2, seed=k)).model for k in (0, 1))
    a, b = model_params(model), model_params(other)
    x, y = torch.randn(9, 4), torch.randint(0, 3, (9,))
    for verb in (barrier, lambda model, a, b, *data, points: path(model, [a], [b], *data, points=points)):
        with pytest.raises(BadInputError, match=r"have other constants at other places, as the recipes in `breaking_recipe` say"):
            verb(model, a, b, x, y, points=3)
    frozen = ~trainable_masks(model)["0.weight"]
    behind = {**a, "0.weight": a["0.weight"] + 7.0 * frozen}
    found = barrier(model, a, behind, x, y, points=3)
    assert max(found.loss) - min(found.loss) == 0.0
    (curve,) = path(model, [a], [behind], x, y, points=3)
    assert curve.distance[-1] == 0.0


def test_broken_networks_are_matched_only_if_they_were_broken_alike():
    plain, x = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)), torch.randn(9, 4)
    a, same, other = (break_(plain, WAsymmetric(frozen=2, seed=k)).model for k in (0, 0, 1))
    symmetry = find(a, x)
    assert distance(symmetry, model_params(a), model_params(same)) == 0.0
    with pytest.raises(BadInputError, match="different architectures"):
        distance(symmetry, model_params(a), model_params(other))


def test_tables_may_differ_in_the_last_place():
    model, a = Masked(0), model_params(Masked(0))
    a["mask"] = a["mask"] + 0.1
    x, y = torch.randn(9, 4), torch.randint(0, 3, (9,))
    assert barrier(model, a, {**a, "mask": a["mask"] * (1 + 2e-7)}, x, y, points=3)
    with pytest.raises(BadInputError, match="different architectures"):
        barrier(model, a, {**a, "mask": a["mask"] * (1 + 1e-5)}, x, y, points=3)


def test_matching_removes_the_barrier_of_an_orbit():
    case = relu_mlp([4, 16, 12, 3])
    a = case.params(0)
    b = case.symmetry.act(case.symmetry.sample(generator=torch.Generator().manual_seed(1)), a)
    x = torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.func.functional_call(case.model, a, (x,)).argmax(1)
    before = barrier(case.model, a, b, x, y, batch_size=16)
    after = barrier(case.model, a, case.symmetry.act(match(case.symmetry, a, b), b), x, y, batch_size=16)
    assert before.midpoint_accuracy > 0.01
    assert max(after.loss) - min(after.loss) < 1e-9
    assert max(before.loss) - min(before.loss) > 1e-3
    assert after.accuracy == (1.0,) * 25
    assert len(before.t) == 25


def test_together_and_one_by_one_agree():
    case = relu_mlp()

    class Stubborn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = case.model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = self.inner(x)
            return out if float(out.sum()) < float("inf") else -out  # vmap cannot read a value

    x, y = torch.randn(9, 4, dtype=torch.float64), torch.randint(0, 3, (9,))
    a, b = case.params(0), case.params(1)
    one = barrier(case.model, a, b, x, y, points=5)
    prefixed = [{f"inner.{n}": v for n, v in p.items()} for p in (a, b)]
    two = barrier(Stubborn(), prefixed[0], prefixed[1], x, y, points=5)
    assert one.loss == pytest.approx(two.loss)


def test_statistics_at_every_point():
    case = batchnorm_cnn()
    g = torch.Generator().manual_seed(1)
    data = [torch.randn(16, 2, 7, 7, generator=g, dtype=torch.float64)]
    y = torch.randint(0, 4, (16,), generator=g)
    plain = barrier(case.model, case.params(0), case.params(1), data[0], y, points=3)
    renewed = barrier(case.model, case.params(0), case.params(1), data[0], y, points=3, statistics=data)
    assert plain.loss != pytest.approx(renewed.loss)
    case.model.train()
    train = barrier(case.model, case.params(0), case.params(1), data[0], y, points=3)
    case.model.eval()
    assert renewed.loss == pytest.approx(train.loss, rel=0.05)


def test_bad_input():
    model = nn.Linear(2, 3)
    p = model_params(model)
    x, y = torch.zeros(4, 2), torch.zeros(4, dtype=torch.long)
    with pytest.raises(BadInputError, match="odd"):
        barrier(model, p, p, x, y, points=4)
    with pytest.raises(BadInputError, match="equally many"):
        barrier(model, p, p, x, y[:2])
    with pytest.raises(BadInputError, match="of this model"):
        barrier(model, {**p, "weight": torch.zeros(1)}, p, x, y)
    with pytest.raises(BadInputError, match="NaN"):
        barrier(model, {**p, "bias": torch.full((3,), math.nan)}, p, x, y)
    with pytest.raises(BadInputError, match="only one"):
        barrier(model, p, {"weight": p["weight"]}, x, y)
