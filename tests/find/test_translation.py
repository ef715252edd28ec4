"""A search for shifts that gives up says so, and what it finds then is part of what it finds otherwise."""

import sys

import pytest
import torch
from torch import Tensor, nn

from parasym.find import find
from parasym.find.translation import Trees
from parasym.symmetry import Coarse, Symmetry
from parasym.verify import verify


class Tables(nn.Module):
    """Four tables that are added up before a normalization and many layers, with a token of their own in front."""

    def __init__(self, depth: int = 3) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(5, 4) for _ in range(4))
        self.cls, self.norm, self.out = nn.Parameter(torch.randn(1, 1, 4)), nn.LayerNorm(4), nn.Linear(4, 2)
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(depth))

    def forward(self, i: Tensor) -> Tensor:
        a, b, c, d = self.tables
        h = torch.cat([self.cls.expand(i.shape[0], 1, 4), a(i) + b(i) + c(i) + d(i)], 1)
        h = self.norm(h)
        for layer in self.layers:
            h = h + layer(h).tanh()
        return self.out(h.mean(1))


IDS = (torch.randint(0, 5, (6, 3), generator=torch.Generator().manual_seed(0)),)


def found(depth: int = 3) -> Symmetry:
    torch.manual_seed(0)
    return find(Tables(depth), IDS)


def given_up(symmetry: Symmetry) -> list[Coarse]:
    return [pin for pin in symmetry.coarse if pin.operation == "search for shifts"]


def test_nothing_is_said_where_nothing_is_given_up() -> None:
    assert found().coarse == ()


@pytest.mark.parametrize(
    ("bound", "number", "words", "cost"),
    [
        ("TRIES", 2, "followed for 2 steps", "tables.0.weight"),
        ("DEPTH", 2, "followed through 2 operations", "tables.1.weight"),
        ("PATHS", 0, "taken away in 0 sums", "norm.bias"),
    ],
)
def test_a_bound_that_is_reached_is_named(
    bound: str, number: int, words: str, cost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["parasym.find.carriers"], bound, number)
    symmetry = found()
    (pin,) = [pin for pin in given_up(symmetry) if words in pin.reason]
    assert cost in pin.tensors
    assert pin.entries == sum(torch.Size(dict(symmetry.shapes)[name]).numel() for name in pin.tensors)
    assert str(pin) in str(symmetry)
    assert Symmetry.from_json(symmetry.to_json()).coarse == symmetry.coarse
    verify(Tables(), symmetry, IDS, complete=False).raise_if_fails()


def test_pairs_that_say_nothing_new_are_known() -> None:
    """Tables that are added up are joined by as many pairs as there are tables, less one, in whatever way they were found."""
    trees = Trees()
    for pair in ((("a", 4), ("b", 4)), (("b", 4), ("c", 4))):
        assert not trees.joins(pair)
        trees.join(pair)
    trees.join(None)
    assert trees.joins((("a", 4), ("c", 4)))
    assert not any(trees.joins(pair) for pair in (None, (("a", 4), ("d", 4)), (("a", 2), ("c", 2))))


@pytest.mark.parametrize("number", [1, 3, 8, 21])
def test_who_gives_up_finds_no_more(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = found()
    monkeypatch.setattr(sys.modules["parasym.find.carriers"], "TRIES", number)
    assert found().dimension <= everything.dimension


def test_null_directions_that_are_not_kept_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["parasym.find.nulls"], "MOST", 0)
    (pin,) = [pin for pin in given_up(found()) if "kinds of shifts" in pin.reason]
    assert {"tables.0.weight", "cls"} <= set(pin.tensors)
    assert "out.weight" not in pin.tensors
