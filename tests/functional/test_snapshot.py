"""What a model's code makes of some parameters and keeps has no say in a call at others, and nobody finds it afterwards."""

import importlib
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from parasym.core import CaptureError, Params, model_params
from parasym.find import find
from parasym.functional import Call, snapshot
from parasym.functional.evaluator import evaluator
from parasym.functional.run import run
from parasym.verify import verify
from tests.find.ways_to_remember import TABLE, WAYS, Attribute, Dictionary, Remembers, clear

X = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
LAYERS = ("a.weight", "a.bias", "b.weight", "b.bias")


@pytest.fixture(autouse=True)
def nothing_remembered():
    clear()
    yield
    clear()


def by_evaluator(model: nn.Module) -> Callable[[Params], Tensor]:
    function, _ = evaluator(model, torch.float32, seed=0)
    return lambda params: function(params, Call((X,)))[0].detach()


def by_run(model: nn.Module) -> Callable[[Params], Tensor]:
    return lambda params: run(model, params, Call((X,)))


def stale(way: type[Remembers], of: Callable[[nn.Module], Callable[[Params], Tensor]]) -> list[str]:
    """Return what a call at some parameters changes: a call at others, or what the model holds."""
    model = way("parameters")
    here = {name: x.detach().clone() for name, x in model_params(model).items() if name in LAYERS}
    points = (here, {name: x + 1.0 for name, x in here.items()})
    expected = [at_once(way, point) for point in points]
    before, function = model.held(), of(model)
    wrong = [] if [*map(torch.allclose, map(function, points), expected)] == [True, True] else ["its outputs"]
    wrong += [] if [id(x) for x in before] == [id(x) for x in model.held()] else ["what it holds"]
    with torch.no_grad():
        return wrong if torch.allclose(model(X), expected[0]) else [*wrong, "its forward"]


def at_once(way: type[Remembers], params: Params) -> Tensor:
    """Return the outputs of a model that has never seen other parameters."""
    model = way("parameters")
    model.load_state_dict(params, strict=False)
    with torch.no_grad():
        found = model(X)
    clear()
    return found


@pytest.mark.parametrize("of", [by_evaluator, by_run])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_call_knows_of_no_other(way: type[Remembers], of: Callable[[nn.Module], Callable[[Params], Tensor]]):
    assert stale(way, of) == []


@pytest.mark.parametrize("of", [by_evaluator, by_run])
def test_the_check_sees_what_is_kept(of: Callable[[nn.Module], Callable[[Params], Tensor]], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(snapshot.Snapshot, "forget", lambda self: None)
    assert "its outputs" in stale(Attribute, of)


class Biased(Dictionary):
    """Attention of two heads with a bias for every pair of tokens, looked up once for every length."""

    def __init__(self) -> None:
        super().__init__("parameters")
        self.qkv, self.out = nn.Linear(4, 12), nn.Linear(4, 2)
        self.bias = nn.Parameter(torch.randn(2, 5))
        self.register_buffer("pairs", (torch.arange(5)[:, None] - torch.arange(5)).abs())

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).view(len(x), 5, 3, 2, 2).permute(2, 0, 3, 1, 4)
        bias = self.recall(5, lambda: self.bias[:, self.get_buffer("pairs")])
        return self.out(((q @ k.mT + bias).softmax(-1) @ v).transpose(1, 2).flatten(2))


def test_heads_whose_biases_are_looked_up_once_are_exchanged():
    torch.manual_seed(0)
    model, x = Biased().eval(), torch.randn(3, 5, 4)
    found = find(model, (x,), check=True)
    assert "S(2)" in [factor.label.partition(" ")[0] for factor in found.factors]
    assert found.self_check is not None
    assert (found.self_check.error or 0.0) < 1e-10
    verify(model, found, (x,), complete=False).raise_if_fails()


def test_a_model_that_was_called_before_is_copied_and_checked_as_it_stands():
    torch.manual_seed(0)
    model, x = Biased().eval(), torch.randn(3, 5, 4)
    held = model(x).grad_fn is not None and model.cache[5]
    found = find(model, (x,), check=True)
    assert found.self_check is not None
    assert (found.self_check.error or 0.0) < 1e-10  # the table is a constant now, and tells the heads apart
    assert not any(factor.label.startswith("S(2)") for factor in found.factors)
    verify(model, found, (x,), complete=False).raise_if_fails()
    assert model.cache[5] is held


def test_the_old_weight_norm_is_copied_too():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        layer: nn.Module = torch.nn.utils.weight_norm(nn.Linear(3, 4))
    model = nn.Sequential(layer, nn.ReLU(), nn.Linear(4, 2))
    found = find(model, (X,), check=True)
    assert found.self_check is not None
    assert (found.self_check.error or 0.0) < 1e-10
    verify(model, found, (X,)).raise_if_fails()


def test_what_others_do_between_two_calls_stays(monkeypatch: pytest.MonkeyPatch):
    function = by_evaluator(Attribute("parameters"))
    monkeypatch.setitem(TABLE, "mine", 1)
    function({})
    assert TABLE == {"mine": 1}


DRAWS = {
    "random": ("import random", "random.random()"),
    "a function of random": ("from random import gauss", "gauss(0.0, 1.0)"),
    "numpy": ("import numpy as np", "np.random.rand()"),
    "numpy.random": ("import numpy.random as numbers", "numbers.rand()"),
    "a function of numpy": ("from numpy.random import rand", "rand()"),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("draws", [True, False])
def test_what_a_file_draws_in_python_is_found(name: str, draws: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    imported, draw = DRAWS[name]
    source = f"from torch import nn\n{imported}\n\nclass Net(nn.Module):\n    def forward(self, x):\n        return x * {draw}"
    (tmp_path / "net_that_draws.py").write_text(source if draws else source.replace(draw, "2.0"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "net_that_draws", raising=False)
    model = importlib.import_module("net_that_draws").Net()
    before = snapshot.Snapshot(model)
    first = model(X)
    if draws:
        with pytest.raises(CaptureError, match="draws random numbers in Python"):
            before.check_draws(model)
    else:
        before.check_draws(model)
    before.restore()
    assert torch.equal(model(X), first)  # the generators stand where they stood
