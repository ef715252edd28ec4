"""Ways to read a tensor that depend on numbers, each drawn twice: two branches read in two of them are not the same function."""

from collections.abc import Callable
from functools import partial
from itertools import starmap

import torch
from torch import Tensor
from torch.nn import functional

from parasym.testing.random_step import Choice

Function = Callable[[Tensor], Tensor]
Draw = Callable[[Choice, Tensor], tuple[Function, Function] | None]


def channel_axis(x: Tensor) -> int:
    """Return the axis of the channels: axis 1 of an image, else the last one."""
    return 1 if x.ndim == 4 else x.ndim - 1


def _between(low: int, high: int, choice: Choice) -> tuple[int, int] | None:
    """Return two different integers."""
    if high <= low:
        return None
    first, second = choice.shuffled(range(low, high + 1))[:2]
    return first, second


def _window(choice: Choice, x: Tensor) -> tuple[Function, Function] | None:
    """Two windows of one length."""
    axis = _axis(choice, x)
    n = x.shape[axis]
    lengths = [choice.integer(1, max(n - 1, 1))] * 2
    starts = _between(0, n - lengths[0], choice)
    return None if starts is None else (_narrow(axis, starts[0], lengths[0]), _narrow(axis, starts[1], lengths[1]))


def _narrow(axis: int, start: int, length: int) -> Function:
    return lambda x: x.narrow(axis, start, length)


def _reduced(reduce: Callable[[Tensor, int], Tensor], least: int) -> Draw:
    """A reduction over windows of two lengths, beside the first position, which is left where a window is empty."""

    def draw(choice: Choice, x: Tensor) -> tuple[Function, Function] | None:
        axis = _axis(choice, x)
        lengths = _between(least, x.shape[axis], choice)
        if lengths is None:
            return None
        starts = [choice.integer(0, x.shape[axis] - n) for n in lengths]
        first, second = starmap(partial(_narrow, axis), zip(starts, lengths, strict=True))
        read = lambda x, window: reduce(window(x), axis) + x.select(axis, 0)  # noqa: E731
        return (lambda x: read(x, first)), (lambda x: read(x, second))

    return draw


def _axis(choice: Choice, x: Tensor) -> int:
    """Return an axis other than that of the channels: a piece of a branch may well change places with another piece."""
    return choice.pick([a for a in range(x.ndim) if a != channel_axis(x)])


def _axes(function: Callable[[Tensor, int], Tensor]) -> Draw:
    """One function along two axes."""

    def draw(choice: Choice, x: Tensor) -> tuple[Function, Function] | None:
        first, second = choice.shuffled(range(x.ndim))[:2]
        return (lambda x: function(x, first)), (lambda x: function(x, second))

    return draw


def _numbers(function: Callable[..., Tensor], *values: object) -> Draw:
    """One function with two of these numbers."""

    def draw(choice: Choice, x: Tensor) -> tuple[Function, Function] | None:
        first, second = choice.shuffled(values)[:2]
        return (lambda x: function(x, first)), (lambda x: function(x, second))

    return draw


def _along(function: Callable[[Tensor, int, int], Tensor], low: int, *, most: int = 0) -> Draw:
    """One function with two integers that fit on an axis."""

    def draw(choice: Choice, x: Tensor) -> tuple[Function, Function] | None:
        axis = _axis(choice, x)
        both = _between(low, x.shape[axis] - 1 + most, choice)
        return both and ((lambda x: function(x, axis, both[0])), (lambda x: function(x, axis, both[1])))

    return draw


def _pooled(function: Callable[..., Tensor], *options: dict[str, int]) -> Draw:
    """One pooling of the last axis with two options; the results are cut to the same length."""

    def draw(choice: Choice, x: Tensor) -> tuple[Function, Function] | None:
        if x.ndim not in (3, 4) or x.shape[-1] < 4:
            return None
        first, second = choice.shuffled(options)[:2]
        rows = partial(_rows, function)
        length = min(rows(x, first).shape[-1], rows(x, second).shape[-1])
        return (lambda x: rows(x, first)[..., :length]), (lambda x: rows(x, second)[..., :length])

    return draw


def _rows(function: Callable[..., Tensor], x: Tensor, options: dict[str, int]) -> Tensor:
    return function(x.flatten(1, -2), **options).unflatten(1, x.shape[1:-1])


def _every_second(choice: Choice, x: Tensor) -> tuple[Function, Function] | None:
    """The even and the odd positions of an axis."""
    axis = _axis(choice, x)
    pairs = x.shape[axis] // 2
    both = choice.shuffled((0, 1))
    first, second = ((lambda x, k=k: x.movedim(axis, 0)[: 2 * pairs][k::2]) for k in both)
    return (first, second) if pairs else None


def _masked(x: Tensor, axis: int, position: int) -> Tensor:
    shape = [-1 if a == axis else 1 for a in range(x.ndim)]
    return x.masked_fill((torch.arange(x.shape[axis]) == position).reshape(shape), 0.0)


def _weighted(x: Tensor, slope: float) -> Tensor:
    """Weights that grow along the first axis behind the batch."""
    return x * (1 + slope * torch.arange(x.shape[1]).to(x.dtype)).reshape(-1, *[1] * (x.ndim - 2))


READINGS: tuple[tuple[str, Draw], ...] = (
    *(("window", _window),) * 4,
    ("sum of a window", _reduced(torch.sum, 0)),
    ("mean of a window", _reduced(torch.mean, 1)),
    ("maximum of a window", _reduced(torch.amax, 1)),
    ("one position", _along(torch.select, 0)),
    ("every second", _every_second),
    ("roll", _along(lambda x, axis, shift: x.roll(shift, axis), 0)),
    ("look-up", _along(lambda x, axis, k: x.index_select(axis, torch.tensor([0, k])), 0)),
    ("padding", _along(lambda x, axis, k: functional.pad(x.movedim(axis, -1), (k, x.shape[axis] - k)), 0, most=1)),
    ("mask", _along(_masked, 0)),
    ("largest", _along(lambda x, axis, k: x.topk(k, axis).values.sum(axis), 1, most=1)),
    ("flip", _axes(lambda x, axis: x.flip(axis))),
    ("running sum", _axes(lambda x, axis: x.cumsum(axis))),
    ("softmax", _axes(lambda x, axis: x.softmax(axis))),
    ("squares", _axes(lambda x, axis: x / (1 + x.square().mean(axis, keepdim=True)))),
    ("maximum pool", _pooled(functional.max_pool1d, *({"kernel_size": 2, "stride": 1, "dilation": d} for d in (1, 2)))),
    ("strided pool", _pooled(functional.max_pool1d, *({"kernel_size": 2, "stride": s} for s in (1, 2)))),
    ("long pool", _pooled(functional.max_pool1d, *({"kernel_size": k, "stride": 1} for k in (1, 2, 3)))),
    ("mean pool", _pooled(functional.avg_pool1d, *({"kernel_size": 2, "padding": p} for p in (0, 1)))),
    ("resize", _pooled(functional.interpolate, *({"size": n} for n in (5, 7, 9)))),
    ("slope", _numbers(functional.leaky_relu, 0.1, 0.2, -1.0, -2.0)),
    ("cut", _numbers(lambda x, low: x.clamp(min=low), -0.1, 0.1, 0.2)),
    ("factor", _numbers(lambda x, c: x * c, 2.0, 3, -1, -2)),
    ("offset", _numbers(lambda x, c: torch.tanh(x + c), 1, 2.0, -1, -2)),
    ("power", _numbers(lambda x, k: (1 + x.square()) ** k, 2, -1, -2, 0.5)),
    ("weights", _numbers(_weighted, 0.5, 1.0, -1, -2)),
    ("fill", _numbers(lambda x, c: x.masked_fill((torch.arange(x.shape[-1]) % 2).bool(), c), 0.0, 1.0, -1.0, -2.0)),
    ("epsilon", _numbers(lambda x, eps: functional.layer_norm(x, x.shape[-1:], eps=eps), 1e-5, 1e-2, 1.0)),
    ("quantizer", _numbers(lambda x, kind: x.to(kind).to(x.dtype), torch.float8_e4m3fn, torch.float8_e5m2, torch.int8)),
)
"""The first function of a pair and the second give results of the same shape."""


def random_reading(choice: Choice, x: Tensor) -> tuple[str, Function, Function]:
    """Return the name of a way to read a tensor, and the way with two different numbers.

    Args:
        choice: What draws.
        x: An example of what is read, of at least two axes.
    """
    for name, draw in choice.shuffled(READINGS):
        pair = draw(choice, x) if x.ndim > 1 else None
        if pair is not None:
            return name, *pair
    return "factor", lambda x: x * 2.0, lambda x: x * 3.0
