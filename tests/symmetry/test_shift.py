"""Translations agree with the slow implementation, and reach what absorbs them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from parasym.groups import Translation
from parasym.symmetry import Along, Factor, Shift, Slot, Through, Wire
from tests.symmetry.slow_binding import slow_delta

# name: (shape of the parameter, shift)
CASES = {
    "bias": ((5,), Shift("w", (5,), (0,))),
    "opposite": ((5,), Shift("w", (5,), (0,), times=-1.0)),
    "constant along rows": ((5, 3), Shift("w", (3,), (None, 0))),
    "constant along columns": ((5, 3), Shift("w", (5,), (0, None))),
    "matrix": ((5, 3), Shift("w", (5, 3), (0, 1))),
    "transposed": ((5, 3), Shift("w", (3, 5), (1, 0))),
    "one number": ((5, 3), Shift("w", (), (None, None))),
    "part of an axis": ((8,), Shift("w", (3,), (None, 0), slots=(Slot(0, (2,), (3,), (1,), 0),))),
    "per head": ((6,), Shift("w", (2,), (None, 0, None), slots=(Slot(0, (0,), (2, 3), (3, 1), 0),))),
    "inside every head": ((6, 2), Shift("w", (3,), (None, None, 0, None), slots=(Slot(0, (0,), (2, 3), (3, 1), 1),))),
    "two parts": ((8,), Shift("w", (2, 3), (0, 1), slots=(Slot(0, (0, 4), (3,), (1,), 0),))),
}


@pytest.mark.parametrize("name", CASES)
@given(seed=st.integers(0, 2**31))
def test_agrees_with_slow_implementation(name: str, seed: int):
    shape, shift = CASES[name]
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    t = torch.randn(torch.Size(shift.shape).numel(), generator=generator, dtype=torch.float64)
    found = shift.delta(t, {"w": x})
    torch.testing.assert_close(found, slow_delta(shift, t, x), rtol=0, atol=0)
    assert found.abs().max() > 0


def test_slow_implementation_sees_the_sign():
    shape, shift = CASES["opposite"]
    x, t = torch.zeros(shape), torch.ones(5)
    assert torch.equal(slow_delta(shift, t, x), -torch.ones(5))


@pytest.mark.parametrize("axis", [0, 1])
def test_through_a_matrix(axis: int):
    weight = torch.randn(3, 4, dtype=torch.float64)
    t = torch.randn(weight.shape[1 - axis], dtype=torch.float64)
    step = Through("w", (len(t),), (None, 0) if axis == 0 else (0, None), (axis,))
    expected = weight @ t if axis == 0 else weight.T @ t
    torch.testing.assert_close(step.apply(t, {"w": weight}), expected)


def test_through_a_convolution():
    weight = torch.randn(3, 4, 2, 2, dtype=torch.float64)
    t = torch.randn(4, dtype=torch.float64)
    step = Through("w", (4,), (None, 0, None, None), (0,))
    torch.testing.assert_close(step.apply(t, {"w": weight}), torch.einsum("oikl,i->o", weight, t))


def test_through_a_part_of_an_axis_that_is_a_product():
    weight = torch.randn(3, 16, dtype=torch.float64)
    t = torch.randn(6, dtype=torch.float64)
    step = Through("w", (2, 3), (None, None, 0, 1), (0,), (Slot(1, (4,), (2, 3), (3, 1), -1),))
    torch.testing.assert_close(step.apply(t, {"w": weight}), weight[:, 4:10] @ t)
    step = Through(
        "w", (2, 3), (None, None, 0, 1), (0,), (Slot(1, (0,), (2, 3), (1, 2), -1),)
    )  # the second factor of the product runs slower
    torch.testing.assert_close(step.apply(t, {"w": weight}), weight[:, :6] @ t.reshape(2, 3).T.flatten())


def test_through_one_wire_of_a_product_sums_over_the_others():
    weight = torch.randn(3, 6, dtype=torch.float64)
    t = torch.randn(2, dtype=torch.float64)
    step = Through("w", (2,), (None, None, 0, None), (0,), (Slot(1, (0,), (2, 3), (3, 1), -1),))
    torch.testing.assert_close(step.apply(t, {"w": weight}), torch.einsum("okl,k->o", weight.reshape(3, 2, 3), t))


def test_through_leaves_the_axes_that_it_does_not_contract():
    weight, t = torch.randn(3, 4, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    step = Through("w", (5, 4), (None, 1), (0,))
    torch.testing.assert_close(step.apply(t, {"w": weight}), (t @ weight.T).flatten())
    step = Through("w", (4, 5), (None, 0), (0,))
    torch.testing.assert_close(step.apply(t.T, {"w": weight}), (t @ weight.T).flatten())


def test_along_a_gain():
    v, t = torch.rand(4, dtype=torch.float64), torch.randn(4, dtype=torch.float64)
    torch.testing.assert_close(Along("v").apply(t, {"v": v}), t * v)
    step = Along("v", power=-0.5, offset=1e-2)
    torch.testing.assert_close(step.apply(t, {"v": v}), t / (v + 1e-2).sqrt())
    shift = Shift("b", (4,), (0,), times=-1.0, through=(step,))
    delta = shift.delta(t, {"v": v, "b": torch.zeros(4, dtype=torch.float64)})
    torch.testing.assert_close(delta, -t / (v + 1e-2).sqrt())


def test_two_steps():
    first, second = torch.randn(4, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    t = torch.randn(3, dtype=torch.float64)
    steps = (Through("a", (3,), (None, 0), (0,)), Through("b", (4,), (None, 0), (0,)))
    shift = Shift("c", (2,), (0,), times=-1.0, through=steps)
    delta = shift.delta(t, {"a": first, "b": second, "c": torch.zeros(2, dtype=torch.float64)})
    torch.testing.assert_close(delta, -(second @ first @ t))


def test_every_shift_reads_the_parameters_as_they_were():
    weight = torch.tensor([[2.0]])
    shifts = (Shift("w", (1, 1), (0, 1)), Shift("b", (1,), (0,), through=(Through("w", (1,), (None, 0), (0,)),)))
    factor = Factor(Translation(1), Wire("w[0]", 1), (), shifts)
    out = factor.act(torch.tensor([1.0]), {"w": weight, "b": torch.zeros(1)})
    assert out["b"].tolist() == [2.0]
    assert out["w"].tolist() == [[3.0]]
    assert weight.tolist() == [[2.0]]
