"""Copies that were moved along the orbit come back, without restarts: a fixed tenth of the cells of `make planted`."""

from collections import Counter

import pytest
import torch

from parasym.orbit import METHODS, Aligned, WeightMatching
from parasym.symmetry import Element
from parasym.testing.planted import ALL, BOUNDS, Cell, cells, found, moved_copy, recovery
from parasym.zoo import ZOO

NAMES = [entry.name for entry in ZOO if found(entry.name)[1].factors]
TENTH = [cell for k, cell in enumerate(cells()) if (k + k // 10) % 10 == 7]
"""One of every ten, another one each time: methods and precisions alternate."""


def name_of(cell: Cell) -> str:
    return f"{cell.method}-{cell.kind}-{cell.model}-{str(cell.dtype).removeprefix('torch.')}"


@pytest.mark.parametrize("cell", TENTH, ids=name_of)
def test_a_tenth_of_the_cells(cell):
    there = recovery(cell, seed=5)
    assert there.left < BOUNDS[cell.dtype]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NAMES)
def test_every_model_comes_back(name, method):
    there = recovery(Cell(method, ALL, name, torch.float64), seed=3)
    assert there.planted > 0.05
    assert there.left < BOUNDS[torch.float64]


def test_the_tenth_has_every_method_and_precision_and_all_but_rare_kinds():
    every = list(cells())
    assert {(cell.method, cell.dtype) for cell in TENTH} == {(cell.method, cell.dtype) for cell in every}
    often = {kind for kind, count in Counter(cell.kind for cell in every).items() if count >= 30}
    assert often <= {cell.kind for cell in TENTH}
    assert len({cell.model for cell in TENTH}) > 0.9 * len(NAMES)


def test_only_the_factors_of_a_kind_take_part():
    symmetry, a, b = moved_copy("mlp_relu", 0, kind="PositiveScaling")
    rows = b["0.weight"] / a["0.weight"]
    assert torch.allclose(rows, rows[:, :1].expand_as(rows))
    assert not torch.allclose(rows[:, 0], torch.ones(len(rows)).to(rows))
    assert len(symmetry.factors) == 2


def test_what_does_not_come_back_is_noticed(monkeypatch):
    """The planted fault: a method that moves nothing."""
    monkeypatch.setattr(WeightMatching, "align", lambda _, symmetry, *__, generator=None: Aligned(Element(symmetry)))
    assert recovery(Cell("weight", ALL, "mlp_gelu", torch.float64), 1).left > 0.1
