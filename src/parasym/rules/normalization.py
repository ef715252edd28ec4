"""Normalizations: they swallow scales, means and constants along the axes they normalize over."""

from collections.abc import Sequence
from fractions import Fraction

from parasym.rules.builder import NEGLIGIBLE, Builder
from parasym.rules.program import Kind, Value
from parasym.rules.rule import Rule

_ROOT = Fraction(-1, 2)


def _affine(b: Builder, x: Value, weight: Value | None, bias: Value | None) -> Value:
    x = x if weight is None else b.mul(x, weight)
    return x if bias is None else b.add(x, bias)


def _per_channel(b: Builder, x: Value, weight: Value | None, bias: Value | None) -> Value:
    x = x if weight is None else b.mul_along(x, (weight, 1), axis=1)
    return x if bias is None else b.add_along(x, bias, 1)


def _layer_norm(
    b: Builder,
    x: Value,
    shape: Sequence[int],
    weight: Value | None = None,
    bias: Value | None = None,
    eps: float = 1e-5,
    *_: object,
) -> Value:
    r""":math:`\gamma (x - \mu)/\sqrt{\sigma^2 + \epsilon} + \beta`: odd, kills the mean; scale free if :math:`\epsilon = 0`."""
    n = len(x.shape)
    return _affine(b, b.normalize(x, range(n - len(shape), n), eps=eps), weight, bias)


def _native_layer_norm(
    b: Builder, x: Value, shape: Sequence[int], weight: Value | None, bias: Value | None, eps: float
) -> tuple[Value, ...]:
    out = _layer_norm(b, x, shape, weight, bias, eps)
    return out, out, out


def _rms_norm(b: Builder, x: Value, shape: Sequence[int], weight: Value | None = None, eps: float | None = None) -> Value:
    r""":math:`\gamma x / \sqrt{\overline{x^2} + \epsilon}`: the contraction of ``x`` with itself lets ``O(n)`` through."""
    n = len(x.shape)
    square = b.square_sum(x, range(n - len(shape), n), keepdim=True)
    if eps is None:
        eps = 2.220446049250313e-16
    square = square if eps <= NEGLIGIBLE else b.add(square, float(eps))
    return _affine(b, b.mul(x, b.power(square, _ROOT)), weight, None)


def _batch_norm(
    b: Builder,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    mean: Value | None,
    var: Value | None,
    training: bool,
    momentum: float = 0.1,
    eps: float = 1e-5,
    *_: object,
) -> Value:
    """With batch statistics a normalization over all axes but the channels; in eval an affine map by buffers."""
    if training or mean is None or var is None:
        dims = [k for k in range(len(x.shape)) if k != 1]
        if mean is not None and var is not None and mean.kind is Kind.STATE:
            b.flow(b.reduce("mean", x, dims), mean)
            b.flow(b.square_sum(x, dims), var)
        out = b.normalize(x, dims, eps=eps)
        if not dims or all(x.shape[k] == 1 for k in dims):
            b.pin(x, reason="statistics are taken over a single entry")
    else:
        scale = [(_plus(b, var, eps), _ROOT)] if weight is None else [(_plus(b, var, eps), _ROOT), (weight, 1)]
        out, weight = b.mul_along(b.add_along(x, mean, 1, sign=-1), *scale, axis=1), None
    return _per_channel(b, out, weight, bias)


def _plus(b: Builder, var: Value, eps: float) -> Value:
    if eps <= NEGLIGIBLE:
        return var
    return b.shifted(var, eps) if var.kind is Kind.STATE else b.add(var, eps)


def _native_batch_norm(
    b: Builder, x: Value, weight: Value | None, bias: Value | None, *rest: Value | bool | float | None
) -> tuple[Value, ...]:
    """With ``mean, var, training, momentum, eps`` to follow, or without the first two."""
    mean, var, training, momentum, eps = rest if len(rest) == 5 else (None, None, *rest)
    out = _batch_norm(b, x, weight, bias, mean, var, training, momentum, eps)  # pyright: ignore[reportArgumentType]
    return out, out, out


def _no_training(
    b: Builder, x: Value, weight: Value, bias: Value, mean: Value, var: Value, momentum: float, eps: float
) -> tuple[Value, ...]:
    out = _batch_norm(b, x, weight, bias, mean, var, False, momentum, eps)
    return out, out, out


def _functional(
    b: Builder, x: Value, weight: Value, bias: Value, mean: Value, var: Value, training: bool, momentum: float, eps: float
) -> tuple[Value, ...]:
    out = _batch_norm(b, x, weight, bias, mean, var, training, momentum, eps)
    return out, out, out, mean, var


def _instance_norm(
    b: Builder,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    mean: Value | None,
    var: Value | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    *_: object,
) -> Value:
    if not use_input_stats:
        return _batch_norm(b, x, weight, bias, mean, var, False, momentum, eps)
    if mean is not None and var is not None and mean.kind is Kind.STATE:
        dims = [k for k in range(len(x.shape)) if k != 1]
        b.flow(b.reduce("mean", x, dims), mean)
        b.flow(b.square_sum(x, dims), var)
    out = b.normalize(x, range(2, len(x.shape)), eps=eps)
    return _per_channel(b, out, weight, bias)


def _group_norm(
    b: Builder, x: Value, groups: int, weight: Value | None = None, bias: Value | None = None, eps: float = 1e-5, *_: object
) -> Value:
    """Channels are groups times channels of a group; whole groups are exchangeable, and channels within one."""
    n, c, *space = x.shape
    split = b.reshape(x, [n, groups, c // groups, *space])
    out = b.reshape(b.normalize(split, range(2, len(split.shape)), eps=eps), x.shape)
    return _per_channel(b, out, weight, bias)


def _native_group_norm(
    b: Builder, x: Value, weight: Value | None, bias: Value | None, n: int, c: int, hw: int, groups: int, eps: float
) -> tuple[Value, ...]:
    out = _group_norm(b, x, groups, weight, bias, eps)
    return out, out, out


def _weight_norm(b: Builder, v: Value, g: Value, dim: int = 0) -> Value:
    r""":math:`W = g\, v / \lVert v \rVert`: the length of ``v`` is free."""
    dims = [k for k in range(len(v.shape)) if k != dim % len(v.shape)] if dim != -1 else []
    norm = b.power(b.square_sum(v, dims, keepdim=True), _ROOT)
    return b.mul(b.mul(v, norm), g)


def _weight_norm_interface(b: Builder, v: Value, g: Value, dim: int = 0) -> tuple[Value, Value]:
    return _weight_norm(b, v, g, dim), g


RULES = (
    Rule(("layer_norm",), _layer_norm),
    Rule(("native_layer_norm",), _native_layer_norm),
    Rule(("rms_norm",), _rms_norm),
    Rule(("batch_norm",), _batch_norm),
    Rule(("native_batch_norm", "_native_batch_norm_legit"), _native_batch_norm),
    Rule(("_native_batch_norm_legit_no_training",), _no_training),
    Rule(("_native_batch_norm_legit_functional",), _functional),
    Rule(("instance_norm",), _instance_norm),
    Rule(("group_norm",), _group_norm),
    Rule(("native_group_norm",), _native_group_norm),
    Rule(("_weight_norm",), _weight_norm),
    Rule(("_weight_norm_interface",), _weight_norm_interface),
)
