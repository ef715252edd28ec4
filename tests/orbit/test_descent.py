"""Which blocks are one sign for whole tensors: those are found together with what they hide behind."""

from torch import nn

from parasym.groups import Permutation, PositiveScaling, SignFlip
from parasym.orbit.block import blocks_of
from parasym.orbit.descent import is_uniform
from parasym.symmetry import Binding, Factor, Symmetry, Wire
from tests.orbit.networks import mlp, tanh_mlp


def test_only_one_sign_for_whole_tensors_is_uniform() -> None:
    stream = Factor(SignFlip(1), Wire("stream", 1), (), (Binding("in", None), Binding("out", None)))
    symmetry = Symmetry((stream,), (("in", (4, 3)), ("out", (2, 4))))
    assert [is_uniform(block) for block in blocks_of(symmetry, ())] == [True]
    for case in (tanh_mlp(), tanh_mlp([4, 6, 2, 3])):  # many signs
        blocks = blocks_of(case.symmetry, ())
        assert blocks
        assert not any(is_uniform(block) for block in blocks)
    for kind in (Permutation, PositiveScaling):  # one channel, but no sign
        blocks = blocks_of(mlp([4, 1, 3], nn.ReLU, (kind,)).symmetry, ())
        assert not any(is_uniform(block) for block in blocks)
