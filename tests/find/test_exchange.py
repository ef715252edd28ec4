"""Summed branches of one form may change places; branches that differ in anything may not."""

import sys
from collections.abc import Callable
from math import factorial

import pytest
import torch
from torch import Tensor, nn

from parasym.find import find
from parasym.find.structure import TooManyCells
from parasym.symmetry import Swap, Symmetry
from parasym.verify import verify


class Experts(nn.Module):
    """Three experts in a list, put together by ``combine``."""

    def __init__(self, combine: Callable[[Tensor, list[Tensor]], Tensor], odd_one: nn.Module | None = None) -> None:
        super().__init__()
        self.gate = nn.Linear(4, 3)
        middle = [nn.GELU(), odd_one or nn.GELU(), nn.GELU()]
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(4, 5), m, nn.Linear(5, 2)) for m in middle)
        self.combine = combine

    def forward(self, x: Tensor) -> Tensor:
        return self.combine(self.gate(x).softmax(-1), [expert(x) for expert in self.experts])


def members(symmetry: Symmetry) -> list[int]:
    return [len(b.members) for factor in symmetry.factors for b in factor.bindings if isinstance(b, Swap)]


GATED = {
    "loop": lambda g, e: sum(g[:, k : k + 1] * y for k, y in enumerate(e)),
    "stack": lambda g, e: (torch.stack(e, 1) * g[:, :, None]).sum(1),
    "einsum": lambda g, e: torch.einsum("be,bed->bd", g, torch.stack(e, 1)),
    "plain sum": lambda g, e: e[0] + (e[1] + e[2]),
}


@pytest.mark.parametrize("combine", GATED.values(), ids=GATED.keys())
def test_experts_are_exchangeable(combine: Callable[[Tensor, list[Tensor]], Tensor]):
    model = Experts(combine)
    args = (torch.randn(6, 4, generator=torch.Generator().manual_seed(0)),)
    symmetry = find(model, args)
    assert members(symmetry) == [3]
    assert symmetry.order == 6 * factorial(5) ** 3
    verify(model, symmetry, args).raise_if_fails()
    assert Symmetry.from_json(symmetry.to_json()) == symmetry


DIFFERENT = {
    "another activation": (Experts(GATED["loop"], nn.SiLU()), [2]),
    "another factor": (Experts(lambda g, e: e[0] + 2.0 * e[1] + e[2]), [2]),
    "another sign": (Experts(lambda g, e: e[0] - e[1] + e[2]), [2]),
    "another gate": (Experts(lambda g, e: g[:, :1] * e[0] + g[:, 1:2] * e[1] + e[2]), [2]),
    "side by side": (Experts(lambda g, e: torch.cat(e, -1)), []),
    "one after the other": (nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 4), nn.GELU()), []),
    "seen by an operation without a rule": (Experts(lambda g, e: e[0] + e[1] + e[2] + e[1].sort(-1).values), [2]),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_different_branches_are_not(name: str):
    model, expected = DIFFERENT[name]
    args = (torch.randn(6, 4, generator=torch.Generator().manual_seed(0)),)
    symmetry = find(model, args)
    assert members(symmetry) == expected
    verify(model, symmetry, args, complete=False).raise_if_fails()


class Branches(nn.Module):
    """Two layers of one kind, whose outputs are read by ``read`` and added."""

    def __init__(self, layer: Callable[[], nn.Module], read: Callable[[Tensor, int], Tensor], numbers: tuple[int, int]) -> None:
        super().__init__()
        self.a, self.b, self.read, self.numbers = layer(), layer(), read, numbers

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.a(x), self.numbers[0]) + self.read(self.b(x), self.numbers[1])


class Normalized(nn.Module):
    """A linear map and statistics that are read twice: by the normalization, and as they are."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.layer, self.norm = nn.Linear(4, 3), nn.BatchNorm1d(3, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        assert self.norm.running_var is not None
        return torch.tanh(self.norm(self.layer(x))) + self.norm.running_var


SIGNAL = (lambda: nn.Conv1d(3, 2, 3, padding=1), torch.randn(2, 3, 8))
IMAGE = (lambda: nn.Conv2d(2, 2, 3, padding=1), torch.randn(2, 2, 6, 6))
TOKENS = (lambda: nn.Embedding(7, 4), torch.randint(0, 7, (3, 8)))
SEQUENCE = (lambda: nn.Linear(3, 4), torch.randn(4, 6, 3))
WINDOWS: dict[str, tuple] = {
    "stencil": (*SIGNAL, lambda h, k: torch.relu(h)[..., k : k + 6], (1, 2)),
    "one position": (*SIGNAL, lambda h, k: torch.relu(h)[..., k], (3, 4)),
    "maximum over windows of different length": (*SIGNAL, lambda h, k: torch.relu(h)[..., :k].amax(-1), (3, 4)),
    "words of a trigram": (*TOKENS, lambda h, k: torch.tanh(h)[:, k : k + 6], (1, 2)),
    "crops": (*IMAGE, lambda h, k: torch.relu(h)[..., k : k + 3, 1:5], (1, 2)),
    "samples of the batch": (*SEQUENCE, lambda h, k: torch.relu(h)[k : k + 2], (0, 1)),
    "every second": (*SIGNAL, lambda h, k: torch.relu(h)[..., k::2], (0, 1)),
    "dilation": (*SIGNAL, lambda h, k: nn.functional.max_pool1d(h, 2, 1, dilation=k)[..., :6], (1, 2)),
    "negative powers": (*SEQUENCE, lambda h, k: (1 + h.square()) ** k, (-1, -2)),
    "factors of a subtraction": (*SEQUENCE, lambda h, k: torch.tanh(torch.sub(h, 1.0, alpha=k)), (-1, -2)),
    "weights in bfloat16": (*SEQUENCE, lambda h, k: torch.tanh(h * torch.tensor(float(k)).to(torch.bfloat16)), (1, 2)),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_branches_read_in_different_ways_are_not_exchangeable(name: str):
    layer, x, read, numbers = WINDOWS[name]
    for given, expected in ((numbers, []), ((numbers[1],) * 2, [2])):
        model = Branches(layer, read, given)
        symmetry = find(model, (x,))
        assert members(symmetry) == expected
        assert not symmetry.uncovered
        verify(model, symmetry, (x,), complete=False).raise_if_fails()


@pytest.mark.parametrize(("eps", "expected"), [((1e-5, 0.5), []), ((0.5, 0.5), [2])])
def test_an_epsilon_is_remembered_where_statistics_are_read_twice(eps: tuple[float, float], expected: list[int]):
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.branches = nn.ModuleList(map(Normalized, eps))

        def forward(self, x: Tensor) -> Tensor:
            return self.branches[0](x) + self.branches[1](x)

    model, args = Sum().eval(), (torch.randn(5, 4),)
    symmetry = find(model, args)
    assert members(symmetry) == expected
    verify(model, symmetry, args, complete=False).raise_if_fails()


def test_windows_of_channels_are_parts_that_may_change_places():
    model = Branches(SEQUENCE[0], lambda h, k: torch.relu(h)[..., k : k + 2], (0, 2))
    symmetry = find(model, (SEQUENCE[1],))
    assert members(symmetry) == [2]
    verify(model, symmetry, (SEQUENCE[1],), complete=False).raise_if_fails()


class Many(nn.Module):
    """As many equal branches as wanted."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.up = nn.ModuleList(nn.Linear(3, 2) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([up(x).tanh() for up in self.up]).sum(0)


def test_branches_that_were_not_tried_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    x = (torch.zeros(2, 3),)
    whole = find(Many(9), x)
    assert (members(whole), whole.coarse) == ([9], ())
    module = sys.modules["parasym.find.exchange"]
    monkeypatch.setattr(module, "MOST", 8)
    assert find(Many(9), x).coarse == ()
    monkeypatch.setattr(module, "MOST", 5)
    symmetry = find(Many(9), x)
    assert members(symmetry) == [6]
    (pin,) = symmetry.coarse
    assert pin.tensors == tuple(f"up.{k}.{part}" for k in (6, 7, 8) for part in ("weight", "bias"))
    assert pin.entries == 3 * 8
    assert "5 pairs of branches were tried, and there are more of one form" in str(symmetry)
    assert Symmetry.from_json(symmetry.to_json()).coarse == symmetry.coarse


def test_branches_that_cannot_be_compared_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> None:
        raise TooManyCells

    monkeypatch.setattr(sys.modules["parasym.find.exchange"], "Fingerprints", fails)
    (pin,) = find(Many(3), (torch.zeros(2, 3),)).coarse
    assert len(pin.tensors) == 6
    assert "branches are not compared" in pin.reason
    assert find(nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.Linear(4, 2)), (torch.zeros(2, 3),)).coarse == ()


def test_two_tables_that_are_read_twice_change_places_once():
    class Twice(nn.Module):
        """As where both corners of a box are looked up: each table is a branch of the sum twice."""

        def __init__(self) -> None:
            super().__init__()
            self.x, self.y, self.out = nn.Embedding(5, 4), nn.Embedding(5, 4), nn.Linear(4, 2)

        def forward(self, i: torch.Tensor) -> torch.Tensor:
            corners = [self.x(i), self.y(i), self.x(i), self.y(i)]
            return self.out(sum(torch.relu(corner) for corner in corners))

    symmetry = find(Twice(), (torch.zeros(3, dtype=torch.long),), check=True)
    assert symmetry.uncovered == symmetry.refuted == ()
    assert [f.tensors for f in symmetry.factors if f.tensors == ("x.weight", "y.weight")] == [("x.weight", "y.weight")]
