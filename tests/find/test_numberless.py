"""Tensors without numbers tell what fake tensors tell, and the answer does not depend on what is trained or remembered."""

import pytest
import torch
from torch import nn

from parasym.find import find
from parasym.find.numberless import Numberless, results, without_numbers

aten = torch.ops.aten


def bare(*shape: int, dtype: torch.dtype = torch.float32) -> Numberless:
    return without_numbers(torch.zeros(*shape, dtype=dtype))


def test_results_have_the_shape_type_and_strides_of_the_real_ones():
    x, w = torch.randn(2, 3, 8, 8), torch.randn(4, 3, 3, 3)
    cases = (
        (aten.convolution.default, (x, w, None, [2, 1], [1, 1], [1, 1], False, [0, 0], 1)),
        (aten.add.Tensor, (x, torch.ones(3, 1, 8, dtype=torch.float64))),
        (aten.permute.default, (x, [0, 2, 3, 1])),
        (aten.max.dim, (x, 1)),
        (aten.sum.dim_IntList, (x, [1], True)),
    )
    for func, args in cases:
        real = func(*args)
        found = results(func, tuple(without_numbers(a) if isinstance(a, torch.Tensor) else a for a in args), {})
        for r, f in zip(*((y if isinstance(y, tuple) else (y,)) for y in (real, found)), strict=True):
            assert (tuple(f.shape), f.stride(), f.dtype, f.device) == (tuple(r.shape), r.stride(), r.dtype, r.device)


def test_numbers_that_compare_equal_are_not_confused():
    # 2 == 2.0 == True + True, but a tensor of integers times a float is a tensor of floats.
    x = bare(3, dtype=torch.int64)
    assert [results(aten.mul.Scalar, (x, c), {}).dtype for c in (1, 1.0, True)] == [torch.int64, torch.float32, torch.int64]


def test_an_operation_in_place_returns_its_operand():
    x = bare(3)
    assert results(aten.relu_.default, (x,), {}) is x
    assert results(aten.relu.default, (x,), {}) is not x


def test_what_cannot_be_told_is_refused():
    with pytest.raises(TypeError, match="in place"):
        results(aten.t_.default, (bare(2, 3),), {})
    with pytest.raises(TypeError, match="Generator"):
        results(aten.bernoulli.default, (bare(3),), {"generator": torch.Generator()})
    with pytest.raises(TypeError, match="layout"):
        without_numbers(torch.eye(3).to_sparse())
    with pytest.raises(Exception, match="nonzero"):  # how many there are depends on the numbers
        results(aten.nonzero.default, (bare(3),), {})
    with pytest.raises(TypeError, match="numbers"):
        bare(3).add(1)


@pytest.mark.parametrize("frozen", ["all", "some"])
def test_frozen_parameters_have_the_same_symmetry(frozen: str):
    def build() -> nn.Module:
        return nn.TransformerEncoderLayer(6, 2, 5, dropout=0.0, batch_first=True).eval()

    expected = find(build(), (torch.zeros(2, 3, 6),))
    model = build()
    for k, p in enumerate(model.parameters()):
        p.requires_grad_(frozen == "some" and k % 2 == 0)
    assert len(expected.factors) > 5
    assert find(model, (torch.zeros(2, 3, 6),)) == expected
