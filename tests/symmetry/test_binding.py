"""The action of a binding agrees with the slow one, and touches nothing outside its region."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from parasym.core import ShapeError
from parasym.groups import (
    AbstractGroup,
    GeneralLinear,
    Orthogonal,
    Permutation,
    PlaneRotation,
    PositiveScaling,
    SignFlip,
)
from parasym.symmetry import Binding, Slot
from tests.symmetry.slow_binding import slow_apply


def whole(axis: int, size: int) -> Slot:
    return Slot(axis, (0,), (size,), (1,), 0)


HEADS, DIM = Slot(0, (0,), (2, 3), (3, 1), 0), Slot(0, (0,), (2, 3), (3, 1), 1)

# name: (shape of the tensor, group, outer sizes, binding)
CASES: dict[str, tuple[tuple[int, ...], AbstractGroup, tuple[int, ...], Binding]] = {
    "rows": ((3, 4), Permutation(3), (), Binding("w", whole(0, 3))),
    "columns, dual": ((3, 4), GeneralLinear(4), (), Binding("w", whole(1, 4), power=Fraction(-1))),
    "middle part of an axis": ((8, 2), GeneralLinear(3), (), Binding("w", Slot(0, (4,), (3,), (1,), 0))),
    "inner wire of a product": ((2, 6), GeneralLinear(3), (), Binding("w", Slot(1, (0,), (2, 3), (3, 1), 1))),
    "outer wire of a product": ((2, 6), Permutation(2), (), Binding("w", Slot(1, (0,), (2, 3), (3, 1), 0))),
    "every second channel": ((6, 2), SignFlip(3), (), Binding("w", Slot(0, (1,), (3,), (2,), 0))),
    "interleaved product": ((6, 2), GeneralLinear(3), (), Binding("w", Slot(0, (0,), (3, 2), (2, 1), 0))),
    "one element per head, same axis": ((6, 4), GeneralLinear(3), (2,), Binding("w", DIM, over=(HEADS,))),
    "one element per head, dual": ((6, 4), GeneralLinear(3), (2,), Binding("w", DIM, over=(HEADS,), power=Fraction(-1))),
    "one element per slice of another axis": (
        (2, 4, 3),
        Orthogonal(4),
        (2,),
        Binding("w", whole(1, 4), over=(whole(0, 2),)),
    ),
    "outer axis comes last": ((4, 3, 2), PositiveScaling(4), (2,), Binding("w", whole(0, 4), over=(whole(2, 2),))),
    "two outer wires": (
        (12, 2),
        PositiveScaling(2),
        (2, 3),
        Binding(
            "w",
            Slot(0, (0,), (2, 3, 2), (6, 2, 1), 2),
            over=(Slot(0, (0,), (2, 3, 2), (6, 2, 1), 0), Slot(0, (0,), (2, 3, 2), (6, 2, 1), 1)),
        ),
    ),
    "permutations per slice": ((6, 4), Permutation(3), (2,), Binding("w", DIM, over=(HEADS,))),
    "planes on a whole axis": ((6, 2), PlaneRotation(3), (), Binding("w", Slot(0, (0, 3), (3,), (1,), 0))),
    "planes with a gap": ((9, 2), PlaneRotation(3), (), Binding("w", Slot(0, (1, 5), (3,), (1,), 0))),
    "planes per head, dual": (
        (8, 2),
        PlaneRotation(2),
        (2,),
        Binding(
            "w",
            Slot(0, (0, 2), (2, 2), (4, 1), 1),
            over=(Slot(0, (0, 2), (2, 2), (4, 1), 0),),
            power=Fraction(-1),
        ),
    ),
    "interleaved planes": ((6, 2), PlaneRotation(3), (), Binding("w", Slot(0, (0, 1), (3,), (2,), 0))),
    "region restricts another axis": (
        (4, 6),
        SignFlip(4),
        (),
        Binding("w", whole(0, 4), region=(Slot(1, (2,), (3,), (1,), -1),)),
    ),
    "two regions": (
        (4, 6, 5),
        PositiveScaling(4),
        (),
        Binding("w", whole(0, 4), region=(Slot(1, (2,), (3,), (1,), -1), Slot(2, (0,), (2,), (2,), -1))),
    ),
    "the whole region is scaled": (
        (4, 6),
        PositiveScaling(1),
        (),
        Binding("w", None, region=(Slot(0, (1,), (2,), (1,), -1),), power=Fraction(1, 2)),
    ),
    "the whole tensor is scaled": ((4, 2), PositiveScaling(1), (), Binding("w", None, power=Fraction(-2))),
    "square of a scaling": ((3,), PositiveScaling(3), (), Binding("w", whole(0, 3), power=Fraction(2))),
    "inverse root of a scaling": ((3, 2), PositiveScaling(3), (), Binding("w", whole(0, 3), power=Fraction(-1, 2))),
    "offset": ((3,), PositiveScaling(3), (), Binding("w", whole(0, 3), power=Fraction(2), offset=1e-1)),
    "offset in a part": ((5,), PositiveScaling(3), (), Binding("w", Slot(0, (1,), (3,), (1,), 0), offset=0.5)),
    "power zero": ((3,), PositiveScaling(3), (), Binding("w", whole(0, 3), power=Fraction(0))),
}


@pytest.mark.parametrize("name", CASES)
@given(seed=st.integers(0, 2**31))
def test_agrees_with_slow_implementation(name: str, seed: int):
    shape, group, batch, binding = CASES[name]
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    g = group.sample(batch, generator=generator, dtype=torch.float64)
    before = x.clone()
    found = binding.apply(group, g, x)
    torch.testing.assert_close(found, slow_apply(binding, group, g, x), rtol=1e-11, atol=1e-11)
    assert torch.equal(x, before)


@pytest.mark.parametrize("name", CASES)
def test_something_moves_unless_the_power_is_zero(name: str):
    shape, group, batch, binding = CASES[name]
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    moved = [binding.apply(group, group.sample(batch, generator=generator, dtype=torch.float64), x) for _ in range(5)]
    assert max((m - x).abs().max().item() for m in moved) > 1e-3 or name == "power zero"


@pytest.mark.parametrize("name", CASES)
def test_float32_is_kept(name: str):
    shape, group, batch, binding = CASES[name]
    g = group.sample(batch, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert binding.apply(group, g, torch.randn(shape)).dtype == torch.float32


@pytest.mark.parametrize("name", CASES)
def test_differentiable_in_the_tensor(name: str):
    shape, group, batch, binding = CASES[name]
    g = group.sample(batch, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: binding.apply(group, g, x), (x,))


def test_the_slow_implementation_sees_a_forgotten_dual():
    shape, group, batch, binding = CASES["one element per head, dual"]
    forgotten = Binding("w", binding.slot, over=binding.over)
    x = torch.randn(shape, dtype=torch.float64)
    g = group.sample(batch, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert (forgotten.apply(group, g, x) - slow_apply(binding, group, g, x)).abs().max() > 1e-2


def test_dual_and_axis():
    assert Binding("w", whole(1, 3), power=Fraction(-1)).dual
    assert not Binding("w", whole(1, 3)).dual
    assert Binding("w", whole(1, 3)).axis == 1
    assert Binding("w", None).axis is None


def test_positions():
    assert Slot(0, (1, 7), (2, 3), (3, 1), 0).positions().tolist() == [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]


def test_missing_axis_is_named():
    with pytest.raises(ShapeError, match=r"axis 1, but the tensor has shape \(3,\)"):
        Binding("w", whole(1, 3)).apply(SignFlip(3), torch.ones(3), torch.ones(3))


@pytest.mark.parametrize("group", [SignFlip(3), GeneralLinear(3), Permutation(3)])
def test_only_scalings_have_powers(group: AbstractGroup):
    g = group.identity(dtype=torch.float64)
    with pytest.raises(ShapeError, match=r"has no power 2\.0: only scalings do"):
        Binding("w", whole(0, 3), power=Fraction(2)).apply(group, g, torch.ones(3, dtype=torch.float64))
