"""Gated units: a product of two branches, only one of which is bent."""

from collections.abc import Callable
from functools import partial
from math import factorial

import torch
from torch import Tensor, nn
from torch.nn import functional

from parasym.zoo.entry import Entry
from parasym.zoo.inputs import normal


class GatedMLP(nn.Module):
    """One layer of twice the width, cut into value and gate."""

    def __init__(self, gate: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.up, self.down, self.gate = nn.Linear(4, 12), nn.Linear(6, 3), gate

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        value, gate = self.up(x).chunk(2, dim=-1)
        return self.down(value * self.gate(gate))


class SwiGLU(nn.Module):
    """Gate and value in two layers, without biases."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.up, self.down = nn.Linear(4, 6, bias=False), nn.Linear(4, 6, bias=False), nn.Linear(6, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.down(functional.silu(self.gate(x)) * self.up(x))


class MaxOut(nn.Module):
    """Units that take the largest of two linear pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces, self.down = nn.Linear(4, 6), nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.down(self.pieces(x).unflatten(-1, (3, 2)).amax(-1))


_GATED = (
    "Value and gate are exchanged together; the value is linear in the product, so it has signs and scales that"
    " the next layer undoes."
)

GATED = (
    Entry(
        "glu",
        lambda: nn.Sequential(nn.Linear(4, 12), nn.GLU(), nn.Linear(6, 3)),
        normal((12, 4)),
        ("S(6)", "signs(6)", "scale(6)"),
        factorial(6) * 2**6,
        6,
        _GATED,
    ),
    Entry(
        "gated_chunk",
        partial(GatedMLP, functional.gelu),
        normal((12, 4)),
        ("S(6)", "signs(6)", "scale(6)"),
        factorial(6) * 2**6,
        6,
        _GATED,
    ),
    Entry(
        "gated_relu",
        partial(GatedMLP, torch.relu),
        normal((12, 4)),
        ("S(6)", "signs(6)", "scale(6)", "scale(6)"),
        factorial(6) * 2**6,
        12,
        _GATED + " The ReLU gate has a scale of its own.",
    ),
    Entry(
        "swiglu",
        SwiGLU,
        normal((12, 4)),
        ("S(6)", "signs(6)", "scale(6)"),
        factorial(6) * 2**6,
        6,
        _GATED + " P = 72, rank 66.",
    ),
    Entry(
        "max_out",
        MaxOut,
        normal((12, 4)),
        ("S(3)", "S(2)^3", "scale(3)", "shift(3)"),
        factorial(3) * 2**3,
        6,
        "Rows are a product of 3 units and 2 pieces: both are exchangeable, the pieces unit by unit. A scale and a constant"
        " common to both pieces pass the maximum; the next layer takes them.",
    ),
)
