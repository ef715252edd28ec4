"""Rarer kinds of steps: free parameters, weights computed from parameters, products of activations, odd operations."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from parasym.testing.random_parts import Apply
from parasym.testing.random_step import Choice, Made, another, channels
from parasym.testing.random_twins import random_branches


class Free(nn.Module):
    """A parameter that multiplies or is added: per channel, per position and channel, or one number."""

    def __init__(self, shape: tuple[int, ...], *, multiply: bool) -> None:
        super().__init__()
        self.value, self.multiply = nn.Parameter(torch.randn(shape)), multiply

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        return x * self.value if self.multiply else x + self.value


class Computed(nn.Module):
    """A Linear map whose weight is computed: base plus low rank, centered, normalized, or a product of two."""

    def __init__(self, fan_in: int, fan_out: int, how: str) -> None:
        super().__init__()
        self.base, self.how = nn.Linear(fan_in, fan_out), how
        self.left, self.right = nn.Parameter(torch.randn(fan_out, 2)), nn.Parameter(torch.randn(2, fan_in))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        weight = self.base.weight
        if self.how == "centered":
            weight = weight - weight.mean(1, keepdim=True)
        elif self.how == "normalized":
            weight = weight / weight.norm(dim=0)
        elif self.how == "tanh":
            weight = weight.tanh()
        return functional.linear(x, weight + self.left @ self.right, self.base.bias)


class Parallel(nn.Module):
    """Two Linear maps whose outputs meet in an outer product, or in a table of scalar products of positions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(width, 3), nn.Linear(width, 3, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        a, b = self.left(x), self.right(x)
        if x.ndim == 2:
            return (a[:, :, None] * b[:, None, :]).flatten(1)
        return (a @ b.transpose(1, 2)).softmax(-1) @ x


class Dot(nn.Module):
    """A sum of products of two Linear maps, or of one with itself, written out; what is read stays beside it."""

    def __init__(self, width: int, *, twice: bool, mean: bool) -> None:
        super().__init__()
        self.left, self.mean = nn.Linear(width, 3), mean
        self.right = self.left if twice else nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        products = self.left(x) * self.right(x)
        return x * (products.mean(-1, keepdim=True) if self.mean else products.sum(-1, keepdim=True))


class Opposite(nn.Module):
    """One layer on two inputs, the results taken from each other: a bias is seen if one counts more often than the other."""

    def __init__(self, layer: nn.Module, *, often: int) -> None:
        super().__init__()
        self.layer, self.often = layer, often

    def forward(self, x: Tensor, y: Tensor) -> Tensor:  # noqa: D102
        return self.often * self.layer(x) - self.layer(y)


def _dot(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    made = Dot(channels(values[at]), twice=choice.coin(), mean=choice.coin())
    return (made, (at,)) if values[at].ndim < 4 else None


def _opposite(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    x, other = values[at], another(choice, values, at)
    if other is None:
        return None
    layer = nn.Linear(x.shape[-1], choice.width()) if x.ndim < 4 else nn.Conv2d(x.shape[1], choice.width(), 1)
    return Opposite(layer, often=choice.pick((1, 1, 2))), (at, other)


def _sum_positions(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    del choice
    return (Apply(lambda x: x + x.sum(1, keepdim=True)), (at,)) if values[at].ndim == 3 else None


def _free(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    x = values[at]
    shape = choice.pick(((), (channels(x),), tuple(x.shape[1:]))) if x.ndim < 4 else choice.pick(((), (channels(x), 1, 1)))
    return Free(shape, multiply=choice.coin()), (at,)


def _computed(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    x = values[at]
    how = choice.pick(("plain", "centered", "normalized", "tanh"))
    return (Computed(x.shape[-1], choice.width(), how), (at,)) if x.ndim < 4 else None


def _parallel(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    return (Parallel(values[at].shape[-1]), (at,)) if values[at].ndim < 4 else None


def _parametrized(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    x = values[at]
    layer = nn.Linear(x.shape[-1], choice.width()) if x.ndim < 4 else nn.Conv2d(x.shape[1], choice.width(), 3, padding=1)
    return parametrizations.weight_norm(layer, dim=choice.pick((0, 1))), (at,)


def _bilinear(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    other = another(choice, values, at)
    width = values[at].shape[-1]
    return (nn.Bilinear(width, width, 3), (at, other)) if values[at].ndim < 4 and width <= 6 and other is not None else None


def _encoder(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    x = values[at]
    if x.ndim != 3 or x.shape[-1] % 2:
        return None
    if choice.coin():
        return nn.TransformerEncoderLayer(x.shape[-1], 2, 5, 0.0, batch_first=True, norm_first=choice.coin()), (at,)
    return Apply(lambda x: functional.scaled_dot_product_attention(x, x, x)), (at,)


def _temporal(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    x = values[at]
    if x.ndim != 3:
        return None
    return nn.Conv1d(x.shape[1], x.shape[1], 3, padding=1, groups=choice.pick((1, x.shape[1]))), (at,)


def _branches(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    """Branches that are read alike, or but for one number; the batch stays whole, and the axes are as many as before."""
    x = values[at]
    if x.ndim < 3:
        return None
    make = partial(nn.Conv2d, x.shape[1], 4, 1) if x.ndim == 4 else partial(nn.Linear, x.shape[-1], 4)
    with torch.no_grad():
        alike, changed, *_ = random_branches(choice, make, x)
        out = alike(x)
    fits = out.ndim == x.ndim and len(out) == len(x) and (x.ndim < 4 or out.shape[2] == out.shape[3])
    return (choice.pick((alike, changed)), (at,)) if fits else None


def _odd_one(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    axis = 1 if values[at].ndim == 4 else -1
    functions: tuple[Callable[[Tensor], Tensor], ...] = (
        lambda x: x.clamp(min=0.0),
        lambda x: x.clamp(-1.0, 2.0),
        lambda x: x**3,
        lambda x: torch.exp(-x.square()),
        lambda x: x / (1 + x.abs()),
        lambda x: x * x.mean(axis, keepdim=True),
        lambda x: x / x.std(axis, keepdim=True),
        lambda x: x - x.amax(axis, keepdim=True),
        lambda x: x / (x.square().sum(axis, keepdim=True) + 1e-3).sqrt(),
        lambda x: torch.logsumexp(x, axis, keepdim=True) + x,
        lambda x: x.cumsum(axis),
        lambda x: x.sort(dim=axis).values,
        lambda x: torch.where(x > 0, x, 0.1 * x),
        lambda x: torch.where(x > 0, x, x.sin()),
        lambda x: x.masked_fill(x < 0, 0.0),
        lambda x: 2.0 * x + 1.0,
        lambda x: x.repeat_interleave(2, dim=axis).narrow(axis, 1, channels(x)),
        lambda x: torch.stack((x, x.flip(axis)), dim=0).sum(0),
        lambda x: torch.lerp(x, x.relu(), 0.3),
        lambda x: x.softmax(0),
        lambda x: x.relu() - (-x).relu(),
        lambda x: functional.dropout(x, 0.0) + x.var(0, keepdim=True),
    )
    return Apply(choice.pick(functions)), (at,)


def _odd_two(choice: Choice, values: Sequence[Tensor], at: int) -> Made:
    other = another(choice, values, at)
    functions: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (
        lambda x, y: torch.where(x > y, x, y),
        lambda x, y: torch.where(y > 0, x, -x),
        lambda x, y: x / (y.square() + 1),
        lambda x, y: torch.minimum(x, y).relu(),
        lambda x, y: x * y.abs(),
        lambda x, y: torch.addcmul(x, y, y, value=0.5),
        lambda x, y: x * y.sigmoid() + y * (1 - y.sigmoid()),
    )
    return (Apply(choice.pick(functions)), (at, other)) if other is not None else None


RARE: tuple[tuple[str, Callable[[Choice, Sequence[Tensor], int], Made]], ...] = (
    *(("free", _free),) * 2,
    *(("computed", _computed),) * 2,
    ("parallel", _parallel),
    ("dot", _dot),
    ("opposite", _opposite),
    ("sum_positions", _sum_positions),
    ("parametrized", _parametrized),
    ("bilinear", _bilinear),
    ("encoder", _encoder),
    ("temporal", _temporal),
    *(("branches", _branches),) * 3,
    *(("odd_one", _odd_one),) * 4,
    *(("odd_two", _odd_two),) * 2,
)
