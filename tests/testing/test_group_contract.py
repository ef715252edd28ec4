"""The contract catches a planted fault of every kind."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from parasym.groups import GeneralLinear, Orthogonal, Permutation, PositiveScaling, SignFlip, Translation
from parasym.testing import GROUP_LAWS, ContractError, assert_group_contract
from parasym.testing.contract_error import require_close
from parasym.testing.group_law import GroupCase


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


class ActsTwice(PositiveScaling):
    def act(self, g, x, axis, *, dual=False):
        return 2 * super().act(g, x, axis, dual=dual)


class ActsTwiceDually(PositiveScaling):
    def act(self, g, x, axis, *, dual=False):
        return (1 + dual) * super().act(g, x, axis, dual=dual)


class DualMutatesInput(PositiveScaling):
    def act(self, g, x, axis, *, dual=False):
        return x.div_(2) if dual else super().act(g, x, axis)


class ComposeMutates(PositiveScaling):
    def compose(self, g, h):
        return h.mul_(g)


class InverseMutates(PositiveScaling):
    def inverse(self, g):
        return g.reciprocal_()


class MatchesBadly(PositiveScaling):
    def align(self, products):
        return 3 + torch.zeros_like(products[..., 0])


class NotAdditive(Translation):
    def act(self, g, x, axis, *, dual=False):
        return super().act(g * (3 if dual else 1), x, axis, dual=dual)


ALONE = [
    ("identity_law", ActsTwiceDually(3), "e x = x, dual=True"),
    ("inverse_law", ActsTwice(3), r"g\^-1 \(g x\) = x, dual=False"),
    ("inverse_law", ActsTwiceDually(3), r"g\^-1 \(g x\) = x, dual=True"),
    ("action_law", ActsTwiceDually(3), r"\(g h\) x = g \(h x\), dual=True"),
    ("pairing_law", ActsTwice(3), "pairing"),
    ("pairing_law", NotAdditive(3), "dual of an affine action"),
    ("purity_law", MutatesInput(3), "`x` was modified"),
    ("purity_law", DualMutatesInput(3), "`x` was modified"),
    ("purity_law", ComposeMutates(3), "`h` was modified"),
    ("purity_law", InverseMutates(3), "`g` was modified"),
    ("verbs_law", MatchesBadly(3), "of two points of one orbit leaves"),
]


@pytest.mark.parametrize(("name", "group", "message"), ALONE, ids=lambda p: type(p).__name__ if not isinstance(p, str) else "")
def test_a_law_alone_catches_its_fault_and_lets_others_pass(name, group, message):
    law = next(law for law in GROUP_LAWS if law.__name__ == name)

    def case(group):
        return GroupCase(group, (2,), torch.float64, torch.device("cpu"), 1e-9, torch.Generator().manual_seed(0))

    law(case(type(group).__mro__[1](3)))
    with pytest.raises(ContractError, match=message):
        law(case(group))


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
