"""Reductions: a sum over a wire lets only permutations through, a sum over other axes lets everything."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from parasym.rules.builder import Builder
from parasym.rules.program import Fn, Pointwise, Value
from parasym.rules.rule import Rule

Dims = int | Sequence[int] | None

_POSITION = "positions of the largest entries are not followed to where they are used"
_RANKED = "which entries are the largest is not followed"


def _dims(x: Value, dim: Dims) -> list[int]:
    if dim is None or (not isinstance(dim, int) and not dim):
        return list(range(len(x.shape)))
    return [dim % len(x.shape)] if isinstance(dim, int) else [d % len(x.shape) for d in dim]


def _linear(fn: str) -> Callable[..., Any]:
    def lower(b: Builder, x: Value, dim: Dims = None, keepdim: bool = False, **_: object) -> Value:
        if not x.shape:
            return x
        step = b.producers.get(x.index)
        if isinstance(step, Pointwise) and step.fn is Fn.MUL and step.degrees == (2,):
            total = b.square_sum(step.xs[0], _dims(x, dim), keepdim=keepdim)
            return total if fn == "sum" else _divided(b, total)
        return b.reduce(fn, x, _dims(x, dim), keepdim=keepdim)

    return lower


def _divided(b: Builder, total: Value) -> Value:
    """A sum over a number of terms; what tells a mean from a sum is that something was divided."""
    return b.pointwise(Fn.LINEAR, total, signs=(0,))


def _extreme(b: Builder, x: Value, dim: Dims = None, keepdim: bool = False) -> Value:
    return b.reduce("max", x, _dims(x, dim), keepdim=keepdim)


def _extreme_with_index(
    b: Builder, x: Value, dim: int | Value | None = None, keepdim: bool = False
) -> Value | tuple[Value, Value]:
    if isinstance(dim, Value):
        return b.pointwise(Fn.HOMOGENEOUS, x, dim)
    if dim is None:
        return _extreme(b, x)
    values = b.reduce("max", x, _dims(x, dim), keepdim=keepdim)
    return values, _index(b, x, _dims(x, dim), keepdim)


def _index(b: Builder, x: Value, dims: list[int], keepdim: bool) -> Value:
    """A position along a wire is not invariant: the axes searched are pinned, once somebody reads the position."""
    where = [k for k in range(len(x.shape)) if keepdim or k not in dims]
    kept = [(k, j) for j, k in enumerate(where) if k not in dims]
    shape = [1 if k in dims else x.shape[k] for k in where]
    return b.fixed(x, shape, kept, fn="max", real=False, reason=_POSITION, coarse=[((d,), ()) for d in dims])


def _arg(b: Builder, x: Value, dim: Dims = None, keepdim: bool = False, **_: object) -> Value:
    return _index(b, x, _dims(x, dim), keepdim)


def _norm(b: Builder, x: Value, order: float = 2, dim: Dims = None, keepdim: bool = False, **_: object) -> Value:
    if order == 0:
        return b.reduce("generic", x, _dims(x, dim), keepdim=keepdim)
    if order == 2:
        return b.power(b.square_sum(x, _dims(x, dim), keepdim=keepdim), Fraction(1, 2))
    return b.reduce("max", b.pointwise(Fn.ABS, x), _dims(x, dim), keepdim=keepdim)


def _matrix_norm(b: Builder, x: Value, order: object = "fro", dim: Dims = (-2, -1), keepdim: bool = False, **_: object) -> Value:
    if order == "fro":
        return b.power(b.square_sum(x, _dims(x, dim), keepdim=keepdim), Fraction(1, 2))
    b.pin(x, reason="what leaves a norm of matrices as it is is not known")
    return b.reduce("generic", x, _dims(x, dim), keepdim=keepdim)


def _var(b: Builder, x: Value, dim: Dims = None, unbiased: bool = True, keepdim: bool = False, **_: object) -> Value:
    dims = _dims(x, None if isinstance(dim, bool) else dim)
    mean = b.reduce("mean", x, dims, keepdim=True)
    return _divided(b, b.square_sum(b.add(x, mean, signs=(1, -1)), dims, keepdim=keepdim))


def _std(b: Builder, x: Value, dim: Dims = None, unbiased: bool = True, keepdim: bool = False, **_: object) -> Value:
    return b.power(_var(b, x, dim, unbiased, keepdim), Fraction(1, 2))


def _var_mean(
    b: Builder, x: Value, dim: Dims = None, unbiased: bool = True, keepdim: bool = False, **_: object
) -> tuple[Value, Value]:
    dims = _dims(x, None if isinstance(dim, bool) else dim)
    return _var(b, x, dim, unbiased, keepdim), b.reduce("mean", x, dims, keepdim=keepdim)


def _generic(b: Builder, x: Value, dim: Dims = None, keepdim: bool = False, **_: object) -> Value:
    return b.reduce("generic", x, _dims(x, dim), keepdim=keepdim)


def _running(b: Builder, x: Value, dim: int, **_: object) -> Value:
    kept = [(k, k) for k in range(len(x.shape)) if k != dim % len(x.shape)]
    return b.fixed(x, x.shape, kept)


def _running_generic(b: Builder, x: Value, dim: int, **_: object) -> Value:
    kept = [(k, k) for k in range(len(x.shape)) if k != dim % len(x.shape)]
    return b.fixed(b.pointwise(Fn.GENERIC, x), x.shape, kept, fn="max")


def _top(b: Builder, x: Value, k: int, dim: int = -1, *_: object, **__: object) -> tuple[Value, Value]:
    """Which channels are largest is not invariant: the axis is pinned."""
    d = dim % len(x.shape)
    kept = [(a, a) for a in range(len(x.shape)) if a != d]
    shape = [k if a == d else n for a, n in enumerate(x.shape)]
    largest = b.fixed(x, shape, kept, fn="max", reason=_RANKED, coarse=[((d,), ())])
    return largest, b.fixed(x, shape, kept, fn="max", real=False, reason=_POSITION, coarse=[((d,), ())])


RULES = (
    Rule(("sum",), _linear("sum")),
    Rule(("mean",), _linear("mean")),
    Rule(("amax", "amin"), _extreme),
    Rule(("max", "min"), _extreme_with_index),
    Rule(("argmax", "argmin"), _arg),
    Rule(("linalg_vector_norm", "norm"), _norm),
    Rule(("linalg_matrix_norm",), _matrix_norm),
    Rule(("var",), _var),
    Rule(("std",), _std),
    Rule(("var_mean",), _var_mean),
    Rule(("logsumexp", "prod", "any", "all", "nansum"), _generic),
    Rule(("cumsum",), _running),
    Rule(("cumprod", "logcumsumexp"), _running_generic),
    Rule(("topk",), _top),
)
