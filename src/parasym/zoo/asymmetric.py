"""Networks whose frozen entries tell channels apart."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from parasym.zoo.entry import Entry
from parasym.zoo.inputs import normal


class PartlyFrozen(nn.Module):
    """A Linear layer some of whose entries are constants: ``W = mask * weight + frozen``."""

    mask: Tensor
    frozen: Tensor

    def __init__(self, mask: Tensor, frozen: Tensor) -> None:
        super().__init__()
        fan_out, fan_in = mask.shape
        self.weight, self.bias = nn.Parameter(torch.randn(fan_out, fan_in) / fan_in**0.5), nn.Parameter(torch.zeros(fan_out))
        self.register_buffer("mask", mask.float())
        self.register_buffer("frozen", frozen * (1 - mask.float()))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return functional.linear(x, self.weight * self.mask + self.frozen, self.bias)


def _asymmetric(activation: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(7)
    first = torch.tensor([[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0], [0, 0, 1, 1]])
    last = torch.tensor([[0, 1, 1, 1, 1], [1, 1, 0, 1, 1], [1, 1, 1, 1, 0]])
    frozen = [torch.randn(mask.shape, generator=generator) for mask in (first, last)]
    return nn.Sequential(PartlyFrozen(first, frozen[0]), activation, PartlyFrozen(last, frozen[1]))


def _two_kinds() -> nn.Module:
    first = torch.tensor([[0, 1, 1, 1], [0, 1, 1, 1], [1, 0, 1, 1], [1, 0, 1, 1], [1, 0, 1, 1]])
    return nn.Sequential(PartlyFrozen(first, torch.full((5, 4), 0.7)), nn.GELU(), nn.Linear(5, 3))


_DEAD = (
    " The masked entries of the weights have no effect at all: they are the rest (a constant zero in front of them, not a freedom"
    " of any wire)."
)

ASYMMETRIC = (
    Entry(
        "w_asymmetric_relu",
        partial(_asymmetric, nn.ReLU()),
        normal((8, 4)),
        (),
        1,
        0,
        "Every row of the first layer has its own frozen entries: no unit can be exchanged, and none rescaled." + _DEAD,
        rest=9,
    ),
    Entry(
        "w_asymmetric_gelu",
        partial(_asymmetric, nn.GELU()),
        normal((8, 4)),
        (),
        1,
        0,
        "As with ReLU." + _DEAD,
        rest=9,
    ),
    Entry(
        "frozen_two_kinds",
        _two_kinds,
        normal((8, 4)),
        ("S(2) x S(3)",),
        12,
        0,
        "Rows 0 and 1 have equal frozen entries, and rows 2, 3, 4: a Young subgroup." + _DEAD,
        rest=5,
    ),
)
