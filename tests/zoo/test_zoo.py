"""``find`` returns exactly the answer derived by hand, and every factor of it is exact."""

from collections import Counter
from functools import cache

import pytest
import torch
from torch import nn

from parasym.find import find
from parasym.groups import PositiveScaling, SignFlip
from parasym.symmetry import Binding, Factor, Slot, Symmetry, Wire, group_name
from parasym.zoo import ZOO, Entry, generic_params
from tests.zoo.acting import factor_errors, relative_error

ENTRIES = {entry.name: entry for entry in ZOO}


@cache
def _found(name: str) -> tuple[nn.Module, Symmetry]:
    entry = ENTRIES[name]
    model = entry.model()
    return model, find(model, entry.inputs(torch.Generator().manual_seed(0)), check=True)


@pytest.mark.parametrize("entry", ZOO, ids=lambda e: e.name)
def test_find_returns_the_derived_answer(entry: Entry) -> None:
    _, symmetry = _found(entry.name)
    found = Counter(group_name(factor) for factor in symmetry.factors)
    assert found == Counter(entry.expected), (
        f"missing {Counter(entry.expected) - found}, surplus {found - Counter(entry.expected)}"
    )
    assert (symmetry.order, symmetry.dimension) == (entry.order, entry.dimension)


@pytest.mark.parametrize("entry", ZOO, ids=lambda e: e.name)
def test_the_check_of_find_finds_nothing(entry: Entry) -> None:
    _, symmetry = _found(entry.name)
    assert not symmetry.refuted
    assert symmetry.self_check is not None
    assert symmetry.self_check.reason == ("" if symmetry.factors else "nothing moves")


@pytest.mark.parametrize("entry", ZOO, ids=lambda e: e.name)
def test_every_factor_keeps_the_function(entry: Entry) -> None:
    model, symmetry = _found(entry.name)
    generator = torch.Generator().manual_seed(1)
    params = generic_params(model, generator=generator)
    for factor, error, way in factor_errors(model, symmetry, params, entry.inputs(generator), generator=generator):
        assert error < 1e-10, f"{group_name(factor)} on {factor.wire.name} changes the outputs by {error:.1e}"
        assert way > 1e-3, f"{group_name(factor)} on {factor.wire.name} moves nothing"


@pytest.mark.parametrize("entry", ZOO, ids=lambda e: e.name)
def test_all_factors_together_keep_the_function(entry: Entry) -> None:
    model, symmetry = _found(entry.name)
    generator = torch.Generator().manual_seed(2)
    params = generic_params(model, generator=generator)
    moved = symmetry.act(symmetry.sample(generator=generator), params)
    assert relative_error(model, params, moved, entry.inputs(generator)) < 1e-10


@pytest.mark.parametrize("entry", ZOO, ids=lambda e: e.name)
def test_every_parameter_is_moved_or_pinned(entry: Entry) -> None:
    model, symmetry = _found(entry.name)
    moved = {name for factor in symmetry.factors for name in factor.tensors}
    for name, _ in model.named_parameters():
        assert (name in moved) != (name in symmetry.pinned), name


@pytest.mark.parametrize("entry", ZOO, ids=lambda e: e.name)
def test_json_round_trip(entry: Entry) -> None:
    _, symmetry = _found(entry.name)
    assert Symmetry.from_json(symmetry.to_json()) == symmetry


def _claim(group: type[PositiveScaling] | type[SignFlip], *, dual: bool = True) -> Symmetry:
    wire = Wire("0.weight[0]", 5)
    whole = [Binding(name, Slot.whole(axis, 5)) for name, axis in (("0.weight", 0), ("0.bias", 0))]
    after = [Binding("2.weight", Slot.whole(1, 5), power=-1)] if dual else []  # pyright: ignore[reportArgumentType]
    shapes = (("0.weight", (5, 4)), ("0.bias", (5,)), ("2.weight", (3, 5)), ("2.bias", (3,)))
    return Symmetry((Factor(group(5), wire, (), (*whole, *after)),), shapes)


@pytest.mark.parametrize(
    ("name", "claim", "sound"),
    [
        ("mlp_relu", _claim(PositiveScaling), True),
        ("mlp_tanh", _claim(SignFlip), True),
        ("mlp_gelu", _claim(PositiveScaling), False),  # a scale through GELU
        ("mlp_relu", _claim(SignFlip), False),  # a sign through ReLU
        ("mlp_relu", _claim(PositiveScaling, dual=False), False),  # the dual forgotten
    ],
)
def test_the_check_tells_right_from_wrong(name: str, claim: Symmetry, sound: bool) -> None:
    entry = ENTRIES[name]
    model, generator = entry.model(), torch.Generator().manual_seed(3)
    params = generic_params(model, generator=generator)
    ((_, error, way),) = factor_errors(model, claim, params, entry.inputs(generator), generator=generator)
    assert way > 1e-3
    assert (error < 1e-10) == sound
