"""Pooling, padding and resizing: fixed maps of space that treat channels as a batch."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import prod
from typing import Any

from parasym.rules.builder import Builder
from parasym.rules.origin import is_channels
from parasym.rules.program import Value
from parasym.rules.rule import Rule
from parasym.rules.shape import joined

Numbers = int | Sequence[int]
_PADDED = "what is added beside entries is not followed along this axis"


def _each(value: Numbers | None, n: int, default: Sequence[int] = ()) -> list[int]:
    if value is None or (not isinstance(value, int) and len(value) == 0):
        return list(default)
    values = [value] if isinstance(value, int) else list(value)
    return values * n if len(values) == 1 else values


def _spatial(b: Builder, x: Value, sizes: Sequence[int], *, fn: str = "linear", averaging: bool = False) -> Value:
    head = len(x.shape) - len(sizes)
    return b.fixed(x, [*x.shape[:head], *sizes], [(k, k) for k in range(head)], fn=fn, averaging=averaging)


def _pooled(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool) -> int:
    reach = size + 2 * padding - dilation * (kernel - 1) - 1
    out = (-(-reach // stride) if ceil else reach // stride) + 1
    return out - 1 if ceil and (out - 1) * stride >= size + padding else out


def _pool_sizes(
    x: Value, n: int, kernel: Numbers, stride: Numbers | None, padding: Numbers, dilation: Numbers, ceil: bool
) -> list[int]:
    kernels = _each(kernel, n)
    strides = _each(stride, n, kernels)
    numbers = zip(x.shape[-n:], kernels, strides, _each(padding, n), _each(dilation, n), strict=True)
    return [_pooled(*row, ceil) for row in numbers]


def _max_pool(n: int) -> Callable[..., Any]:
    def lower(
        b: Builder,
        x: Value,
        kernel: Numbers,
        stride: Numbers | None = None,
        padding: Numbers = 0,
        dilation: Numbers = 1,
        ceil: bool = False,
    ) -> Value:
        return _spatial(b, x, _pool_sizes(x, n, kernel, stride, padding, dilation, ceil), fn="max")

    return lower


def _max_pool_with_index(n: int) -> Callable[..., Any]:
    def lower(b: Builder, x: Value, *args: object) -> tuple[Value, Value]:
        out = _max_pool(n)(b, x, *args)
        return out, _where(b, x, out, n)

    return lower


def _where(b: Builder, x: Value, out: Value, n: int) -> Value:
    """Where the largest entries are: channels come along, in the same order."""
    kept = [(k, k) for k in range(len(x.shape) - n)]
    return b.fixed(x, out.shape, kept, fn="max", real=False)


def _avg_pool(n: int) -> Callable[..., Any]:
    def lower(
        b: Builder,
        x: Value,
        kernel: Numbers,
        stride: Numbers | None = None,
        padding: Numbers = 0,
        ceil: bool = False,
        count_include_pad: bool = True,
        divisor: int | None = None,
    ) -> Value:
        sizes, padded = _pool_sizes(x, n, kernel, stride, padding, 1, ceil), any(_each(padding, n))
        if divisor is None:
            return _spatial(b, x, sizes, averaging=not (count_include_pad and padded))
        # Sums, all of the same number of entries where no window is cut.
        mean = _spatial(b, x, sizes, averaging=not padded and not ceil)
        return b.scaled(mean, Fraction(prod(_each(kernel, n)), divisor))

    return lower


def _adaptive(n: int, fn: str) -> Callable[..., Any]:
    def lower(b: Builder, x: Value, size: Numbers) -> Value:
        sizes = [x.shape[k - n] if m is None else m for k, m in enumerate(_each(size, n))]
        return _spatial(b, x, sizes, fn=fn, averaging=fn == "linear")

    return lower


def _adaptive_max(n: int) -> Callable[..., Any]:
    def lower(b: Builder, x: Value, size: Numbers) -> tuple[Value, Value]:
        out = _spatial(b, x, _each(size, n), fn="max")
        return out, _where(b, x, out, n)

    return lower


def _upsample(b: Builder, x: Value, size: Sequence[int] | None, *rest: object) -> Value:
    n = len(x.shape) - 2
    if size is None:
        factors = next(list(r) for r in reversed(rest) if isinstance(r, (list, tuple)) and r)
        size = [int(m * f) for m, f in zip(x.shape[2:], factors, strict=True)]
    return _spatial(b, x, _each(size, n), averaging=True)


def _pad(b: Builder, x: Value, padding: Sequence[int], *args: object) -> Value:
    """Zeros beside channels are joined to them; an axis of positions is pinned by padding, and the other axes pass."""
    value = next((a for a in args if isinstance(a, (int, float))), 0)
    mode = next((a for a in args if isinstance(a, str)), "constant")
    touched = {}
    for k in range(len(padding) // 2):
        low, high = padding[2 * k], padding[2 * k + 1]
        axis = len(x.shape) - 1 - k
        if mode == "constant" and value == 0 and x.real and is_channels(b, x, axis):
            x = _joined_zeros(b, x, axis, low, high)
        elif low or high:
            touched[axis] = low + high
    if not touched:
        return x
    shape = [n + touched.get(k, 0) for k, n in enumerate(x.shape)]
    kept = [(k, k) for k in range(len(x.shape)) if k not in touched]
    fn = "linear" if mode != "constant" or value == 0 else "generic"
    coarse = [((k,), (k,)) for k in sorted(touched)]
    return b.fixed(x, shape, kept, fn=fn, averaging=mode != "constant" or max(padding) <= 0, reason=_PADDED, coarse=coarse)


def _joined_zeros(b: Builder, x: Value, axis: int, low: int, high: int) -> Value:
    """Return a value with zeros before and after its channels; negative numbers cut some of them off."""
    start, stop = max(-low, 0), x.shape[axis] - max(-high, 0)
    if (start, stop) != (0, x.shape[axis]):
        x = b.slice(x, axis, start, stop - start)
    sides = [b.filled([n if k == axis else m for k, m in enumerate(x.shape)]) for n in (max(low, 0), max(high, 0))]
    return b.cat([sides[0], x, sides[1]], axis)


def _roll(b: Builder, x: Value, shifts: Numbers, dims: Numbers = ()) -> Value:
    """A roll of channels is two slices that change places; one of positions is a fixed map."""
    axes = [d % len(x.shape) for d in _each(dims, 1)]
    if not axes or not all(is_channels(b, x, d) for d in axes):
        return _spread(b, x, axes)
    for d, shift in zip(axes, _each(shifts, len(axes)), strict=True):
        first = -shift % x.shape[d]
        before, x = x, joined(b, [b.slice(x, d, first, x.shape[d] - first), b.slice(x, d, 0, first)], d)
        b.split("channels on both sides of the place where a roll begins are not exchanged", (before, d), (x, d))
    return x


def _spread(b: Builder, x: Value, dims: Numbers = ()) -> Value:
    """A fixed map of some axes, which are pinned."""
    moved = {d % len(x.shape) for d in _each(dims, 1)} or set(range(len(x.shape)))
    kept = [(k, k) for k in range(len(x.shape)) if k not in moved]
    reason = "which entry goes where is not followed along this axis"
    return b.fixed(x, x.shape, kept, averaging=True, reason=reason, coarse=[((k,), (k,)) for k in sorted(moved)])


def _flip(b: Builder, x: Value, dims: Numbers) -> Value:
    return _spread(b, x, dims)


RULES = (
    *(Rule((f"max_pool{n}d",), _max_pool(n)) for n in (1, 2, 3)),
    *(Rule((f"max_pool{n}d_with_indices",), _max_pool_with_index(n)) for n in (2, 3)),
    *(Rule((f"avg_pool{n}d",), _avg_pool(n)) for n in (1, 2, 3)),
    Rule(("adaptive_avg_pool1d",), _adaptive(1, "linear")),
    *(Rule((f"adaptive_avg_pool{n}d", f"_adaptive_avg_pool{n}d"), _adaptive(n, "linear")) for n in (2, 3)),
    *(Rule((f"adaptive_max_pool{n}d",), _adaptive_max(n)) for n in (1, 2, 3)),
    Rule(
        (
            "upsample_nearest1d",
            "upsample_nearest2d",
            "upsample_nearest3d",
            "_upsample_nearest_exact1d",
            "_upsample_nearest_exact2d",
            "upsample_linear1d",
            "upsample_bilinear2d",
            "upsample_trilinear3d",
            "upsample_bicubic2d",
        ),
        _upsample,
    ),
    Rule(("constant_pad_nd", "pad"), _pad),
    Rule(("roll",), _roll),
    Rule(("flip",), _flip),
)
