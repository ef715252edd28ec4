"""Unification of axes: two types become one of the same length, or they conflict; nothing is cut where it does not fit."""

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from parasym.find import axis as types
from parasym.find import find
from parasym.find.axis import Axis, Conflict, Leaf, Product, Sum, fresh, product, resolve, split_product, split_sum, total, unify
from parasym.verify import verify


def blocks(*sizes: int) -> Axis:
    return total([fresh(n) for n in sizes])


def grid(*sizes: int) -> Axis:
    return product([fresh(n) for n in sizes])


def drawn(size: int, draw: random.Random, depth: int = 3) -> Axis:
    """A random type of an axis of some length."""
    kind = draw.randrange(3) if depth and size > 1 else 0
    if kind == 1:
        at = draw.randrange(1, size)
        return total([drawn(at, draw, depth - 1), drawn(size - at, draw, depth - 1)])
    divisors = [n for n in range(2, size) if size % n == 0]
    if kind == 2 and divisors:
        outer = draw.choice(divisors)
        return product([drawn(outer, draw, depth - 1), drawn(size // outer, draw, depth - 1)])
    return fresh(size)


def wires(axis: Axis) -> list[Leaf]:
    axis = resolve(axis)
    return [axis] if isinstance(axis, Leaf) else [wire for part in axis.parts for wire in wires(part)]


def shape(axis: Axis) -> object:
    """The type with its wires numbered in order."""
    names: dict[int, int] = {}

    def of(x: Axis) -> object:
        if isinstance(x, Leaf):
            return names.setdefault(id(x), len(names)), x.size
        return type(x).__name__, tuple(of(part) for part in x.parts)

    return of(resolve(axis))


@given(st.integers(2, 48), st.integers(0, 2**31))
def test_what_is_unified_is_one_type_of_the_same_length(size: int, seed: int) -> None:
    draw = random.Random(seed)
    a, b, c = (drawn(size, draw) for _ in range(3))
    before = {id(wire): wire.size for axis in (a, b, c) for wire in wires(axis)}
    kept = [wire for axis in (a, b, c) for wire in wires(axis)]
    assert {resolve(x).size for x in (a, b, c)} == {size}
    for one, other in ((a, b), (b, c)):
        try:
            unify(one, other)
        except Conflict:
            continue
        assert resolve(one) == resolve(other)
        assert resolve(one).size == size
    assert all(resolve(wire).size == before[id(wire)] for wire in kept)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((blocks, (3, 5)), (grid, (4, 2))),
        ((blocks, (1, 5)), (grid, (3, 2))),
        ((grid, (2, 3)), (grid, (3, 2))),
        ((blocks, (5, 1)), (grid, (2, 3))),
    ],
)
def test_what_has_no_common_cut_conflicts(a: tuple, b: tuple) -> None:
    for left, right in ((a, b), (b, a)):
        with pytest.raises(Conflict):
            unify(left[0](*left[1]), right[0](*right[1]))


def test_what_has_a_common_cut_is_cut_there() -> None:
    x, y = blocks(4, 6), grid(5, 2)
    unify(x, y)
    assert shape(x) == shape(y) == ("Sum", (("Product", ((0, 2), (1, 2))), ("Product", ((2, 3), (1, 2)))))
    x, y = blocks(2, 6), blocks(4, 4)
    unify(x, y)
    assert [wire.size for wire in wires(x)] == [2, 2, 4]
    x, y = grid(2, 6), grid(4, 3)
    unify(x, y)
    assert shape(x) == shape(y) == ("Product", ((0, 2), (1, 2), (2, 3)))


def test_cuts_through_products_conflict() -> None:
    with pytest.raises(Conflict):
        split_sum(grid(4, 2), 3)
    with pytest.raises(Conflict):
        split_product(fresh(7), 2)
    with pytest.raises(Conflict):
        split_product(grid(4, 6), 6)
    head, tail = split_sum(grid(4, 2), 6)
    assert (head.size, tail.size) == (6, 2)
    first, second = split_product(grid(4, 6), 8)
    assert (first.size, second.size) == (8, 3)
    assert isinstance(first, Product)
    assert isinstance(resolve(blocks(2, 3)), Sum)


class Cut(nn.Module):
    """Two branches side by side, read as pairs that may run from one into the other."""

    def __init__(self, left: int, right: int) -> None:
        super().__init__()
        self.left, self.right, self.outer, self.last = nn.Linear(4, left), nn.Linear(4, right), nn.Linear(4, 4), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        pairs = torch.cat([self.left(x), self.right(x)], -1).unflatten(-1, (4, 2))
        return self.last((pairs * self.outer(x)[:, :, None]).flatten(1))


@pytest.mark.parametrize(("left", "right", "free"), [(4, 4, True), (3, 5, False)])
def test_pairs_that_run_from_one_branch_into_the_other_hold_their_channels(left: int, right: int, free: bool) -> None:
    x = (torch.randn(9, 4, generator=torch.Generator().manual_seed(0)),)
    model = Cut(left, right)
    symmetry = find(model, x, check=True)
    assert verify(model, symmetry, x).holds == "yes"
    assert any(f.group.permutes for f in symmetry.factors) == free


def test_a_forgotten_division_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgiving(int):
        def __mod__(self, other: int) -> int:
            return 0

    x, y = blocks(3, 5), grid(4, 2)
    for wire in wires(x):
        wire.size = Forgiving(wire.size)
    types.unify(x, y)  # as if the guard were not there
    assert resolve(x).size != 8
