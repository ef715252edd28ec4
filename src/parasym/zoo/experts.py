"""Mixtures of experts: hidden units of each expert, and the experts themselves."""

from math import factorial

import torch
from torch import Tensor, nn

from parasym.zoo.entry import Entry
from parasym.zoo.inputs import normal


class StackedExperts(nn.Module):
    """Soft mixture of three experts whose weights are stacked. Index conventions: b batch, e expert, i in, h hidden, o out."""

    def __init__(self, experts: int = 3, hidden: int = 5) -> None:
        super().__init__()
        self.gate = nn.Linear(4, experts)
        self.up, self.up_bias = nn.Parameter(torch.randn(experts, 4, hidden)), nn.Parameter(torch.randn(experts, hidden))
        self.down, self.down_bias = nn.Parameter(torch.randn(experts, hidden, 2)), nn.Parameter(torch.randn(experts, 2))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        gate = self.gate(x).softmax(-1)
        h = torch.relu(torch.einsum("bi,eih->beh", x, self.up) + self.up_bias)
        out = torch.einsum("beh,eho->beo", h, self.down) + self.down_bias
        return torch.einsum("be,beo->bo", gate, out)


class ListedExperts(nn.Module):
    """Soft mixture of three experts, each a module of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(4, 3)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        out = torch.stack([expert(x) for expert in self.experts], dim=1)
        return (self.gate(x).softmax(-1)[:, :, None] * out).sum(1)


class Bilinear(nn.Module):
    """Two einsum layers with one block per input group. Index conventions: b batch, g group, i in, h hidden, o out."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Parameter(torch.randn(2, 3, 4)), nn.Parameter(torch.randn(2, 4, 3))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return torch.einsum("bgh,gho->bo", torch.tanh(torch.einsum("bgi,gih->bgh", x, self.up)), self.down)


EXPERTS = (
    Entry(
        "experts_stacked",
        StackedExperts,
        normal((12, 4)),
        ("S(3)", "S(5)^3", "scale(5)^3", "shift(4)", "shift(1)"),
        factorial(3) * factorial(5) ** 3,
        20,
        "Experts may be exchanged with the rows of the gate; the 5 ReLU units of each on their own. The softmax kills what is"
        " common to the experts: one shift per column of the gate's weight and one of its bias.",
    ),
    Entry(
        "experts_listed",
        ListedExperts,
        normal((12, 4)),
        ("S(3)", "S(5)", "S(5)", "S(5)", "scale(5)", "scale(5)", "scale(5)", "shift(4)", "shift(1)"),
        6 * factorial(5) ** 3,
        20,
        "As experts_stacked; the exchange of experts swaps whole tensors of different names with their rows of the gate.",
    ),
    Entry(
        "einsum_blocks",
        Bilinear,
        normal((8, 2, 3)),
        ("S(4)^2", "signs(4)^2"),
        (factorial(4) * 2**4) ** 2,
        0,
        "The two input groups are pinned; the tanh units of each have signed permutations of their own.",
    ),
)
