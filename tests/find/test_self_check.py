"""What was found is tried on numbers: true factors stay, false ones are known by name, and what was not tried is said."""

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from parasym.core import tolerance_for
from parasym.find import find, self_check
from parasym.functional import Call
from parasym.functional.rounding import Change
from parasym.rules import BY_NAME
from parasym.symmetry import Element, Symmetry
from parasym.verify import verify

ZEROS = (torch.zeros(5, 3),)


def network(*activations: Callable[[], nn.Module]) -> nn.Sequential:
    """Return layers with these activations between them."""
    layers = [nn.Linear(3, 4), *(x for act in activations for x in (act(), nn.Linear(4, 4)))]
    return nn.Sequential(*layers)


class Counting(nn.Module):
    """Counts how often it is run, in a place where it is not forgotten."""

    runs = itertools.count()

    def __init__(self, *activations: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.inner = network(*activations)

    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(x, "spec"):
            next(Counting.runs)
        return self.inner(x)


class Op(nn.Module):
    def __init__(self, op: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.op = op

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x)


def labels(symmetry: Symmetry) -> list[str]:
    return [f"{r.group} on {r.wire}" for r in symmetry.refuted]


def test_a_true_symmetry_takes_two_evaluations():
    model = Counting(nn.ReLU, nn.GELU, nn.Tanh)
    plain = find(model, ZEROS)
    Counting.runs = itertools.count()
    found = find(model, ZEROS, check=True)
    assert next(Counting.runs) == 2
    assert found == plain
    assert found.self_check is not None
    assert 0 <= (found.self_check.error or 0) < 1e-10
    assert "checked: one element of all factors" in str(found)
    assert plain.self_check is None
    assert "checked" not in str(plain)


@pytest.mark.refutes
def test_false_factors_are_known_by_name_and_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(BY_NAME, "gelu", BY_NAME["relu"])  # a scale through GELU
    monkeypatch.setitem(BY_NAME, "sigmoid", BY_NAME["tanh"])  # a sign through the sigmoid
    model = Counting(nn.LeakyReLU, nn.GELU, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.GELU, nn.Tanh)
    Counting.runs = itertools.count()
    found = find(model, ZEROS, check=True)
    runs = next(Counting.runs)
    expected = ["scale(4) on inner.10.weight[0]", "scale(4) on inner.2.weight[0]", "signs(4) on inner.6.weight[0]"]
    assert sorted(labels(found)) == expected
    assert all(r.error > 1e-6 and r.tensors for r in found.refuted)
    assert runs < 200  # far from one for each of the subsets
    verify(model, found, (torch.randn(5, 3),), complete=False).raise_if_fails()
    monkeypatch.undo()
    assert set(find(model, ZEROS).factors) == set(found.factors)  # no true factor was lost
    assert "refuted: scale(4)" in str(found)
    assert "bug in parasym" in str(found)
    again = Symmetry.from_json(found.to_json())
    assert (again, again.refuted, again.self_check) == (found, found.refuted, found.self_check)


@pytest.mark.refutes
def test_a_tensor_that_only_false_factors_moved_is_pinned(monkeypatch: pytest.MonkeyPatch):
    class Gain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(()))

        def forward(self, x: Tensor) -> Tensor:
            return torch.sigmoid(x * self.a) * self.b

    monkeypatch.setitem(BY_NAME, "sigmoid", BY_NAME["relu"])
    assert not find(Gain(), ZEROS).pinned
    found = find(Gain(), ZEROS, check=True)
    assert not found.factors
    assert found.pinned == ("a", "b")
    assert found.refuted


@pytest.mark.refutes
def test_a_small_fault_is_told_from_rounding(monkeypatch: pytest.MonkeyPatch):
    faint = Op(lambda x: x.relu() + 1e-8 * x.sigmoid())
    monkeypatch.setitem(BY_NAME, "sigmoid", BY_NAME["relu"])
    found = find(nn.Sequential(nn.Linear(3, 4), faint, nn.Linear(4, 2)), ZEROS, check=True)
    assert labels(found) == ["scale(4) on 0.weight[0]"]
    assert 1e-10 < found.refuted[0].error < 1e-6
    monkeypatch.undo()
    # A true scale through the difference of two large numbers, which rounding makes visible.
    rough = Op(lambda x: (x.relu() + 3e6 * x.abs().amax(0)) - 3e6 * x.abs().amax(0))
    found = find(nn.Sequential(nn.Linear(3, 4), rough, nn.Linear(4, 2)), ZEROS, check=True)
    assert not found.refuted
    assert found.factors
    assert found.self_check is not None
    assert 1e-10 < (found.self_check.error or 0.0) < 1e-6
    assert "rounding" in str(found)


@pytest.mark.refutes
def test_factors_that_fail_together_only_are_all_left_out(monkeypatch: pytest.MonkeyPatch):
    def broken(_: object, element: Element) -> Change:
        return Change(float(len(element.moves) > 1), 0.0, tolerance_for(torch.float64))

    monkeypatch.setattr(self_check._Trial, "change", broken)
    found = find(network(nn.ReLU), ZEROS, check=True)
    assert not found.factors
    assert len(found.refuted) == 2


def test_a_refuted_factor_fails_the_suite(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(BY_NAME, "gelu", BY_NAME["relu"])
    with pytest.raises(AssertionError, match="refuted"):
        find(network(nn.GELU), ZEROS, check=True)


def test_neither_zero_inputs_nor_zero_biases_hide_a_fault(monkeypatch: pytest.MonkeyPatch):
    model = network(nn.ReLU)
    with torch.no_grad():
        for name in ("0.bias", "2.bias"):
            model.get_parameter(name).zero_()
    true = find(model, ZEROS)
    forgetful = replace(
        true, factors=tuple(replace(f, bindings=tuple(b for b in f.bindings if b.tensors != ("0.bias",))) for f in true.factors)
    )
    assert all(len(f.bindings) < len(g.bindings) for f, g in zip(forgetful.factors, true.factors, strict=True))
    monkeypatch.setattr(self_check, "refuted", lambda factor, error: self_check.Refuted(factor.label, "", (), error))
    assert len(self_check.self_checked(model, Call(ZEROS), forgetful).refuted) == 2
    assert not self_check.self_checked(model, Call(ZEROS), true).refuted


def reason(model: nn.Module, args: tuple[Tensor, ...] = ZEROS) -> str:
    found = find(model, args, check=True)
    assert found.self_check is not None
    assert found.self_check.error is None
    assert not found.refuted
    assert "not checked: " in str(found)
    assert found == find(model, args)
    return found.self_check.reason


def test_what_is_not_checked_is_said(monkeypatch: pytest.MonkeyPatch):
    meta = network(nn.ReLU).to("meta")
    assert reason(meta, (torch.zeros(5, 3, device="meta"),)) == "parameters or inputs have no numbers"
    assert reason(nn.Sequential(nn.Linear(3, 2))) == "nothing moves"
    for op in (lambda x: x / 0, lambda x: x * float("nan")):
        assert reason(nn.Sequential(network(nn.ReLU), Op(op))) == "the model returns no finite numbers"
    monkeypatch.setattr(self_check, "MOST_ENTRIES", 10)
    assert reason(network(nn.ReLU)) == "36 parameters are more than 10"


def test_a_model_that_refuses_double_precision_is_not_checked():
    def single(x: Tensor) -> Tensor:
        if x.dtype == torch.float64:
            raise ValueError("only in single precision")
        return x

    assert reason(nn.Sequential(network(nn.ReLU), Op(single))).endswith("only in single precision")


def test_random_models_are_checked_in_law_or_not_at_all():
    in_law = find(nn.Sequential(network(nn.ReLU), nn.Dropout(0.5), nn.Linear(4, 2)).train(), (torch.zeros(5, 3),), check=True)
    assert in_law.law == ("dropout",)
    assert in_law.self_check is not None
    assert (in_law.self_check.error or 0.0) < 1e-10
    assert "in law: dropout draws random numbers" in str(in_law)
    assert Symmetry.from_json(in_law.to_json()).law == ("dropout",)
    fixed = find(nn.Sequential(network(nn.Tanh), Op(lambda x: x * torch.rand(x.shape))), ZEROS, check=True)
    assert fixed.law
    assert fixed.self_check is not None
    assert (fixed.self_check.error or 0.0) < 1e-10  # what holds for fixed numbers holds in law


def test_a_fault_of_a_random_model_is_not_blamed_on_its_factors(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(BY_NAME, "sigmoid", BY_NAME["tanh"])
    model = nn.Sequential(network(nn.Sigmoid), Op(lambda x: x * torch.rand(x.shape, dtype=x.dtype)))
    assert "random numbers" in reason(model)


def test_exported_programs_are_checked_with_their_own_inputs():
    program = torch.export.export(network(nn.ReLU), (torch.randn(5, 3),), strict=False)
    found = find(program, check=True)
    assert found.self_check is not None
    assert (found.self_check.error or 0.0) < 1e-10
    assert found.self_check.error is not None


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2)).train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = torch.random.get_rng_state()
    find(model, (torch.randn(5, 3, generator=torch.Generator().manual_seed(0)),), check=True)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.dtype == torch.float32 for p in model.parameters())
