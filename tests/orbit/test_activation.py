"""Activation matching finds planted elements from data, and falls back to weights where no module shows a wire."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from parasym.core import BadInputError, Params, model_params
from parasym.find import find
from parasym.functional import batch_call
from parasym.groups import Permutation
from parasym.orbit import METHODS, ActivationMatching, match, merge, sites
from parasym.orbit.axes import AXES, Axis, axes_of
from parasym.orbit.objective import gap, norm
from parasym.orbit.sites import Recorder
from parasym.symmetry import Factor, Symmetry, Wire
from parasym.zoo.attention import Attention
from tests.orbit.activation_cases import CASES, Case
from tests.orbit.networks import attention, batchnorm_cnn, chain, experts, gelu_mlp, relu_mlp, rms_stack, shapes, tanh_mlp, whole
from tests.orbit.planted import ENTRIES, found, moved_copy

NO_WEIGHTS = ("*weight*", "*bias*", "*.matrix", "*.shift", "*running*")


def batches(case, count=4):
    g = torch.Generator().manual_seed(5)
    return [torch.randn(64, *case.inputs.shape[1:], generator=g, dtype=torch.float64) for _ in range(count)]


def planted(model: nn.Module, symmetry: Symmetry, method: ActivationMatching, seed: int, *, discrete: bool = False) -> float:
    """How far from its place a moved model is after matching, relative to how far it was."""
    a = model_params(model)
    chosen = tuple(k for k, f in enumerate(symmetry.factors) if not (discrete and f.group.continuous))
    g = symmetry.sample(generator=torch.Generator().manual_seed(seed), only=chosen)
    b = {name: x.to(a[name].dtype) for name, x in symmetry.act(g, a).items()}
    assert gap(a, b) > 0.1, "something has to be found"
    return gap(a, symmetry.act(match(symmetry, a, b, method=method), b)) / gap(a, b)


def built(case: Case) -> tuple[nn.Module, Symmetry]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = case.build().double().eval()
    symmetry = find(model, batch_call(case.batches()[0], model))
    if case.shows is nn.EmbeddingBag:  # whose symmetry is written by hand
        places = (whole("0.weight", 1, 6), whole("2.matrix", 1, 6, -1))
        symmetry = Symmetry((Factor(Permutation(6), Wire("0.weight[1]", 6), (), places),), shapes(model))
    return model, symmetry


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_every_row_of_the_table_finds_what_was_planted(case: Case):
    model, symmetry = built(case)
    alone = ActivationMatching(model, case.batches(), ignore=NO_WEIGHTS)
    assert planted(model, symmetry, ActivationMatching(model, case.batches()), seed=1) < 1e-8
    assert (planted(model, symmetry, alone, seed=2) < 1e-8) == case.alone


def test_every_row_of_the_table_has_a_case():
    shown = [built(case)[0] for case in CASES]
    modules = [module for model in shown for module in model.modules()]
    for row in AXES:
        of_row = [m for m in modules if row.holds(m)]
        assert of_row, row.meaning
        assert {type(m) for m in of_row} & {case.shows for case in CASES}, row.meaning
    assert axes_of(nn.ReLU()) == []


def test_a_wrong_axis_is_noticed(monkeypatch):
    """Channels that are read in another order than that of the parameter."""
    case = next(c for c in CASES if c.name == "linear rows")
    model, symmetry = built(case)

    def rolled(module: nn.Module) -> list[Axis]:
        def wrong(axis: Axis) -> Axis:
            def read(*seen) -> Tensor | None:
                x = axis.read(*seen)
                return x if x is None else x * torch.arange(x.shape[-1]) if axis.where == "input" else x.roll(1, -1)

            return replace(axis, read=read)

        return [wrong(axis) for axis in axes_of(module)]

    monkeypatch.setattr(sites, "axes_of", rolled)
    assert planted(model, symmetry, ActivationMatching(model, case.batches(), ignore=NO_WEIGHTS), seed=2) > 0.1


@pytest.mark.parametrize(
    "make", [relu_mlp, tanh_mlp, gelu_mlp, batchnorm_cnn, rms_stack, experts, attention], ids=lambda f: f.__name__
)
def test_a_planted_element_is_recovered(make):
    case = make()
    a = case.params(0)
    b = case.symmetry.act(case.symmetry.sample(generator=torch.Generator().manual_seed(9)), a)
    method = ActivationMatching(case.model, batches(case))
    assert gap(a, case.symmetry.act(match(case.symmetry, a, b, method=method), b)) < 1e-6


@pytest.mark.parametrize("name", ["layer_norm", "one_position", "transformer_encoder"])
def test_one_sign_of_whole_tensors_is_seen_where_it_flips_an_activation(name, monkeypatch):
    """Weights and what goes into them may both change their sign, so the model is asked what changes."""
    model, symmetry = found(name)
    data = [ENTRIES[name].inputs(torch.Generator().manual_seed(k)) for k in range(3)]
    alone = ActivationMatching(model, data, ignore=NO_WEIGHTS)

    def errors() -> list[float]:
        pairs = (moved_copy(name, seed) for seed in range(4))
        return [match(symmetry, a, b, method=alone).after / norm(a) for _, a, b in pairs]

    assert max(errors()) < 1e-8
    monkeypatch.setattr(Recorder, "flips", lambda *_: {})
    assert max(errors()) > 0.1


@pytest.mark.parametrize("queries", [8, 12])
def test_heads_with_rotary_planes_and_groups_of_queries(queries):
    """Too large to try everything: the halves of a head's planes count as one, and queries only where their order is known."""
    torch.manual_seed(0)
    model = Attention(48, queries, 4, 8, bias=False, rotary=True).double()
    x = torch.randn(4, 9, 48, dtype=torch.float64)
    symmetry = find(model, (x,))
    for seed in range(4):
        assert planted(model, symmetry, ActivationMatching(model, [x]), seed) < 1e-8


def test_what_a_method_of_its_kind_cannot_see_is_named():
    assert all(kind.blind_spots for kind in METHODS.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_lower_precisions(dtype):
    """A wire under GL(n) with fewer samples than it has channels, and signs and exchanges behind it."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3)).to(dtype)
    x = torch.randn(6, 4)  # in another precision than the model
    symmetry = find(model, x.to(dtype))
    for seed in range(3):
        left = planted(model, symmetry, ActivationMatching(model, [x]), seed, discrete=True)
        assert left < (1e-5 if dtype is torch.float32 else 3e-2)


def test_units_that_never_fire_are_told_apart_by_weights():
    torch.manual_seed(0)
    first = nn.Linear(4, 8)
    model = nn.Sequential(first, nn.ReLU(), nn.Linear(8, 3)).double()
    with torch.no_grad():
        first.weight[:4] = 0.0  # constant units
    x = torch.randn(30, 4, dtype=torch.float64)
    symmetry = find(model, x)
    assert planted(model, symmetry, ActivationMatching(model, [x]), seed=0, discrete=True) < 1e-8
    assert planted(model, symmetry, ActivationMatching(model, [x], ignore=NO_WEIGHTS), seed=0, discrete=True) > 0.1


class Routed(nn.Module):
    """Every sample goes to one of two layers, which one depends on the parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.experts = nn.Linear(4, 1), nn.ModuleList(nn.Linear(4, 5) for _ in range(2))
        self.out = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        first = self.gate(x)[:, 0] > 0
        return self.out(torch.tanh(torch.cat([e(x[m]) for e, m in zip(self.experts, (first, ~first), strict=True)])))


def test_experts_that_see_other_samples_are_not_compared():
    model = Routed().double()
    x = torch.randn(40, 4, dtype=torch.float64)
    names = ["experts.0", "out"]
    symmetry = Symmetry(chain(names, [4, 5, 3], (Permutation,)), shapes(model))
    a = model_params(model)
    b: Params = {**a, "gate.weight": -a["gate.weight"]}
    said = match(symmetry, a, b, method=ActivationMatching(model, [x]))
    assert any("not compared" in note and "output of `experts.0`" in note for note in said.notes)


def test_merging_with_data_of_several_inputs():
    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.norm, self.out = nn.Linear(4, 6), nn.Linear(3, 6), nn.BatchNorm1d(6), nn.Linear(6, 2)

        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return self.out(torch.relu(self.norm(self.a(a) * torch.sigmoid(self.b(b)))))

    torch.manual_seed(0)
    model = Pair().double().eval()
    g = torch.Generator().manual_seed(1)
    x, y = (torch.randn(50, n, generator=g, dtype=torch.float64) for n in (4, 3))
    data = [(x, y, torch.zeros(50)), {"a": x[:20], "b": y[:20]}]
    symmetry, params = find(model, (x, y)), model_params(model)
    # Scales of stored variances are left out: new statistics would undo them.
    chosen = tuple(k for k, f in enumerate(symmetry.factors) if not f.group.continuous)
    g = torch.Generator().manual_seed(0)
    models = [symmetry.act(symmetry.sample(generator=g, only=chosen), params) for _ in range(2)]
    naive = merge(Symmetry((), symmetry.shapes), models, model=model, data=data).params
    merged = merge(symmetry, models, method=ActivationMatching(model, data), model=model, data=data).params
    renewed = merge(symmetry, models[:1], model=model, data=data).params
    outputs = [torch.func.functional_call(model, p, (x, y)) for p in (merged, renewed, naive)]
    assert torch.allclose(outputs[0], outputs[1], atol=1e-4)
    assert not torch.allclose(outputs[2], outputs[1], atol=1e-1)


def test_what_no_module_shows_is_said_and_aligned_by_weights():
    for case, hidden in ((experts(), ("no module shows `up[0]`, `up[1]`: aligned by weights",)), (tanh_mlp(), ())):
        a = case.params(0)
        b = case.symmetry.sample(generator=torch.Generator().manual_seed(1))(a)
        there = match(case.symmetry, a, b, method=ActivationMatching(case.model, batches(case)))
        assert there.notes == hidden
        assert there.converged
        assert there.after < 1e-8 < there.before


def test_no_data():
    case = tanh_mlp()
    with pytest.raises(BadInputError, match="at least one batch"):
        match(case.symmetry, case.params(0), case.params(1), method=ActivationMatching(case.model, []))
