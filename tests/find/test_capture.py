"""Capturing a model leaves it as it was, and both captures tell the same."""

import sys

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parasym.core import CaptureError
from parasym.find import find
from parasym.find.capture import described, export
from parasym.find.lower import BY_NAME
from parasym.find.read import read
from parasym.find.search import solve
from parasym.find.trace import trace
from parasym.find.untraceable import Untraceable
from parasym.symmetry import group_name
from parasym.verify import verify
from parasym.zoo import ZOO


class Shared(nn.Module):
    """One layer under two names, weights tied to another, an attribute that forward sets."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.again, self.last, self.seen = self.first, nn.Linear(4, 4), None
        self.last.weight = self.first.weight
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: Tensor) -> Tensor:
        self.seen = self.first(x)
        return self.last(self.norm(self.again(self.seen.tanh())))


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("build", [Shared, lambda: nn.Sequential(nn.LSTM(4, 3), nn.Identity())])
def test_the_model_is_left_as_it_was(build: type[nn.Module], train: bool):
    model = build().train(train)
    tensors = [*model.parameters(), *model.buffers()]
    before = {name: x.clone() for name, x in model.state_dict().items()}
    attributes = {name: dict(module.__dict__) for name, module in model.named_modules()}
    find(model, (torch.zeros(3, 4),))
    assert all(a is b for a, b in zip(tensors, [*model.parameters(), *model.buffers()], strict=True))
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())
    for name, module in model.named_modules():
        assert module.__dict__.keys() == attributes[name].keys()
    if isinstance(model, Shared):
        assert model.seen is None
    assert model.training is train
    if build is not Shared:
        core = model.get_submodule("0")
        assert isinstance(core, nn.RNNBase)
        assert all(type(w) is nn.Parameter for w in core._flat_weights)


@pytest.mark.parametrize("entry", ZOO, ids=lambda e: e.name)
def test_trace_and_export_agree(entry):
    model, args = entry.model(), entry.inputs(torch.Generator().manual_seed(0))
    try:
        named, lowered = trace(model, args, None)
    except Untraceable:
        writes_into_a_view = entry.name == "every_other_in_place"
        assert writes_into_a_view or any(isinstance(module, nn.RNNBase) for module in model.modules())
        return
    assert not lowered.uncovered
    exported = export(model, args, None, level="functional")
    ours, theirs = solve(named, lowered), solve(exported.named, read(exported))
    assert sorted(map(group_name, ours.factors)) == sorted(map(group_name, theirs.factors))


def test_a_model_that_branches_on_data_says_so():
    class Branch(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(CaptureError, match="must not branch on the values"):
        find(Branch(), (torch.zeros(3),))


class Asks(nn.Module):
    """Asks for a number in Python: of a constant, which is the same for every input, or of an input."""

    def __init__(self, *, of_input: bool) -> None:
        super().__init__()
        self.one, self.two, self.of_input = nn.Linear(4, 5), nn.Linear(5, 3), of_input

    def forward(self, x: Tensor) -> Tensor:
        mask = torch.ones(5, 5).tril()
        asked = x.sum() if self.of_input else mask.sum()
        hidden = self.one(x).tanh()
        return self.two(hidden if bool(asked > 0) else hidden.square())


def test_a_number_of_a_constant_may_be_asked_for():
    _, lowered = trace(Asks(of_input=False), (torch.zeros(2, 4),), None)
    assert not lowered.uncovered
    assert find(Asks(of_input=False), (torch.zeros(2, 4),)).order == 2**5 * 120


def test_a_number_of_an_input_may_not():
    with pytest.raises(Untraceable):
        trace(Asks(of_input=True), (torch.zeros(2, 4),), None)
    with pytest.raises(CaptureError):
        find(Asks(of_input=True), (torch.zeros(2, 4),))


class Prints(nn.Module):
    """Says what it sees."""

    def forward(self, x: Tensor) -> Tensor:
        assert str(tuple(x.shape))[1:-1] in str(x) or not hasattr(x, "spec")
        return x.tanh()


def test_a_model_may_print_its_tensors():
    trace(Prints(), (torch.zeros(4, 4),), None)


class Guarded(nn.Module):
    """Fails while a guard of torch is held."""

    def forward(self, x: Tensor) -> Tensor:
        guard = torch._C._DisableFuncTorch()
        raise RuntimeError(f"while {guard} is held")


def test_a_guard_that_a_failing_model_holds_is_let_go():
    with pytest.raises(Untraceable) as caught:
        trace(Guarded(), (torch.zeros(4),), None)
    gradient = torch.func.vjp(lambda t: 2 * t, torch.ones(()))[1](torch.ones(()))[0]
    assert caught.value.__cause__ is not None  # alive, and with it what its frames hold
    assert float(gradient) == 2


DECOMPOSED = {
    "deg2rad": (torch.deg2rad, ["shift(5)", "GL(5)"]),
    "logit": (lambda h: torch.logit(h.sigmoid(), 1e-3), ["S(5)"]),
    "huber_loss": (lambda h: F.huber_loss(h, torch.zeros_like(h), reduction="none"), ["S(5)", "signs(5)"]),
    "mse_loss": (lambda h: F.mse_loss(h, torch.zeros_like(h), reduction="none"), ["scale(5)", "S(5)", "signs(5)"]),
}
"""Operations without a rule of their own, which torch decomposes into such that have one."""


@pytest.mark.parametrize("name", DECOMPOSED)
def test_what_has_no_rule_is_decomposed(name: str, monkeypatch: pytest.MonkeyPatch):
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 5), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(run(self.a(x)))

    assert name not in BY_NAME
    run, expected = DECOMPOSED[name]
    model, x = Net(), (torch.randn(6, 4),)
    symmetry = find(model, x)
    assert ([factor.label for factor in symmetry.factors], symmetry.uncovered) == (expected, ())
    assert verify(model, symmetry, x).holds == "yes"
    monkeypatch.setattr(sys.modules["parasym.find.exported"], "described", lambda *args, level="as written": described(*args))
    assert f"aten.{name}.default" in {missing.operation for missing in find(model, x).uncovered}
