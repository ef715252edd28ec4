"""Constants that move from one parameter to others, and zeros beside channels."""

from math import factorial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parasym.zoo.entry import Entry
from parasym.zoo.inputs import normal


class Adapter(nn.Module):
    """A layer with a low-rank update, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.base, self.head = nn.Linear(4, 5), nn.Linear(5, 3)
        self.down, self.up = nn.Linear(4, 2, bias=False), nn.Linear(2, 5, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.head(torch.tanh(self.base(x) + 0.5 * self.up(self.down(x))))


class NarrowShortcut(nn.Module):
    """A residual block whose shortcut has no parameters: every other pixel, with channels of zeros on both sides."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 2, 1)
        self.first, self.second = nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.Conv2d(3, 5, 3, padding=1)
        self.head = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        x = torch.relu(self.stem(x))
        wide = self.second(torch.relu(self.first(x)))
        x = torch.relu(wide + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 1)))
        return self.head(x.mean((2, 3)))


class SideBySide(nn.Module):
    """A linear branch and one of tanh, read together."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.bent, self.head = nn.Linear(4, 2), nn.Linear(4, 3), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.head(torch.cat([self.linear(x), torch.tanh(self.bent(x))], -1))


class Steps(nn.Module):
    """A recurrent cell called by hand, once for every step."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(3, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        state = x.new_zeros(len(x), 4)
        for k in range(x.shape[1]):
            state = self.cell(x[:, k], state)
        return self.head(state)


SHIFTS = (
    Entry(
        "adapter",
        Adapter,
        normal((16, 4)),
        ("shift(8)", "shift(10)", "S(5)", "signs(5)"),
        factorial(5) * 2**5,
        18,
        "W + B A / 2: whatever moves A or B is taken from W, so that all of both is free; GL(2) between them is made of that.",
    ),
    Entry(
        "narrow_shortcut",
        NarrowShortcut,
        normal((16, 2, 6, 6)),
        ("S(2)", "scale(2)", "S(3)", "scale(3)", "S(3)", "scale(2)", "scale(1)"),
        factorial(2) * factorial(3) * factorial(3),
        8,
        "ReLU. The two channels of the stem stay in the middle; two channels before and one behind see a shortcut of zeros, and"
        " change places with each other.",
    ),
    Entry(
        "side_by_side",
        SideBySide,
        normal((16, 4)),
        ("GL(2)", "shift(2)", "S(3)", "signs(3)"),
        factorial(3) * 2**3,
        6,
        "The bias of the linear branch goes through its columns of the head to the bias of the head.",
    ),
    Entry(
        "gru_cell",
        Steps,
        normal((16, 3, 3)),
        ("S(4)", "signs(4)", "shift(4)", "shift(4)"),
        factorial(4) * 2**4,
        8,
        "The cell is called three times. In every step the two biases of both gates are summed; of the new state only one is"
        " multiplied by a gate.",
    ),
    Entry(
        "max_pool",
        lambda: nn.Sequential(nn.Conv1d(2, 3, 1), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(9, 2)),
        normal((16, 2, 6)),
        ("S(3)", "scale(3)", "shift(3)"),
        factorial(3),
        6,
        "A maximum passes positive scales, and a constant that is the same everywhere; the head sums it over positions.",
    ),
    Entry(
        "layer_norm_without_gain",
        lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.LayerNorm(5, elementwise_affine=False), nn.Linear(5, 3)),
        normal((16, 4)),
        ("S(5)", "signs(1)", "shift(3)"),
        factorial(5) * 2,
        3,
        "What is normalized sums to zero: a constant along a row of the head does nothing. All signs flip together.",
    ),
)
