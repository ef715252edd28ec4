"""One small model for every operation that has a rule, with the symmetry derived by hand."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from parasym.testing.rule_contract import HIDDEN, Bearing
from parasym.zoo.inputs import Inputs, normal

aten: Any = torch.ops.aten
Op = Callable[..., Any]


class Between(nn.Module):
    """``second(op(first(x)))``, two linear layers unless said otherwise."""

    def __init__(self, op: Op, first: nn.Module | None = None, second: nn.Module | None = None):
        super().__init__()
        self.first, self.op = first or nn.Linear(4, 5), op
        self.second = second or nn.Linear(5, 3)

    def forward(self, x: Tensor, *more: Tensor) -> Tensor:
        return self.second(self.op(self.first(x), *more))


class Two(nn.Module):
    """``second(op(left(x), right(y)))``."""

    def __init__(self, op: Op, second: nn.Module | None = None):
        super().__init__()
        self.left, self.right, self.op = nn.Linear(4, 5), nn.Linear(4, 5), op
        self.second = second or nn.Linear(5, 3)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.second(self.op(self.left(x), self.right(y)))


_TWELVE = normal((12, 4))
BOTH: tuple[Bearing, ...] = (
    ("left.weight", 0, 1),
    ("left.bias", 0, 1),
    ("right.weight", 0, 1),
    ("right.bias", 0, 1),
    ("second.weight", 1, -1),
)
"""The wire of a module of two branches that share it."""


@dataclass(frozen=True)
class RuleCase:
    """An operation, a model that uses it, and what is expected of its rule; see ``assert_rule_contract``.

    Attributes:
        name: The operation.
        build: Returns the model.
        expected: The factors.
        inputs: Returns the inputs.
        wire: The wire whose larger groups must fail.
        missing: Groups of that wire that hold unclaimed.
        rest: Null directions left unexplained; ``None`` where they cannot be counted.
        uncovered: Whether the rule must refuse.
        seed: Seed of parameters and inputs: a small ReLU network may be dead or linear at a point.
        label: Tells two cases of one operation apart.
    """

    name: str
    build: Callable[[], nn.Module]
    expected: tuple[str, ...]
    inputs: Inputs = _TWELVE
    wire: tuple[Bearing, ...] = HIDDEN
    missing: tuple[str, ...] = ()
    rest: int | None = 0
    uncovered: bool = False
    seed: int = 0
    label: str = ""


PERMUTED = ("S(5)",)
SIGNED = ("S(5)", "signs(5)")
SCALED = ("S(5)", "scale(5)")
BOTH_WAYS = ("S(5)", "signs(5)", "scale(5)")
LINEAR = ("GL(5)", "shift(5)")


def op_case(name: str, op: Op, expected: Sequence[str], **options: Any) -> RuleCase:
    """Return a case of ``second(op(first(x)))``.

    Args:
        name: The operation.
        op: What comes between the layers.
        expected: The factors.
        options: ``first`` and ``second`` for other layers, and the fields of ``RuleCase``.
    """
    first, second = options.pop("first", None), options.pop("second", None)

    def build() -> nn.Module:
        return Between(op, first and first(), second and second())

    return RuleCase(name, build, tuple(expected), **options)


def two_case(name: str, op: Op, expected: Sequence[str], **options: Any) -> RuleCase:
    """Return a case of ``second(op(left(x), right(y)))``."""
    second = options.pop("second", None)
    options = {"wire": BOTH, "inputs": normal((12, 4), (12, 4))} | options
    return RuleCase(name, lambda: Two(op, second and second()), tuple(expected), **options)
