"""What goes wrong inside: a bug in a rule or a search is told from an operation without a rule, and loses only its own."""

import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from parasym.core import BadInputError, InternalError, InternalWarning
from parasym.find import find
from parasym.rules.rule import Rule
from parasym.symmetry import Symmetry
from parasym.verify import verify

X = torch.zeros(2, 4)


def raises(error: type[Exception]) -> Callable[..., Any]:
    def lower(*_: Any) -> Any:
        raise error("planted")

    return lower


def has_no_such_attribute(b: Any, x: Any) -> Any:
    return b.pointwise(x.group)


def calls_wrongly(b: Any, x: Any) -> Any:
    return b.mul(x)


BUGS = {
    "AttributeError": has_no_such_attribute,
    "TypeError": calls_wrongly,
    **{e.__name__: raises(e) for e in (KeyError, IndexError, ZeroDivisionError, AssertionError, RecursionError, RuntimeError)},
}


class Net(nn.Module):
    """Two hidden layers, of which only the second goes through ``tanh``."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.act, self.c = nn.Linear(4, 3), nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.c(self.act(self.b(self.a(x).relu())))


def exported(model: nn.Module) -> Any:
    return torch.export.export(model, (X,))


@pytest.mark.parametrize("given", [Net, lambda: exported(Net())], ids=["module", "program"])
@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_in_a_rule_is_no_missing_rule(monkeypatch: pytest.MonkeyPatch, bug: str, given: Callable[[], Any]) -> None:
    model = given()
    whole = [factor.label for factor in find(model, (X,)).factors]
    monkeypatch.setitem(sys.modules["parasym.find.lower"].BY_NAME, "tanh", Rule(("tanh",), BUGS[bug]))
    with pytest.warns(InternalWarning, match=r"aten.tanh.default.*a bug in parasym, please report: its rule fails with") as told:
        symmetry = find(model, (X,))
    assert len(told) == 1
    (entry,) = symmetry.uncovered
    assert "a bug in parasym" in entry.reason
    assert bug in entry.reason
    assert "no rule" not in entry.reason
    assert [factor.label for factor in symmetry.factors] == ["scale(3)", "S(3)"] != whole


def test_a_rule_that_does_not_cover_a_call_is_no_bug(monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder) -> None:
    monkeypatch.setitem(sys.modules["parasym.find.lower"].BY_NAME, "tanh", Rule(("tanh",), lambda b: None))
    assert find(Net(), (X,)).uncovered[0].reason == "its rule does not cover these arguments"
    monkeypatch.delitem(sys.modules["parasym.find.lower"].BY_NAME, "tanh")
    assert find(Net(), (X,)).uncovered[0].reason == "no rule covers this operation"
    assert not [w for w in recwarn if issubclass(w.category, InternalWarning)]


@pytest.mark.parametrize("name", ["translations", "exchanges", "flat_directions"])
def test_a_bug_in_a_search_loses_its_own_factors(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(sys.modules["parasym.find.search"], name, raises(AttributeError))
    with pytest.warns(InternalWarning, match="a bug in parasym, please report: the search for"):
        symmetry = find(Net(), (X,))
    assert {"S(3)", "S(5)"} <= {factor.label for factor in symmetry.factors}
    assert len(symmetry.uncovered) == 1
    assert Symmetry.from_json(symmetry.to_json()) == symmetry


def test_any_other_bug_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["parasym.find.search"], "infer_types", raises(KeyError))
    with pytest.raises(InternalError, match=r"^Net: a bug in parasym, please report: find fails with .*2x4:float32\.$"):
        find(Net(), (X,))


LAZY = {
    "linear": lambda: nn.Sequential(nn.LazyLinear(3), nn.ReLU(), nn.Linear(3, 2)),
    "convolution": lambda: nn.Sequential(nn.LazyConv1d(3, 1), nn.ReLU()),
    "statistics": lambda: nn.Sequential(nn.Linear(4, 3), nn.LazyBatchNorm1d()),
}


@pytest.mark.parametrize("kind", LAZY)
def test_a_lazy_module_is_one_line(kind: str) -> None:
    model = LAZY[kind]()
    words = "has no shape yet: a lazy module gets its parameters in its first call"
    with pytest.raises(BadInputError, match=words):
        find(model, (X,))
    with pytest.raises(BadInputError, match=words):
        verify(model, find(Net(), (X,)), (X,))
    x = X[:, :, None] if kind == "convolution" else X
    model(x)
    assert len(find(model, (x,)).shapes) == len(model.state_dict())


class Scaled(nn.Module):
    """Hidden channels times a constant, in the arithmetic that ``run`` says."""

    def __init__(self, constant: Tensor, run: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.a, self.b, self.run = nn.Linear(4, 5), nn.Linear(5, 2), run
        self.register_buffer("constant", constant)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.run(self.a(x).tanh(), self.get_buffer("constant")))


PAIRS, ONES = torch.tensor([1.0, 1.0, 2.0, 2.0, 3.0]), torch.ones(5)
EIGHT = (torch.float8_e4m3fn, torch.float8_e5m2)
STRANGE = {
    **{f"{dtype} pairs": (PAIRS.to(dtype), "S(2) x S(2)") for dtype in (*EIGHT, torch.bfloat16, torch.float16, torch.uint16)},
    **{f"{dtype} ones": (ONES.to(dtype), "S(5)") for dtype in (*EIGHT, torch.float8_e8m0fnu)},
    "negative view": (torch.complex(ONES, -PAIRS).conj().imag, "S(2) x S(2)"),
    "conjugate": ((PAIRS + 0j).conj(), "S(2) x S(2)"),
    "conjugate of pairs": (torch.complex(ONES, PAIRS).conj(), "S(2) x S(2)"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_constants_of_every_type_tell_channels_apart(name: str) -> None:
    constant, expected = STRANGE[name]
    run = (lambda h, c: h * c.abs()) if constant.is_complex() else (lambda h, c: h * c.to(h.dtype))
    model = Scaled(constant, run)
    symmetry = find(model, (X,), check=True)
    assert [f.label for f in symmetry.factors if f.label.startswith("S(")] == [expected]
    assert verify(model, symmetry, (torch.randn(6, 4),)).holds == "yes"


@pytest.mark.parametrize("conjugate", [False, True])
def test_a_constant_in_complex_arithmetic(conjugate: bool) -> None:
    constant = torch.complex(ONES, PAIRS)
    model = Scaled(
        constant.conj() if conjugate else constant, lambda h, c: torch.view_as_real((h + 0j) * c.resolve_conj()).sum(-1)
    )
    symmetry = find(model, (X,), check=True)
    assert verify(model, symmetry, (torch.randn(6, 4),)).holds == "yes"
    assert find(Scaled(constant.conj(), lambda h, c: ((h + 0j) * c.conj()).real), (X,)).uncovered


@pytest.mark.parametrize("dtype", EIGHT)
def test_a_model_stored_in_eight_bits_is_found_and_not_moved(dtype: torch.dtype) -> None:
    class Stored(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w, self.b = nn.Parameter(torch.randn(5, 4).to(dtype), requires_grad=False), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.b((x @ self.w.to(x.dtype).T).relu())

    model = Stored()
    symmetry = find(model, (X,))
    assert [factor.label for factor in symmetry.factors] == ["scale(5)", "S(5)"]
    assert verify(model, symmetry, (torch.randn(6, 4),)).holds == "yes"
    with pytest.raises(BadInputError, match=r"`w` is stored in float8_.*Cast it to bfloat16"):
        symmetry.sample(generator=torch.Generator().manual_seed(0))(model)
