"""One small model for every row of the table of axes: the wire in question is shown by that row alone, or not at all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.pytorch_utils import Conv1D

from parasym.functional import Call


class Raw(nn.Module):
    """A linear map that no module shows."""

    def __init__(self, ins: int, outs: int) -> None:
        super().__init__()
        self.matrix, self.shift = nn.Parameter(torch.randn(outs, ins) / ins**0.5), nn.Parameter(0.3 * torch.randn(outs))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.matrix, self.shift)


class RawChannels(Raw):
    """The same along the channels of an image or a signal."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Two(nn.Module):
    """A map of two inputs."""

    def __init__(self, first: nn.Module, second: nn.Module, joint: nn.Module, last: nn.Module) -> None:
        super().__init__()
        self.first, self.second, self.joint, self.last = first, second, joint, last

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.last(torch.tanh(self.joint(torch.tanh(self.first(a)), torch.tanh(self.second(b)))))


class Attending(nn.Module):
    def __init__(self, before: nn.Module, inner: nn.MultiheadAttention, after: nn.Module, *, by_name: bool = False) -> None:
        super().__init__()
        self.before, self.inner, self.after, self.by_name = before, inner, after, by_name

    def forward(self, query: Tensor, memory: Tensor | None = None) -> Tensor:
        h = torch.nn.functional.gelu(self.before(query))
        other = h if memory is None else memory
        if self.by_name:
            return self.after(torch.tanh(self.inner(query=h, key=other, value=other)[0]))
        return self.after(torch.tanh(self.inner(h, other, other)[0]))


class Recurrent(nn.Module):
    def __init__(self, inner: nn.RNNBase, after: nn.Module) -> None:
        super().__init__()
        self.inner, self.after = inner, after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.inner(x)[0])


class Stepping(nn.Module):
    def __init__(self, cell: nn.RNNCellBase, after: nn.Module) -> None:
        super().__init__()
        self.cell, self.after = cell, after

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for step in x.unbind(1):
            state = self.cell(step, state)
        assert state is not None
        return self.after(state[0] if isinstance(state, tuple) else state)


class Named(nn.Module):
    """Two inputs, the second by name only."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.gate, self.down = nn.Linear(4, 6), nn.Linear(3, 6), nn.Linear(6, 2)

    def forward(self, x: Tensor, *, condition: Tensor) -> Tensor:
        return self.down(torch.tanh(self.up(x)) * torch.sigmoid(self.gate(condition)))


@dataclass(frozen=True)
class Case:
    """A model, two batches for it, and which of its types are under test."""

    name: str
    build: Callable[[], nn.Module]
    batches: Callable[[], list[Any]]
    shows: type[nn.Module] | None = None
    alone: bool = True
    """Whether activations alone find the element; if not, weights have to decide what they leave open."""


def normal(*shapes: tuple[int, ...]) -> Callable[[], list[Any]]:
    """Batches of the given shapes, one each."""

    def make() -> list[Any]:
        g = torch.Generator().manual_seed(3)
        return [torch.randn(shape, generator=g, dtype=torch.float64) for shape in shapes]

    return make


def pairs(*shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> Callable[[], list[Any]]:
    """Batches of two inputs."""

    def make() -> list[Any]:
        g = torch.Generator().manual_seed(3)
        return [tuple(torch.randn(s, generator=g, dtype=torch.float64) for s in pair) for pair in shapes]

    return make


def tokens(*shapes: tuple[int, ...]) -> Callable[[], list[Any]]:
    def make() -> list[Any]:
        g = torch.Generator().manual_seed(3)
        return [torch.randint(0, 20, shape, generator=g) for shape in shapes]

    return make


def named() -> list[Any]:
    (x, c), (y, d) = pairs(((9, 4), (9, 3)), ((12, 4), (12, 3)))()
    return [Call((x,), {"condition": c}), {"x": y, "condition": d}]


def memories() -> list[Any]:
    return [{"query": x, "memory": y} for x, y in pairs(((9, 7, 3), (9, 4, 5)), ((6, 5, 3), (6, 8, 5)))()]


def normed(layer: Callable[[], nn.Module], act: Callable[[], nn.Module] = nn.ReLU) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        norm = layer()
        for name, x in [*norm.named_parameters(), *norm.named_buffers()]:
            if x.is_floating_point():
                x.data = (0.5 + torch.rand(x.shape)) * (1 if name == "running_var" else torch.randn(x.shape).sign())
        return nn.Sequential(RawChannels(3, 8), norm, act(), RawChannels(8, 2))

    return make


def sequential(*parts: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(*(part() for part in parts))


def linear(ins: int, outs: int) -> Callable[[], nn.Module]:
    return lambda: nn.Linear(ins, outs)


def raw(ins: int, outs: int) -> Callable[[], nn.Module]:
    return lambda: Raw(ins, outs)


def channels(ins: int, outs: int) -> Callable[[], nn.Module]:
    return lambda: RawChannels(ins, outs)


SIGNALS = normal((16, 3, 9), (12, 3, 7))
CASES = (
    Case("linear rows", sequential(linear(4, 6), nn.Tanh, raw(6, 3)), normal((20, 4), (7, 4)), nn.Linear),
    Case("linear columns", sequential(raw(4, 6), nn.Tanh, linear(6, 3)), normal((20, 4), (7, 4)), nn.Linear),
    Case("linear over positions", sequential(linear(4, 6), nn.Tanh, raw(6, 3)), normal((5, 8, 4), (5, 11, 4)), nn.Linear),
    Case("linear GL", sequential(linear(4, 6), linear(6, 6), nn.ReLU, linear(6, 3)), normal((30, 4), (40, 4)), nn.Linear),
    Case("Conv1D rows", sequential(raw(4, 6), nn.Tanh, lambda: Conv1D(3, 6)), normal((20, 5, 4), (6, 4, 4)), Conv1D),
    Case("Conv1D columns", sequential(lambda: Conv1D(6, 4), nn.Tanh, raw(6, 3)), normal((20, 5, 4), (6, 4, 4)), Conv1D),
    Case(
        "bilinear",
        lambda: Two(Raw(4, 5), Raw(3, 6), nn.Bilinear(5, 6, 7), Raw(7, 2)),
        pairs(((30, 4), (30, 3)), ((20, 4), (20, 3))),
        nn.Bilinear,
    ),
    Case("conv1d", sequential(lambda: nn.Conv1d(3, 6, 3), nn.Tanh, channels(6, 2)), SIGNALS, nn.Conv1d),
    Case("conv1d inputs", sequential(channels(3, 6), nn.Tanh, lambda: nn.Conv1d(6, 2, 3)), SIGNALS, nn.Conv1d),
    Case(
        "conv2d in groups",
        sequential(lambda: nn.Conv2d(4, 6, 3, groups=2), nn.Tanh, channels(6, 2)),
        normal((8, 4, 6, 6), (5, 4, 5, 7)),
        nn.Conv2d,
    ),
    Case(
        "depthwise",
        sequential(channels(3, 6), nn.Tanh, lambda: nn.Conv2d(6, 6, 3, groups=6), nn.Tanh, channels(6, 2)),
        normal((8, 3, 6, 6), (5, 3, 5, 7)),
        nn.Conv2d,
        alone=False,
    ),
    Case(
        "conv3d without samples",
        sequential(lambda: nn.Conv3d(2, 5, 2), nn.Tanh, lambda: nn.Conv3d(5, 2, 2)),
        normal((2, 5, 6, 5), (2, 4, 6, 6)),
        nn.Conv3d,
    ),
    Case("transposed", sequential(lambda: nn.ConvTranspose1d(3, 6, 3), nn.Tanh, channels(6, 2)), SIGNALS, nn.ConvTranspose1d),
    Case(
        "transposed inputs", sequential(channels(3, 6), nn.Tanh, lambda: nn.ConvTranspose1d(6, 2, 3)), SIGNALS, nn.ConvTranspose1d
    ),
    Case(
        "transposed in groups",
        sequential(lambda: nn.ConvTranspose2d(4, 6, 3, groups=2), nn.Tanh, channels(6, 2)),
        normal((8, 4, 6, 6), (5, 4, 5, 7)),
        nn.ConvTranspose2d,
    ),
    Case("embedding", sequential(lambda: nn.Embedding(20, 6), nn.Tanh, raw(6, 3)), tokens((8, 5), (4, 9)), nn.Embedding),
    Case(
        "embedding of as many tokens as positions",
        sequential(lambda: nn.Embedding(20, 20), nn.ReLU, raw(20, 3)),
        tokens((30, 20), (30, 20)),
        nn.Embedding,
    ),
    Case("bag", sequential(lambda: nn.EmbeddingBag(20, 6), nn.Tanh, raw(6, 3)), tokens((16, 5), (24, 9)), nn.EmbeddingBag),
    Case("batch norm", normed(lambda: nn.BatchNorm1d(8)), SIGNALS, nn.BatchNorm1d),
    Case("batch norm tanh", normed(lambda: nn.BatchNorm1d(8), nn.Tanh), SIGNALS, nn.BatchNorm1d),
    Case("batch norm images", normed(lambda: nn.BatchNorm2d(8), nn.GELU), normal((9, 3, 4, 4), (5, 3, 3, 5)), nn.BatchNorm2d),
    Case(
        "instance norm",
        normed(lambda: nn.InstanceNorm1d(8, affine=True, track_running_stats=True)),
        SIGNALS,
        nn.InstanceNorm1d,
    ),
    Case("group norm", normed(lambda: nn.GroupNorm(2, 8), nn.GELU), SIGNALS, nn.GroupNorm, alone=False),
    Case(
        "layer norm",
        sequential(raw(4, 6), lambda: shaken(nn.LayerNorm(6)), nn.GELU, raw(6, 3)),
        normal((20, 4), (9, 4)),
        nn.LayerNorm,
    ),
    Case(
        "layer norm without bias",
        sequential(raw(4, 6), lambda: shaken(nn.LayerNorm(6, bias=False)), nn.GELU, raw(6, 3)),
        normal((20, 4), (9, 4)),
        nn.LayerNorm,
    ),
    Case(
        "root mean square norm",
        sequential(raw(4, 6), lambda: shaken(nn.RMSNorm(6)), nn.GELU, raw(6, 3)),
        normal((20, 4), (9, 4)),
        nn.RMSNorm,
        alone=False,
    ),
    Case("slopes", sequential(raw(4, 6), lambda: nn.PReLU(6), raw(6, 3)), normal((20, 4), (9, 4)), nn.PReLU),
    Case(
        "self-attention",
        lambda: Attending(Raw(3, 8), nn.MultiheadAttention(8, 2, batch_first=True), Raw(8, 2)),
        normal((9, 7, 3), (6, 5, 3)),
        nn.MultiheadAttention,
    ),
    Case(
        "cross-attention by name",
        lambda: Attending(
            Raw(3, 8), nn.MultiheadAttention(8, 2, kdim=5, vdim=5, batch_first=True, bias=False), Raw(8, 2), by_name=True
        ),
        memories,
        nn.MultiheadAttention,
    ),
    Case("rnn", lambda: Recurrent(nn.RNN(3, 5, batch_first=True), Raw(5, 2)), normal((6, 7, 3), (9, 4, 3)), nn.RNN),
    Case(
        "lstm",
        lambda: Recurrent(nn.LSTM(3, 5, num_layers=2, bidirectional=True, batch_first=True), Raw(10, 2)),
        normal((30, 7, 3), (20, 4, 3)),
        nn.LSTM,
    ),
    Case(
        "lstm with projection",
        lambda: Recurrent(nn.LSTM(3, 5, proj_size=4, batch_first=True), Raw(4, 2)),
        normal((30, 7, 3), (20, 4, 3)),
        nn.LSTM,
    ),
    Case("gru", lambda: Recurrent(nn.GRU(3, 5, batch_first=True), Raw(5, 2)), normal((6, 7, 3), (9, 4, 3)), nn.GRU),
    Case("gru cell", lambda: Stepping(nn.GRUCell(3, 5), Raw(5, 2)), normal((6, 7, 3), (9, 4, 3)), nn.GRUCell),
    Case("lstm cell", lambda: Stepping(nn.LSTMCell(3, 5), Raw(5, 2)), normal((6, 7, 3), (9, 4, 3)), nn.LSTMCell),
    Case("two inputs, one by name", Named, named),
)


def shaken(norm: nn.Module) -> nn.Module:
    """A normalization with gains and biases that differ."""
    for x in norm.parameters():
        x.data = x + 0.3 * torch.randn(x.shape)
    return norm
