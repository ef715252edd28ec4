"""The contract catches a planted fault of every kind."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from parasym.groups import GeneralLinear, Orthogonal, Permutation, PositiveScaling, SignFlip, Translation
from parasym.testing import GROUP_LAWS, ContractError, assert_group_contract
from parasym.testing.contract_error import require_close


class ForgetsDual(GeneralLinear):
    def act(self, g, x, axis, *, dual=False):
        return super().act(g, x, axis)


class DualForgetsTranspose(GeneralLinear):
    def act(self, g, x, axis, *, dual=False):
        return super().act(self.inverse(g) if dual else g, x, axis)


class ComposesBackwards(Permutation):
    def compose(self, g, h):
        return super().compose(h, g)


class DoesNothing(PositiveScaling):
    def act(self, g, x, axis, *, dual=False):
        self.check(x, axis)
        return x.clone()


class MutatesInput(SignFlip):
    def act(self, g, x, axis, *, dual=False):
        out = super().act(g, x, axis)
        x.mul_(-1)
        return out


class IgnoresBatch(PositiveScaling):
    def act(self, g, x, axis, *, dual=False):
        first = g[(0,) * (g.ndim - 1)].expand(g.shape)
        return super().act(first, x, axis, dual=dual)


class LosesPrecision(PositiveScaling):
    def act(self, g, x, axis, *, dual=False):
        return super().act(g, x.double(), axis, dual=dual)


class InverseOfNothing(Translation):
    def inverse(self, g):
        return g


class WrongOrder(Permutation):
    @property
    def order(self):
        return super().order + 1


class WrongDimension(GeneralLinear):
    @property
    def dimension(self):
        return self.size


class TooSmallAlgebra(Orthogonal):
    @property
    def dimension(self):
        return 1

    @property
    def algebra_shape(self):
        return (1,)

    def exp(self, xi: Tensor) -> Tensor:
        full = torch.cat([xi, xi.new_zeros(*xi.shape[:-1], super().dimension - 1)], dim=-1)
        return super().exp(full)


class ExpOfTheDouble(PositiveScaling):
    def exp(self, xi: Tensor) -> Tensor:
        return 2 * xi.exp()


class SamplesUnseeded(PositiveScaling):
    def sample(self, batch=(), *, generator=None, dtype, device="cpu"):
        return super().sample(batch, dtype=dtype, device=device)


class AcceptsAnyLength(SignFlip):
    def check(self, x, axis):
        pass

    def act(self, g, x, axis, *, dual=False):
        return super().act(g, x, axis) if x.shape[axis] == self.size else x


@dataclass(frozen=True)
class CountsAxisFromTheFront(PositiveScaling):
    def act(self, g, x, axis, *, dual=False):
        return super().act(g, x, abs(axis), dual=dual)


class WrongSquare(PositiveScaling):
    def power(self, g, exponent):
        return g


FAULTS = [
    (ForgetsDual(3), "pairing"),
    (DualForgetsTranspose(3), "action|pairing"),
    (ComposesBackwards(4), r"action, \(g h\) x"),
    (DoesNothing(3), "action is trivial"),
    (MutatesInput(3), "modified in place|inverse|identity"),
    (IgnoresBatch(3), "batch, act"),
    (LosesPrecision(3), "must keep"),
    (InverseOfNothing(3), "inverse"),
    (WrongOrder(3), "order must be 6, counted, but is 7"),
    (WrongDimension(3), "dimension|algebra_shape"),
    (TooSmallAlgebra(3), "span [23] dimensions instead of 1"),
    (ExpOfTheDouble(3), "exp"),
    (SamplesUnseeded(3), "one seed gave two"),
    (AcceptsAnyLength(3), "must raise ShapeError"),
    (CountsAxisFromTheFront(3), "negative axis|must have length"),
    (WrongSquare(3), "power"),
]


@pytest.mark.parametrize(("group", "message"), FAULTS, ids=lambda p: type(p).__name__ if not isinstance(p, str) else "")
def test_planted_fault_is_caught(group, message):
    with pytest.raises((ContractError, ValueError), match=message):
        assert_group_contract(group)


def test_purity_law_alone_catches_a_mutation():
    law = next(law for law in GROUP_LAWS if law.__name__ == "purity_law")

    class MutatesElement(PositiveScaling):
        def inverse(self, g):
            return g.reciprocal_()

    assert_group_contract(PositiveScaling(2))
    with pytest.raises(ContractError):
        assert_group_contract(MutatesElement(2))
    assert law in GROUP_LAWS


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (torch.zeros(2), torch.zeros(3)),
        (torch.zeros(2), torch.zeros(2, dtype=torch.float64)),
        (torch.zeros(2), torch.tensor([0.0, 1e-3])),
        (torch.tensor([float("nan")]), torch.zeros(1)),
    ],
)
def test_require_close_raises(found: Tensor, expected: Tensor):
    with pytest.raises(ContractError, match="the law"):
        require_close(found, expected, "the law", tolerance=1e-6)


def test_require_close_passes():
    assert require_close(torch.ones(2), torch.ones(2) + 1e-9, "the law", tolerance=1e-6) is None
    assert require_close(torch.ones(0), torch.ones(0), "the law", tolerance=0.0) is None
