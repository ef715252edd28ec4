"""Masks: rows differ, counts are exact, draws are fair and the same in every process."""

import os
import subprocess
import sys
from collections import Counter
from itertools import combinations
from math import comb
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from parasym import breaking
from parasym.breaking import FrozenEntries, WAsymmetric, distinct_masks, frozen_parts
from parasym.breaking.amount import frozen_count, value_for
from parasym.breaking.drawing import distinct_places
from parasym.breaking.site import Block
from parasym.core import BadInputError


def break_(*args: Any, **kwargs: Any) -> Any:
    """Return what the verb returns, as a module whose attributes are not declared."""
    return breaking.break_(*args, **kwargs).model


def repeated_rows(mask: Tensor) -> int:
    return len(mask) - len(torch.unique(mask, dim=0))


def masks(model: nn.Module) -> dict[str, FrozenEntries]:
    return {name: m for name, m in model.named_modules() if isinstance(m, FrozenEntries)}


@pytest.mark.parametrize(("rows", "width", "count"), [(4, 4, 1), (6, 4, 2), (32, 16, 6), (10, 5, 3), (512, 100, 2), (1, 1, 1)])
def test_rows_differ_and_have_the_count(rows: int, width: int, count: int):
    for seed in range(5):
        mask = distinct_masks(rows, width, count, generator=torch.Generator().manual_seed(seed))
        assert mask.shape == (rows, width)
        assert ((~mask).sum(1) == count).all()
        assert repeated_rows(mask) == 0


def test_planted_independent_rows_repeat():
    """Rows drawn on their own, as elsewhere, repeat often where there are few subsets."""
    generator = torch.Generator().manual_seed(0)
    order = torch.rand(32, 16, generator=generator).argsort(1)[:, :2]
    naive = torch.ones(32, 16, dtype=torch.bool).scatter(1, order, False)
    assert comb(16, 2) > 32
    assert repeated_rows(naive) > 0
    assert repeated_rows(distinct_masks(32, 16, 2, generator=generator)) == 0


def test_every_subset_is_as_likely():
    generator = torch.Generator().manual_seed(0)
    counts: Counter[tuple[int, ...]] = Counter()
    for _ in range(600):
        for row in distinct_masks(3, 5, 2, generator=generator):
            counts[tuple((~row).nonzero().flatten().tolist())] += 1
    assert set(counts) == set(combinations(range(5), 2))
    expected = 600 * 3 / comb(5, 2)
    assert sum((n - expected) ** 2 / expected for n in counts.values()) < 27.9  # chi square, 9 degrees of freedom, p = 0.001


def test_fewer_subsets_than_rows_is_an_error():
    with pytest.raises(BadInputError, match=r"`fc` is too narrow .* 1 of 4 .* 4 ways, but there are 5 rows. At least 2"):
        distinct_masks(5, 4, 1, generator=torch.Generator(), where="fc")
    with pytest.raises(BadInputError, match="No number would do"):
        distinct_masks(7, 4, 2, generator=torch.Generator())
    with pytest.raises(BadInputError, match="too narrow"):
        distinct_places(5, 4, 1, generator=torch.Generator())
    assert len(torch.unique(distinct_places(5, 4, 1, generator=torch.Generator(), repeat=True))) == 4


@pytest.mark.parametrize("count", [0, 5, -1])
def test_a_count_outside_the_row_is_an_error(count: int):
    with pytest.raises(BadInputError, match="between 1 and 4"):
        distinct_masks(2, 4, count, generator=torch.Generator())


def test_a_fraction_is_raised_until_rows_can_differ():
    assert frozen_count(0.25, Block("fc", 4, 4, 1)) == 1
    assert frozen_count(0.25, Block("fc", 5, 4, 1)) == 2
    assert frozen_count(0.5, Block("fc", 5, 100, 1)) == 50
    assert frozen_count(0.0, Block("fc", 5, 4, 1)) == 0
    assert frozen_count(0.25, Block("fc", 7, 4, 1)) == 1  # no number would do: whether that matters is decided elsewhere
    assert frozen_count(0.25, Block("fc", 7, 1, 1)) == 0
    assert frozen_count(0.99, Block("fc", 2, 10, 1)) == 9  # one is left to train
    assert frozen_count(0.01, Block("fc", 2, 10, 1)) == 1  # and one is frozen


@pytest.mark.parametrize("amount", [-1, True, 1.0, float("nan"), "8"])
def test_amounts_that_are_none(amount: object):
    with pytest.raises(BadInputError, match="`frozen`"):
        frozen_count(amount, Block("fc", 5, 4, 1))  # pyright: ignore[reportArgumentType]


def test_a_count_above_the_fan_in_is_an_error_and_equal_to_it_a_warning():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    with pytest.raises(
        BadInputError, match=r"`0` is too narrow: 5 are to be frozen, but its rows have only 4 entries. Give .*'0': 3"
    ):
        break_(model, WAsymmetric(frozen={"0": 5}))
    with pytest.warns(UserWarning, match="`0` is frozen as a whole") as caught:
        broken = break_(model, WAsymmetric(frozen={"0": 4}))
    assert caught[0].filename == __file__
    assert not broken[0].parametrizations.weight[0].mask.any()


def test_the_first_pattern_that_matches_counts():
    amounts = {"layers.0": 1, "layers.*": 2}
    assert [value_for(amounts, path, otherwise=0) for path in ("layers.0", "layers.1", "head")] == [1, 2, 0]


def test_a_pattern_without_a_layer_is_an_error():
    for method in (WAsymmetric(frozen={"1": 1}), WAsymmetric(frozen=1, std={"fc": 1.0}), WAsymmetric(frozen=1, pin=("fc.bias",))):
        with pytest.raises(BadInputError, match="no layer matches it"):
            break_(nn.Sequential(nn.Linear(4, 3)), method)


def test_masks_depend_on_path_and_seed():
    """Fault: a mask drawn from the seed alone would be the same in all layers of a shape."""
    model = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6))
    a, b = masks(break_(model, WAsymmetric(frozen=3))), masks(break_(model, WAsymmetric(frozen=3, seed=1)))
    first, second = a.values()
    assert not torch.equal(first.mask, second.mask)
    for name, one in a.items():
        assert not torch.equal(one.mask, b[name].mask)
        assert not torch.equal(one.frozen, b[name].frozen)
    other = masks(break_(nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6)), WAsymmetric(frozen=3)))
    assert torch.equal(first.mask, next(iter(other.values())).mask)  # the same path, whatever stands elsewhere


def test_masks_of_large_tensors_are_made_anew():
    """What is kept beside a weight is what is frozen, not a mask of its size; small masks are kept."""
    for numbers, kept in ((1 << 20, True), ((1 << 20) + 1, False)):
        one = FrozenEntries.at((numbers,), torch.tensor([3]), torch.tensor([1.0]))
        assert (one.mask is one.mask) is kept
        assert (~one.mask).nonzero().tolist() == [[3]]
        one.kept_in_full = True
        assert one.mask is one.mask
        one.forget()
        assert (one.mask is one.mask) is kept


_PRINT = """
import torch
from torch import nn
from parasym.breaking import WAsymmetric, break_, trainable_masks
broken = break_(nn.Sequential(nn.Linear(6, 6), nn.Conv2d(6, 6, 3)), WAsymmetric(frozen=3, seed=5)).model
frozen = [one.weight[0] for one in (broken[0].parametrizations, broken[1].parametrizations)]
print([(one.mask.int().tolist(), one.frozen.double().sum().item()) for one in frozen])
"""


def test_masks_are_the_same_in_every_process():
    outs = []
    for salt in ("1", "2"):
        env = os.environ | {"PYTHONHASHSEED": salt, "PYTHONPATH": os.pathsep.join(sys.path)}
        outs.append(subprocess.run([sys.executable, "-c", _PRINT], env=env, capture_output=True, text=True, check=True).stdout)
    assert outs[0] == outs[1]
    assert len(outs[0]) > 1000


@pytest.mark.parametrize(("width", "dtype"), [(2**15, torch.int16), (2**15 + 1, torch.int32), (2**31, torch.int32)])
@pytest.mark.parametrize("ndim", [1, 2])
def test_the_last_place_fits_into_the_integers_that_hold_it(width: int, dtype: torch.dtype, ndim: int):
    places = torch.full((1,) * ndim, width - 1)
    entries = FrozenEntries.at((1, width), places, torch.ones(1, dtype=torch.float64).expand_as(places))
    assert entries.places.dtype == dtype
    assert entries.flat.tolist() == [width - 1]
    if width < 2**20:
        assert entries.frozen.nonzero().tolist() == [[0, width - 1]]


def test_the_parts_of_a_module_are_its_own():
    model = break_(nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3)), WAsymmetric(frozen=2))
    assert frozen_parts(model) == {}
    for layer in (model[0], model[2]):
        parts = frozen_parts(layer)
        assert set(parts) == {"weight"}
        assert parts["weight"].count == 2 * layer.out_features
