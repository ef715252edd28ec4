"""Convolutions: patches are a fixed map, what follows is a contraction over channels and kernel."""

from collections.abc import Sequence
from math import prod

from parasym.rules.builder import Builder
from parasym.rules.program import Value
from parasym.rules.rule import Rule

_SPACE = "uvwxyz"


def _out_size(n: int, k: int, stride: int, padding: int, dilation: int) -> int:
    return (n + 2 * padding - dilation * (k - 1) - 1) // stride + 1


def _each(value: int | Sequence[int], n: int) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values * n if len(values) == 1 else values


def _convolution(
    b: Builder,
    x: Value,
    weight: Value,
    bias: Value | None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Value:
    r""":math:`y_{g o p} = \sum_{i k} W_{g o i k} x_{g i, p + k} + b_{go}`: groups are a batch, space and kernel are pinned."""
    n = len(weight.shape) - 2
    if len(x.shape) == n + 1:
        out = _convolution(b, b.reshape(x, [1, *x.shape]), weight, bias, stride, padding, dilation, groups)
        return b.reshape(out, out.shape[1:])
    batch, _, *space = x.shape
    out_channels, inputs, *kernel = weight.shape
    strides, dilations = _each(stride, n), _each(dilation, n)
    if isinstance(padding, str):
        sizes = (
            list(space)
            if padding == "same"
            else [_out_size(s, k, st, 0, d) for s, k, st, d in zip(space, kernel, strides, dilations, strict=True)]
        )
        exact = padding == "valid"
        pads = [0 if exact or k == 1 else 1 for k in kernel]
    else:
        pads = _each(padding, n)
        sizes = [_out_size(*a) for a in zip(space, kernel, strides, pads, dilations, strict=True)]
        exact = not any(pads)
    grouped = b.reshape(x, [batch, groups, inputs, *space]) if groups > 1 else x
    head = 3 if groups > 1 else 2
    kept = [k for k in range(n) if kernel[k] == 1 and strides[k] == 1 and pads[k] == 0]  # along these it looks at one place
    pairs = [(k, k) for k in (*range(head), *(head + k for k in kept))]
    geometry = (*kernel, *strides, *dilations, padding if isinstance(padding, str) else tuple(pads))
    patches = b.patches(grouped, [*grouped.shape[:head], *sizes, *kernel], pairs, geometry, averaging=exact)
    filters = b.reshape(weight, [groups, out_channels // groups, inputs, *kernel]) if groups > 1 else weight
    g, p, k = ("g" if groups > 1 else ""), _SPACE[:n], _SPACE[n : 2 * n]
    out = b.contract(patches, filters, f"b{g}i{p}{k},{g}oi{k}->b{g}o{p}")
    out = b.reshape(out, [batch, out_channels, *sizes])
    return out if bias is None else b.add_along(out, bias, 1)


def _transposed(
    b: Builder,
    x: Value,
    weight: Value,
    bias: Value | None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Value:
    r""":math:`y_{g o} = \mathrm{fold}\bigl(\sum_i W_{g i o k} x_{g i p}\bigr) + b_{go}`."""
    n = len(weight.shape) - 2
    if len(x.shape) == n + 1:
        out = _transposed(b, b.reshape(x, [1, *x.shape]), weight, bias, stride, padding, output_padding, groups, dilation)
        return b.reshape(out, out.shape[1:])
    batch, channels, *space = x.shape
    outputs, kernel = weight.shape[1], list(weight.shape[2:])
    numbers = zip(space, kernel, _each(stride, n), _each(padding, n), _each(output_padding, n), _each(dilation, n), strict=True)
    sizes = [(s - 1) * st - 2 * p + d * (k - 1) + op + 1 for s, k, st, p, op, d in numbers]
    grouped = b.reshape(x, [batch, groups, channels // groups, *space]) if groups > 1 else x
    filters = b.reshape(weight, [groups, channels // groups, outputs, *kernel]) if groups > 1 else weight
    g, p, k = ("g" if groups > 1 else ""), _SPACE[:n], _SPACE[n : 2 * n]
    spread = b.contract(grouped, filters, f"b{g}i{p},{g}io{k}->b{g}o{p}{k}")
    head = 3 if groups > 1 else 2
    folded = b.fixed(spread, [*spread.shape[:head], *sizes], [(j, j) for j in range(head)])
    out = b.reshape(folded, [batch, groups * outputs, *sizes])
    return out if bias is None else b.add_along(out, bias, 1)


def _im2col(
    b: Builder, x: Value, kernel: Sequence[int], dilation: Sequence[int], padding: Sequence[int], stride: Sequence[int]
) -> Value:
    """The entries under every place of the kernel, the channels outermost."""
    if len(x.shape) == 3:
        out = _im2col(b, b.reshape(x, [1, *x.shape]), kernel, dilation, padding, stride)
        return b.reshape(out, out.shape[1:])
    batch, channels, *space = x.shape
    sizes = [_out_size(*a) for a in zip(space, kernel, stride, padding, dilation, strict=True)]
    patches = b.fixed(x, [batch, channels, *kernel, *sizes], [(0, 0), (1, 1)], averaging=not any(padding))
    return b.reshape(patches, [batch, channels * prod(kernel), prod(sizes)])


def _col2im(b: Builder, x: Value, size: Sequence[int], kernel: Sequence[int], *_: object) -> Value:
    """What was under every place of the kernel is summed where it lay."""
    if len(x.shape) == 2:
        out = _col2im(b, b.reshape(x, [1, *x.shape]), size, kernel)
        return b.reshape(out, out.shape[1:])
    batch, entries, places = x.shape
    patches = b.reshape(x, [batch, entries // prod(kernel), *kernel, places])
    return b.fixed(patches, [batch, patches.shape[1], *size], [(0, 0), (1, 1)])


def _unfold(b: Builder, x: Value, dim: int, size: int, step: int) -> Value:
    """Windows along one axis; those of channels are not followed."""
    if not x.shape:
        return b.reshape(x, [size])
    dim = dim % len(x.shape)
    shape = [(n - size) // step + 1 if k == dim else n for k, n in enumerate(x.shape)]
    kept = [(k, k) for k in range(len(x.shape)) if k != dim]
    reason = "windows are not followed along this axis"
    return b.fixed(x, [*shape, size], kept, averaging=True, reason=reason, coarse=[((dim,), (dim, len(x.shape)))])


def _core(
    b: Builder,
    x: Value,
    weight: Value,
    bias: Value | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    *_: object,
) -> Value:
    if transposed:
        return _transposed(b, x, weight, bias, stride, padding, output_padding, groups, dilation)
    return _convolution(b, x, weight, bias, stride, padding, dilation, groups)


def _conv(b: Builder, x: Value, weight: Value, bias: Value | None = None, *rest: object) -> Value:
    return _convolution(b, x, weight, bias, *rest)  # pyright: ignore[reportArgumentType]


def _conv_transpose(b: Builder, x: Value, weight: Value, bias: Value | None = None, *rest: object) -> Value:
    return _transposed(b, x, weight, bias, *rest)  # pyright: ignore[reportArgumentType]


RULES = (
    Rule(("conv1d", "conv2d", "conv3d"), _conv),
    Rule(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), _conv_transpose),
    Rule(("convolution", "_convolution"), _core),
    Rule(("im2col",), _im2col),
    Rule(("col2im",), _col2im),
    Rule(("unfold",), _unfold),
)
