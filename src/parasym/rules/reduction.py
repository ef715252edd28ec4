"""Reductions: a sum over a wire lets only permutations through, a sum over other axes lets everything."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import prod
from typing import Any

from parasym.rules.builder import Builder
from parasym.rules.program import Fn, Value
from parasym.rules.rule import Rule

Dims = int | Sequence[int] | None

_POSITION = "positions of the largest entries are not followed to where they are used"


def _dims(x: Value, dim: Dims) -> list[int]:
    if dim is None or (not isinstance(dim, int) and not dim):
        return list(range(len(x.shape)))
    return [dim % len(x.shape)] if isinstance(dim, int) else [d % len(x.shape) for d in dim]


def _linear(fn: str) -> Callable[..., Any]:
    def lower(b: Builder, x: Value, dim: Dims = None, keepdim: bool = False, **_: object) -> Value:
        if not x.shape:
            return x
        dims = _dims(x, dim)
        total = b.summed_product(x, dims)
        if total is None:
            return b.reduce(fn, x, dims, keepdim=keepdim)
        total = b.reshape(total, [1 if k in dims else n for k, n in enumerate(x.shape)]) if keepdim else total
        return total if fn == "sum" else _divided(b, total)

    return lower


def _divided(b: Builder, total: Value) -> Value:
    """A sum over a number of terms; what tells a mean from a sum is that something was divided."""
    return b.scaled(total)


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


def _dist(b: Builder, x: Value, y: Value, order: float = 2) -> Value:
    difference = b.add(x, y, signs=(1, -1))
    return _norm(b, difference, order) if difference.shape else b.pointwise(Fn.ABS, difference)


def _distances(b: Builder, x: Value, y: Value, order: float = 2, *_: object) -> Value:
    """The distance of every row of ``x`` from every row of ``y``."""
    rows = b.reshape(x, [*x.shape[:-1], 1, x.shape[-1]])
    others = b.reshape(y, [*y.shape[:-2], 1, *y.shape[-2:]])
    return _norm(b, b.add(rows, others, signs=(1, -1)), order, -1)


def _matrix_norm(b: Builder, x: Value, order: object = "fro", dim: Dims = (-2, -1), keepdim: bool = False, **_: object) -> Value:
    if order == "fro":
        return b.power(b.square_sum(x, _dims(x, dim), keepdim=keepdim), Fraction(1, 2))
    dims = _dims(x, dim)
    kept = [(k, k) for k in range(len(x.shape)) if k not in dims]
    reason = "which permutations and rotations leave this norm of matrices as it is is not followed"
    rigid = b.fixed(x, x.shape, kept, reason=reason, coarse=[((d,), (d,)) for d in dims])
    return b.power(b.power(b.reduce("homogeneous", rigid, dims, keepdim=keepdim), 2), Fraction(1, 2))


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


def _nansum(b: Builder, x: Value, dim: Dims = None, keepdim: bool = False, **_: object) -> Value:
    return b.reduce("homogeneous", x, _dims(x, dim), keepdim=keepdim)


def _product(b: Builder, x: Value, dim: Dims = None, keepdim: bool = False, **_: object) -> Value:
    """The geometric mean to the power of the number of entries: each follows a scale or a sign of all of them."""
    dims = _dims(x, dim)
    count = prod(x.shape[d] for d in dims) if dims else prod(x.shape)
    return b.power(b.reduce("homogeneous", x, dims, keepdim=keepdim), count)


def _running(b: Builder, x: Value, dim: int, **_: object) -> Value:
    kept = [(k, k) for k in range(len(x.shape)) if k != dim % len(x.shape)]
    return b.fixed(x, x.shape, kept)


def _running_generic(b: Builder, x: Value, dim: int, **_: object) -> Value:
    kept = [(k, k) for k in range(len(x.shape)) if k != dim % len(x.shape)]
    return b.fixed(b.pointwise(Fn.GENERIC, x), x.shape, kept, fn="max")


def _ranked(b: Builder, x: Value, dim: int, count: int) -> Value:
    """The entries of a rank do not change if entries are exchanged; the ranks are told apart."""
    largest = b.reduce("max", x, [dim], keepdim=True)
    kept = [(a, a) for a in range(len(x.shape)) if a != dim]
    return b.fixed(largest, [count if a == dim else n for a, n in enumerate(x.shape)], kept, averaging=True)


def _ranks(b: Builder, x: Value, dim: int, count: int) -> Value:
    """Where the entry of each rank is."""
    kept = [(a, a) for a in range(len(x.shape)) if a != dim]
    shape = [count if a == dim else n for a, n in enumerate(x.shape)]
    return b.fixed(x, shape, kept, fn="max", real=False, reason=_POSITION, coarse=[((dim,), ())])


def _top(b: Builder, x: Value, k: int, dim: int = -1, *_: object, **__: object) -> tuple[Value, Value]:
    if not x.shape:
        return x, b.filled((), real=False)
    d = dim % len(x.shape)
    return _ranked(b, x, d, k), _ranks(b, x, d, k)


def _sort(b: Builder, x: Value, dim: int = -1, *_: object, **__: object) -> tuple[Value, Value]:
    return _top(b, x, x.shape[dim] if x.shape else 1, dim)


def _sort_any(b: Builder, x: Value, *args: object, **options: object) -> tuple[Value, Value]:
    """With or without a word on stability, which comes by name."""
    dim = options.get("dim", args[0] if args else -1)
    return _sort(b, x, dim if isinstance(dim, int) else -1)


def _argsort(b: Builder, x: Value, *args: object, **options: object) -> Value:
    return _sort_any(b, x, *args, **options)[1]


def _one_rank(b: Builder, x: Value, dim: int, keepdim: bool) -> tuple[Value, Value]:
    """A median, or the entry of one other rank."""
    return b.reduce("max", x, _dims(x, dim), keepdim=keepdim), _index(b, x, _dims(x, dim), keepdim)


def _kth(b: Builder, x: Value, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Value, Value]:
    return _one_rank(b, x, dim, keepdim)


def _median(b: Builder, x: Value, dim: int | None = None, keepdim: bool = False) -> Value | tuple[Value, Value]:
    return _extreme(b, x) if dim is None else _one_rank(b, x, dim, keepdim)


RULES = (
    Rule(("sum",), _linear("sum")),
    Rule(("mean",), _linear("mean")),
    Rule(("amax", "amin"), _extreme),
    Rule(("max", "min"), _extreme_with_index),
    Rule(("argmax", "argmin"), _arg),
    Rule(("linalg_vector_norm", "norm"), _norm),
    Rule(("linalg_matrix_norm",), _matrix_norm),
    Rule(("dist",), _dist),
    Rule(("cdist", "_cdist_forward"), _distances),
    Rule(("var",), _var),
    Rule(("std",), _std),
    Rule(("var_mean",), _var_mean),
    Rule(("nansum",), _nansum),
    Rule(("prod",), _product),
    Rule(("logsumexp", "any", "all"), _generic),
    Rule(("cumsum",), _running),
    Rule(("cumprod", "logcumsumexp"), _running_generic),
    Rule(("topk",), _top),
    Rule(("sort",), _sort_any),
    Rule(("argsort",), _argsort),
    Rule(("msort",), lambda b, x: _sort(b, x, 0)[0]),
    Rule(("kthvalue",), _kth),
    Rule(("median", "nanmedian"), _median),
)
