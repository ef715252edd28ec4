"""Element-wise functions: what passes is what commutes with the function of one number."""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import torch
from torch import Tensor, broadcast_shapes

from parasym.rules.builder import Builder, Operand
from parasym.rules.program import Expand, Fn, Kind, Value
from parasym.rules.rotary import ComplexValue, rotated
from parasym.rules.rule import Rule, Unsupported

_RUNS = 8
"""A vector of more runs of constants than this is written as a product with a mask."""


def _unary(fn: Fn, *, real: bool = True) -> Callable[..., Value]:
    def lower(b: Builder, x: Value, *_: object, **__: object) -> Value:
        return b.pointwise(fn, x, real=real)

    return lower


def _add(b: Builder, x: Operand, y: Operand, *, alpha: float = 1) -> Value:
    if _zero(y) and isinstance(x, Value) and _fits(x, y):
        return x
    if _zero(x) and isinstance(y, Value) and _fits(y, x):
        return y
    if alpha != 1:
        y = b.mul(y, alpha) if isinstance(y, Value) else y * alpha
    shifted = _shifted(b, x, y) or _shifted(b, y, x)
    if shifted is not None:
        return shifted
    out = b.add(x, y)
    return rotated(b, out) or out


def _sub(b: Builder, x: Operand, y: Operand, *, alpha: float = 1) -> Value:
    if _zero(y) and isinstance(x, Value) and _fits(x, y):
        return x
    if alpha != 1:
        y = b.mul(y, alpha) if isinstance(y, Value) else y * alpha
    out = b.add(x, y, signs=(1, -1))
    return rotated(b, out) or out


def _rsub(b: Builder, x: Operand, y: Operand, *, alpha: float = 1) -> Value:
    return _sub(b, y, x, alpha=alpha)


def _shifted(b: Builder, x: Operand, y: Operand) -> Value | None:
    """Return ``buffer + number`` as a shifted leaf: its binding acts on the sum."""
    if isinstance(x, Value) and x.kind is Kind.STATE and isinstance(y, (int, float)):
        return b.shifted(x, float(y))
    return None


def _zero(x: Operand) -> bool:
    if isinstance(x, Value):
        return x.kind is Kind.CONSTANT and x.shape == () and x.data is not None and not bool(x.data.any())
    return x == 0


def _fits(x: Value, other: Operand) -> bool:
    return not isinstance(other, Value) or other.shape == ()


def _mul(b: Builder, x: Operand | ComplexValue, y: Operand | ComplexValue) -> Value | ComplexValue:
    if isinstance(x, ComplexValue) or isinstance(y, ComplexValue):
        number, factor = (x, y) if isinstance(x, ComplexValue) else (y, x)
        if not isinstance(number, ComplexValue) or not isinstance(factor, Value) or factor.index not in b.data_only:
            raise Unsupported("a product of two complex activations")
        b.by(factor)
        return ComplexValue(b.rotary(number.pair, interleaved=True))
    if isinstance(x, Value) and x is y:
        return b.power(x, 2)
    if isinstance(x, Value) and isinstance(y, Value):
        y = _narrow(b, x, y)
        x = _narrow(b, y, x)
    return b.mul(x, y)


def _div(b: Builder, x: Operand, y: Operand, *, rounding_mode: str | None = None) -> Value:
    if rounding_mode is not None:
        return b.pointwise(Fn.GENERIC, x, y)
    if not isinstance(y, Value):
        return b.scaled(b.number(x), 1 / Fraction(y) if isinstance(y, (int, float)) and y and math.isfinite(y) else None)
    return b.mul(x, b.power(_narrow(b, x, y) if isinstance(x, Value) else y, -1))


def _narrow(b: Builder, x: Value, y: Value) -> Value:
    """Undo an expansion that broadcasting does again: a factor that is the same for all channels may be mixed through."""
    step = b.producers.get(y.index)
    if isinstance(step, Expand) and broadcast_shapes(x.shape, step.x.shape) == broadcast_shapes(x.shape, y.shape):
        return step.x
    return y


def _pow(b: Builder, x: Operand, exponent: Operand) -> Value:
    if isinstance(exponent, Value) and exponent.data is not None and exponent.shape == ():
        exponent = float(exponent.data)
    if isinstance(exponent, (Value, complex)) or not isinstance(x, Value):
        return b.pointwise(Fn.GENERIC, x, exponent)
    degree = Fraction(float(exponent)).limit_denominator(1000)
    # A degree that is no such fraction, as pi, would be off by what rounding leaves.
    return b.power(x, degree) if abs(float(degree) - float(exponent)) < 1e-14 else b.pointwise(Fn.GENERIC, x, exponent)


def _prelu(b: Builder, x: Value, weight: Value) -> Value:
    """``max(x, 0) + a min(x, 0)``: homogeneous of degree one in ``x``, and the slope keeps its scale."""
    if len(weight.shape) == 1 and len(x.shape) > 2 and weight.shape[0] > 1:
        weight = b.reshape(weight, [-1 if n < 0 else n for n in (weight.shape[0], *[1] * (len(x.shape) - 2))])
    positive, negative = b.pointwise(Fn.HOMOGENEOUS, x), b.pointwise(Fn.HOMOGENEOUS, x)
    return b.add(positive, b.mul(negative, b.pointwise(Fn.LINEAR, weight)))


def _clamp(b: Builder, x: Value, low: Operand | None = None, high: Operand | None = None) -> Value:
    bounds = [v for v in (low, high) if v is not None]
    if all(isinstance(v, (int, float)) and v == 0 for v in bounds):
        return b.pointwise(Fn.HOMOGENEOUS, x)
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low == -high and low <= high:
        return b.pointwise(Fn.ODD, x)  # bounds the wrong way round make a constant of it
    return b.pointwise(Fn.GENERIC, x, *bounds)


def _hardtanh(b: Builder, x: Value, low: float = -1, high: float = 1) -> Value:
    return _clamp(b, x, low, high)


def _extreme(b: Builder, x: Operand, y: Operand) -> Value:
    return b.pointwise(Fn.HOMOGENEOUS, x, y)


def where(b: Builder, condition: Value, x: Operand, y: Operand) -> Value:
    """Return ``x`` where a condition holds and ``y`` where it does not: linear in both, the condition must not change.

    Args:
        b: Where to write it.
        condition: The condition.
        x: Where it holds.
        y: Where it does not.
    """
    if any(isinstance(v, Value) and v.kind is Kind.PARAMETER for v in (x, y)):
        known = _partly_constant(b, condition, b.number(x), b.number(y))
        if known is not None:
            return known
    if _zero(y):
        return b.mul(b.pointwise(Fn.GENERIC, condition), x)
    if _zero(x):
        return b.mul(b.pointwise(Fn.GENERIC, condition, signs=(-1,)), y)  # where it does not hold
    if _minus_infinity(y) and isinstance(x, Value) and x.real:
        return b.add(x, b.pointwise(Fn.GENERIC, condition))
    return _partly_constant(b, condition, x, y) or _chosen(b, condition, x, y)


def _chosen(b: Builder, condition: Value, x: Operand, y: Operand) -> Value:
    """Return a choice as a sum of products with masks."""
    if not all(not isinstance(v, Value) or v.real for v in (x, y)):
        return b.pointwise(Fn.GENERIC, condition, x, y)
    holds, fails = b.pointwise(Fn.GENERIC, condition), b.pointwise(Fn.GENERIC, condition, signs=(-1,))
    return b.add(b.mul(holds, x), b.mul(fails, y))


def _partly_constant(b: Builder, condition: Value, x: Operand, y: Operand) -> Value | None:
    """Return ``mask * x + (1 - mask) * y`` where mask and ``y`` (or ``x``) are known numbers; what is hidden does not count."""
    if not isinstance(x, Value) or not isinstance(y, Value) or not x.real or not y.real or condition.data is None:
        return None
    mask = condition.data.bool()
    if y.kind is not Kind.CONSTANT:
        x, y, mask = y, x, ~mask
    if y.kind is not Kind.CONSTANT or y.data is None or condition.kind is not Kind.CONSTANT:
        return None
    hidden = (y.data != 0) & mask
    rest = torch.where(mask, torch.zeros_like(y.data), y.data) if bool(hidden.any()) else y.data.expand(hidden.shape)
    extremes = torch.stack(rest.aminmax()) if rest.numel() else rest
    if not bool(extremes.isfinite().all()):
        return None
    if not bool(mask.any()):
        return b.expand(b.constant(rest, rest.shape), torch.broadcast_shapes(x.shape, rest.shape))
    if mask.shape == rest.shape == torch.Size(x.shape) and mask.ndim == 1 and int(mask.diff().sum()) < _RUNS:
        return _in_runs(b, x, mask, rest)
    kept = b.mul(x, b.constant(mask, mask.shape))
    return b.add(kept, b.constant(rest, rest.shape)) if bool(extremes.any()) else kept


def _in_runs(b: Builder, x: Value, mask: Tensor, rest: Tensor) -> Value:
    """Return a partly constant vector as pieces; what is behind a constant piece is not read, and pinned."""
    parts = []
    for start, end in pairwise([0, *(mask.diff().nonzero().flatten() + 1).tolist(), len(mask)]):
        part = b.slice(x, 0, start, end - start)
        if not bool(mask[start]):
            b.pin(part, replaced=True)
            part = b.constant(rest[start:end], (end - start,))
        parts.append(part)
    return parts[0] if len(parts) == 1 else b.cat(parts, 0)


def _masked_fill(b: Builder, x: Value, mask: Value, fill: Operand) -> Value:
    if _zero(fill) and x.kind is not Kind.PARAMETER:
        return b.mul(x, b.pointwise(Fn.GENERIC, mask))
    if _minus_infinity(fill):
        return b.add(x, b.pointwise(Fn.GENERIC, mask))
    return where(b, mask, fill, x)


def _minus_infinity(x: Operand) -> bool:
    """Whether to be replaced by ``x`` is the same as to be added to it."""
    if isinstance(x, Value):
        return x.kind is Kind.CONSTANT and x.shape == () and x.data is not None and bool((x.data == -float("inf")).all())
    return x == -float("inf")


def _compare(b: Builder, *xs: Operand, **_: object) -> Value:
    return b.pointwise(Fn.GENERIC, *xs, real=False)


def _ordered(b: Builder, x: Operand, y: Operand) -> Value:
    """Which of two numbers is larger does not change if both are scaled."""
    return b.pointwise(Fn.ORDER, x, y, real=False)


def _equal(b: Builder, x: Operand, y: Operand) -> Value:
    return b.pointwise(Fn.EQUALITY, x, y, real=False)


def _logical(b: Builder, *xs: Value) -> Value:
    """A number counts as true if it is not zero."""
    return b.pointwise(Fn.GENERIC, *[_equal(b, x, 0.0) if x.real else x for x in xs], real=False)


def _sign(b: Builder, x: Value) -> Value:
    """``x / |x|``: it swallows positive scales."""
    return b.mul(x, b.power(b.pointwise(Fn.ABS, x), -1))


def _heaviside(b: Builder, x: Value, at_zero: Value) -> Value:
    return b.pointwise(Fn.GENERIC, _ordered(b, x, 0.0), at_zero)


def _threshold(b: Builder, x: Value, threshold: float, value: float) -> Value:
    return where(b, _ordered(b, x, threshold), x, value)


def _many(b: Builder, *xs: Operand, **_: object) -> Value:
    return b.pointwise(Fn.GENERIC, *[x for x in xs if isinstance(x, (Value, int, float))])


def _leaky(b: Builder, x: Value, *_: object, **__: object) -> Value:
    return b.pointwise(Fn.HOMOGENEOUS, x)


def _glu(b: Builder, x: Value, dim: int = -1) -> Value:
    half = x.shape[dim] // 2
    gate = b.pointwise(Fn.GENERIC, b.slice(x, dim, half, half))
    return b.mul(b.slice(x, dim, 0, half), gate)


def _addcmul(b: Builder, x: Value, y: Value, z: Value, *, value: float = 1) -> Value:
    product = b.mul(y, z)
    return b.add(x, product if value == 1 else b.mul(product, value))


def _lerp(b: Builder, x: Value, y: Value, weight: Operand) -> Value:
    """``(1 - w) x + w y``: the two weights differ, so that the ends may not change places."""
    if isinstance(weight, Value) and weight.kind is Kind.CONSTANT and weight.data is not None:
        return b.add(*(b.mul(one, b.constant(w, w.shape)) for one, w in ((x, 1 - weight.data), (y, weight.data))))
    if isinstance(weight, Value):
        return b.add(b.mul(x, b.pointwise(Fn.GENERIC, weight)), b.mul(y, b.pointwise(Fn.GENERIC, weight)))
    return b.add(b.mul(x, 1 - weight), b.mul(y, weight))


RULES = (
    Rule(("add", "add_"), _add),
    Rule(("sub", "subtract"), _sub),
    Rule(("rsub",), _rsub),
    Rule(("mul", "multiply"), _mul),
    Rule(("div", "divide", "true_divide"), _div),
    Rule(("neg", "negative"), lambda b, x: b.pointwise(Fn.LINEAR, x, signs=(-1,))),
    Rule(("pow",), _pow),
    Rule(("square",), lambda b, x: b.power(x, 2)),
    Rule(("sqrt",), lambda b, x: b.power(x, Fraction(1, 2))),
    Rule(("rsqrt",), lambda b, x: b.power(x, Fraction(-1, 2))),
    Rule(("reciprocal",), lambda b, x: b.power(x, -1)),
    Rule(("relu", "leaky_relu"), _leaky),
    Rule(("prelu", "_prelu_kernel"), _prelu),
    Rule(("abs", "absolute"), _unary(Fn.ABS)),
    Rule(("maximum", "minimum", "fmax", "fmin"), _extreme),
    Rule(
        (
            "tanh",
            "sin",
            "tan",
            "asin",
            "atan",
            "sinh",
            "asinh",
            "atanh",
            "erf",
            "softshrink",
            "hardshrink",
            "erfinv",
            "round",
            "trunc",
            "frac",
        ),
        _unary(Fn.ODD),
    ),
    Rule(("cos", "cosh"), _unary(Fn.EVEN)),
    Rule(
        (
            "gelu",
            "silu",
            "mish",
            "sigmoid",
            "softplus",
            "elu",
            "celu",
            "selu",
            "hardswish",
            "hardsigmoid",
            "relu6",
            "log_sigmoid",
            "log_sigmoid_forward",
            "exp",
            "expm1",
            "exp2",
            "log",
            "log1p",
            "log2",
            "log10",
            "acos",
            "acosh",
            "erfc",
            "lgamma",
            "digamma",
            "nan_to_num",
            "floor",
            "ceil",
            "special_expit",
        ),
        _unary(Fn.GENERIC),
    ),
    Rule(("hardtanh",), _hardtanh),
    Rule(("clamp", "clip", "clamp_min", "clamp_max"), _clamp),
    Rule(("where",), where),
    Rule(("masked_fill",), _masked_fill),
    Rule(("lt", "le", "gt", "ge"), _ordered),
    Rule(("eq", "ne"), _equal),
    Rule(("logical_and", "logical_or", "logical_not", "logical_xor"), _logical),
    Rule(("sign", "sgn"), _sign),
    Rule(("heaviside",), _heaviside),
    Rule(("threshold",), _threshold),
    Rule(
        (
            "isnan",
            "isinf",
            "isfinite",
            "bitwise_and",
            "bitwise_or",
            "bitwise_not",
            "bitwise_xor",
            "__and__",
            "__or__",
        ),
        _compare,
    ),
    Rule(("atan2", "fmod", "remainder", "floor_divide", "hypot", "copysign", "xlogy", "logaddexp"), _many),
    Rule(("glu",), _glu),
    Rule(("addcmul",), _addcmul),
    Rule(("lerp",), _lerp),
)
