"""The bound by which weight matching tells that there is nothing left to gain, so that it need not search."""

import pytest

from parasym.core import child_generator
from parasym.orbit.alignment import Alignment
from parasym.orbit.block import blocks_of
from parasym.orbit.weight import _most
from tests.orbit.networks import relu_mlp


def test_no_inner_product_is_larger_and_a_copy_attains_it() -> None:
    case = relu_mlp()
    symmetry, a = case.symmetry, case.params(0)
    blocks = blocks_of(symmetry, ())
    same = Alignment(symmetry, blocks, a, a)
    assert same.value() == pytest.approx(_most(same, a))
    assert _most(same, a) == pytest.approx(sum(float(a[n].square().sum()) for n in same.a))
    for seed in range(10):
        b = symmetry.sample(generator=child_generator(seed, "element"))(a)
        state = Alignment(symmetry, blocks, a, b)
        assert abs(state.value()) < _most(state, b)
