"""Zeros beside channels: blocks of one number that everything else treats as one wire, and what tells them apart."""

from collections.abc import Callable
from math import factorial, prod
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parasym import ActivationMatching, WeightMatching, distance, find, match, verify
from parasym.core import model_params


class Model(nn.Module):
    """A sum of a layer and of something that was joined to constants, read by another layer."""

    def __init__(self, joined: Callable[[Tensor], Tensor], after: Callable[[Tensor], Tensor], width: int, n: int = 2):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(3, n), nn.Linear(3, width), nn.Linear(width, 2)
        self.joined, self.after = joined, after

    def forward(self, x: Tensor) -> Tensor:
        return self.c(self.after(torch.relu(self.b(x) + self.joined(torch.relu(self.a(x))))))


class Shortcut(nn.Module):
    """A residual block with a shortcut without parameters: every other pixel, zeros before and after the channels."""

    def __init__(self, n: int, before: int, behind: int):
        super().__init__()
        self.sides = (before, behind)
        m = n + before + behind
        self.c0, self.c1, self.c2 = nn.Conv2d(3, n, 1), nn.Conv2d(n, 3, 3, 2, 1), nn.Conv2d(3, m, 3, 1, 1)
        self.fc = nn.Linear(m, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.c0(x))
        y = self.c2(torch.relu(self.c1(h)))
        return self.fc(torch.relu(y + F.pad(h[:, :, ::2, ::2], (0, 0, 0, 0, *self.sides))).mean((2, 3)))


class Heads(nn.Module):
    """Whole heads of zeros before and after those of a layer: each head is a sum of three channels in the end."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(3, 6), nn.Linear(3, 18), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.b(x) + F.pad(torch.relu(self.a(x)), (6, 6)))
        return self.c(h.unflatten(1, (6, 3))).tanh().sum(1)


def beside(first: float, last: float) -> Callable[[Tensor], Tensor]:
    def join(h: Tensor) -> Tensor:
        sides = [torch.full((len(h), 2), number, dtype=h.dtype) for number in (first, last)]
        return torch.cat([sides[0], h, sides[1]], -1)

    return join


def same(h: Tensor) -> Tensor:
    return h


def marked(*numbers: float) -> Callable[[Tensor], Tensor]:
    return lambda h: h * torch.tensor(numbers, dtype=h.dtype)


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], tuple[int, ...]]] = {
    # A model, the shape of its input, and the sizes of its symmetric groups.
    "padded on both sides": (lambda: Model(lambda h: F.pad(h, (1, 3)), same, 6), (7, 3), (2, 4)),
    "padded on one side": (lambda: Model(lambda h: F.pad(h, (0, 3)), same, 5), (7, 3), (2, 3)),
    "joined to zeros": (lambda: Model(beside(0, 0), same, 6), (7, 3), (2, 4)),
    "joined to ones": (lambda: Model(beside(1, 1), same, 6), (7, 3), (2, 4)),
    "joined to two numbers": (lambda: Model(beside(1, 2), same, 6), (7, 3), (2, 2, 2)),
    "a mask tells the sides apart": (lambda: Model(beside(0, 0), marked(1, 1, 1, 1, 2, 2), 6), (7, 3), (2, 2, 2)),
    "a mask tells nothing apart": (lambda: Model(beside(0, 0), marked(2, 2, 1, 1, 2, 2), 6), (7, 3), (2, 4)),
    "a side is read alone": (lambda: Model(beside(0, 0), lambda h: h + h[:, :2].sum(-1, keepdim=True), 6), (7, 3), (2, 2, 2)),
    "padded by whole heads": (Heads, (7, 3), (2, 4, 3)),
    "joined twice": (lambda: Model(lambda h: F.pad(F.pad(h, (1, 1)), (1, 1)), same, 6), (7, 3), (2, 4)),
    "cut and padded": (lambda: Model(lambda h: F.pad(h, (-1, 2)), same, 4, n=3), (7, 3), (2, 2)),
    "the shortcut of a narrow residual network": (lambda: Shortcut(2, 1, 1), (5, 3, 4, 4), (2, 3, 2)),
    "a wider one": (lambda: Shortcut(4, 2, 2), (5, 3, 4, 4), (4, 3, 4)),
    "a crooked one": (lambda: Shortcut(2, 3, 1), (5, 3, 4, 4), (2, 3, 4)),
}


def _made(name: str) -> tuple[Any, ...]:
    torch.manual_seed(0)
    build, shape, sizes = CASES[name]
    model, x = build().double(), torch.randn(shape, dtype=torch.float64)
    return model, x, sizes, find(model, x)


MADE: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    # Two channels of one number made from an activation, and the number.
    "zeros_like": (lambda h: torch.zeros_like(h), 0),
    "ones_like": (lambda h: torch.ones_like(h), 1),
    "new_zeros": (lambda h: h.new_zeros(len(h), 2), 0),
    "new_ones": (lambda h: h.new_ones(len(h), 2), 1),
    "full_like": (lambda h: torch.full_like(h, 3), 3),
    "new_full": (lambda h: h.new_full((len(h), 2), 3), 3),
}


@pytest.mark.parametrize("name", MADE)
def test_what_number_is_made(name: str):
    """Channels that are joined to equal numbers on both sides are one wire, so that the number counts."""
    make, number = MADE[name]
    for other, order in ((number, 48), (number + 1, 8)):
        torch.manual_seed(0)
        model = Model(lambda h, other=other: torch.cat([make(h), h, torch.full((7, 2), other, dtype=h.dtype)], -1), same, 6)
        assert find(model.double(), torch.randn(7, 3, dtype=torch.float64)).order == order


@pytest.mark.parametrize("name", CASES)
def test_permutations(name: str):
    model, x, sizes, symmetry = _made(name)
    assert symmetry.order == prod(map(factorial, sizes)), symmetry
    report = verify(model, symmetry, x, complete=False)
    assert report.holds == "yes"
    assert all(row.moved > 1e-3 for row in report.rows)


def test_channels_change_sides():
    """The claim is more than permutations within a side and an exchange of the sides: one channel may move alone."""
    model, x, _, symmetry = _made("padded on both sides")
    permuted = next(f for f in symmetry.factors if f.order == factorial(4))
    params = model_params(model)
    moved = permuted.act(torch.tensor([1, 0, 2, 3]), params)
    assert torch.equal(moved["b.bias"][[0, 3]], params["b.bias"][[3, 0]])
    assert torch.equal(moved["b.bias"][[1, 2, 4, 5]], params["b.bias"][[1, 2, 4, 5]])
    torch.testing.assert_close(torch.func.functional_call(model, moved, (x,)), model(x))


@pytest.mark.parametrize("method", [WeightMatching(), ActivationMatching], ids=["weights", "activations"])
@pytest.mark.parametrize("name", ["padded on both sides", "the shortcut of a narrow residual network"])
def test_a_planted_copy_comes_back(name: str, method: Any):
    model, x, _, symmetry = _made(name)
    params = model_params(model)
    other = symmetry.sample(generator=torch.Generator().manual_seed(1))(params)
    assert (
        params["c2.weight" if "c2.weight" in params else "b.weight"] - other["c2.weight" if "c2.weight" in params else "b.weight"]
    ).abs().max() > 1e-3
    how = method if isinstance(method, WeightMatching) else method(model, x)
    found = match(symmetry, params, other, method=how)
    size = sum(float(p.square().sum()) for p in params.values()) ** 0.5
    assert found.after < 1e-8 * size
    assert distance(symmetry, params, other) < 1e-8 * size
