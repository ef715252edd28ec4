"""The models whose parameters, rank and nullity are known; normalizations without epsilon, so that scales are exact."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

# PyTorch's BatchNorm refuses an epsilon of zero; this one is lost in rounding.
TINY = 1e-300


class Attention(nn.Module):
    """Self-attention, with separate projections, optional rotary embedding and shared key-value heads."""

    def __init__(self, *, heads: int, dim: int, groups: int | None = None, bias: bool = False, rope: bool = False) -> None:
        super().__init__()
        self.heads, self.dim, self.groups, self.rope = heads, dim, groups or heads, rope
        self.q = nn.Linear(6, heads * dim, bias=bias)
        self.k = nn.Linear(6, self.groups * dim, bias=bias)
        self.v = nn.Linear(6, self.groups * dim, bias=bias)
        self.o = nn.Linear(heads * dim, 6, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, _ = x.shape
        q = self.q(x).view(batch, length, self.heads, self.dim).transpose(1, 2)
        k, v = (p(x).view(batch, length, self.groups, self.dim).transpose(1, 2) for p in (self.k, self.v))
        if self.rope:
            q, k = rotate(q), rotate(k)
        k, v = (t.repeat_interleave(self.heads // self.groups, dim=1) for t in (k, v))
        weights = (q @ k.transpose(-1, -2) / self.dim**0.5).softmax(dim=-1)
        return self.o((weights @ v).transpose(1, 2).reshape(batch, length, -1))


def rotate(x: Tensor) -> Tensor:
    """Return ``x`` of shape ``[..., length, dim]`` with rotary position embedding."""
    half = x.shape[-1] // 2
    frequency = 10.0 ** -torch.arange(half, dtype=x.dtype)
    angle = torch.arange(x.shape[-2], dtype=x.dtype)[:, None] * frequency
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * torch.cat((angle, angle), dim=-1).cos() + turned * torch.cat((angle, angle), dim=-1).sin()


class SwiGLU(nn.Module):
    """``down(silu(gate(x)) * up(x))``."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.up = nn.Linear(4, 6, bias=False), nn.Linear(4, 6, bias=False)
        self.down = nn.Linear(6, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(functional.silu(self.gate(x)) * self.up(x))


class Recurrent(nn.Module):
    """A recurrent layer of 4 units and a linear readout of every step."""

    def __init__(self, kind: type[nn.LSTM] | type[nn.GRU]) -> None:
        super().__init__()
        self.rnn, self.out = kind(3, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.rnn(x)[0])


def mlp(*widths: int, activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """Return a multi-layer perceptron; ``nn.Identity`` makes it linear."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), activation()]
    return nn.Sequential(*layers[:-1])


@dataclass(frozen=True)
class Reference:
    """One row of the table: a model, the shape of its input, and what is known about it."""

    name: str
    build: Callable[[], nn.Module]
    shape: tuple[int, ...]
    parameters: int
    rank: int

    @property
    def nullity(self) -> int:
        """The number of null directions."""
        return self.parameters - self.rank


REFERENCES = (
    Reference("relu 4-5-3", lambda: mlp(4, 5, 3), (2, 4), 43, 38),
    Reference("relu 4-5-6-3", lambda: mlp(4, 5, 6, 3), (2, 4), 82, 71),
    Reference("tanh 4-5-6-3", lambda: mlp(4, 5, 6, 3, activation=nn.Tanh), (2, 4), 82, 82),
    Reference("gelu 4-5-6-3", lambda: mlp(4, 5, 6, 3, activation=nn.GELU), (2, 4), 82, 82),
    Reference("linear 4-5-6-3", lambda: mlp(4, 5, 6, 3, activation=nn.Identity), (2, 4), 82, 15),
    Reference("attention", lambda: Attention(heads=2, dim=3), (2, 4, 6), 144, 108),
    Reference("attention with biases", lambda: Attention(heads=2, dim=3, bias=True), (2, 4, 6), 168, 120),
    Reference(
        "batch statistics",
        lambda: nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5, eps=TINY), nn.ReLU(), nn.Linear(5, 3)),
        (8, 4),
        53,
        38,
    ),
    Reference("swiglu", SwiGLU, (2, 4), 72, 66),
    Reference(
        "layer norm",
        lambda: nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6, eps=0.0), nn.GELU(), nn.Linear(6, 3)),
        (2, 4),
        63,
        57,
    ),
    Reference(
        "tanh under log-softmax",
        lambda: nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3), nn.LogSoftmax(dim=-1)),
        (2, 4),
        43,
        37,
    ),
    Reference("rope", lambda: Attention(heads=2, dim=4, rope=True), (2, 5, 6), 192, 152),
    Reference("rope, shared keys", lambda: Attention(heads=2, dim=4, groups=1, rope=True), (2, 5, 6), 144, 124),
    Reference("lstm", lambda: Recurrent(nn.LSTM), (2, 5, 3), 154, 138),
    Reference("gru", lambda: Recurrent(nn.GRU), (2, 5, 3), 118, 110),
)
