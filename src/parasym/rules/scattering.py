"""Writes by number or by mask: fixed maps along the written axis of what was there and of what is written."""

from collections.abc import Sequence
from typing import NamedTuple

from parasym.rules.builder import Builder, Operand
from parasym.rules.fixed_axes import mask_of, runs_of, same_along, stays
from parasym.rules.indexing import BY_ENTRY, IN_RUNS, batch_axes, coarse_axes, looked_up, numbered, same_everywhere, unpaired
from parasym.rules.pointwise import where
from parasym.rules.program import Fn, Linked, Value
from parasym.rules.rule import Rule, Unsupported
from parasym.rules.slicing import slice_scatter

Pairs = list[tuple[int, int]]


class _Why(NamedTuple):
    """Why axes are pinned, and which of them no shape forces: axes of what is written, and of what it is written into."""

    reason: str
    coarse: list[Linked]

    def keeping(self) -> list[Linked]:
        """Return the axes of what was there before."""
        return [((k,), (k,)) for _, axes in self.coarse for k in axes]


def _keeping(b: Builder, x: Value, kept: Pairs, why: _Why, fn: str = "linear") -> Value:
    return b.fixed(x, x.shape, kept, fn=fn, reason=why.reason, coarse=why.keeping())


def _written(b: Builder, x: Value, values: Value, kept: Pairs, why: _Why, *, added: bool, fn: str = "linear") -> Value:
    """Return ``x`` with values written into some of its entries, or added to them; pairs are axes of ``x`` and of the values."""
    own = [(k, k) for k, _ in kept]
    pairs = [(j, k) for k, j in kept]
    spread = b.fixed(values, x.shape, pairs, fn=fn, reason=why.reason, coarse=why.coarse)
    old = x if added else _keeping(b, x, own, why, fn)
    return b.add(old, spread) if fn == "linear" else b.pointwise(Fn.HOMOGENEOUS, old, spread)


def _numbers(b: Builder, x: Value, number: float, kept: Pairs, why: _Why) -> Value:
    """Return ``x`` with a number written into some of its entries: a constant that is the same along the kept axes."""
    old = _keeping(b, x, kept, why)
    axes = {k for k, _ in kept}
    return old if number == 0 else b.add(old, b.constant(None, [1 if k in axes else n for k, n in enumerate(x.shape)]))


def _scatter(b: Builder, x: Value, dim: int, index: Value, source: Operand, *, reduce: str | None = None) -> Value:
    """An axis along which all are written to the same places is a batch."""
    if 0 in index.shape:
        return x
    vector = same_everywhere(b, dim, index, *([x, source] if isinstance(source, Value) else [x]))
    if vector is not None and isinstance(source, Value) and reduce in (None, "add"):
        return _index_put(b, x, [None] * (dim % len(x.shape)) + [vector], source, reduce == "add")
    reason = numbered(b, index)
    if reduce not in (None, "add"):
        raise Unsupported(f"a scatter that reduces by {reduce}")
    if not isinstance(source, Value):
        source = b.expand(b.number(source), index.shape) if reduce else source
    if not isinstance(source, Value):
        why = _Why(reason or BY_ENTRY, coarse_axes(b, dim, index, reason, x))
        return _numbers(b, x, float(source.real), batch_axes(b, dim, index, x), why)
    why = _Why(reason or BY_ENTRY, coarse_axes(b, dim, index, reason, x, source))
    return _written(b, x, source, batch_axes(b, dim, index, x, source), why, added=reduce == "add")


def _scatter_add(b: Builder, x: Value, dim: int, index: Value, source: Value) -> Value:
    return _scatter(b, x, dim, index, source, reduce="add")


def _scatter_reduce(
    b: Builder, x: Value, dim: int, index: Value, source: Value, reduce: str, *, include_self: bool = True
) -> Value:
    reason = numbered(b, index)
    if reduce == "prod":
        raise Unsupported("a scatter that multiplies")
    fn = "linear" if reduce in ("sum", "mean") else "max"
    kept = batch_axes(b, dim, index, x, source)
    why = _Why(reason or BY_ENTRY, coarse_axes(b, dim, index, reason, x, source))
    return _written(b, x, source, kept, why, added=reduce == "sum" and include_self, fn=fn)


def _index_add(b: Builder, x: Value, dim: int, index: Value, source: Value, *, alpha: float = 1) -> Value:
    """Rows of ``source`` summed into rows of ``x``: a fixed map on ``dim``, a batch elsewhere."""
    source = source if alpha == 1 else b.mul(source, alpha)
    return _index_put(b, x, [None] * (dim % len(x.shape)) + [index], source, True)


def _index_copy(b: Builder, x: Value, dim: int, index: Value, source: Value) -> Value:
    return _index_put(b, x, [None] * (dim % len(x.shape)) + [index], source)


def _index_fill(b: Builder, x: Value, dim: int, index: Value, value: Operand) -> Value:
    return _index_put(b, x, [None] * (dim % len(x.shape)) + [index], b.number(value))


def _index_put(
    b: Builder, x: Value, indices: Sequence[Value | None], values: Value, accumulate: bool = False, *_: object
) -> Value:
    """``x[indices] = values``, or ``+=``; axes without an index are a batch."""
    where_ = [k for k, i in enumerate(indices) if i is not None]
    used = [i for i in indices if i is not None]
    if any(0 in i.shape for i in used):
        return x
    if any(i.truth for i in used):
        return _masked(b, x, where_, used, values, accumulate)
    shape, pairs = looked_up(x, indices)
    if len(used) == 1:
        cut = _cut(b, x, where_[0], used[0], values, shape, accumulate)
        if cut is not None:
            return cut
    reason = numbered(b, *used)
    why = _Why(reason, unpaired(reason, shape, x.shape, [(j, k) for k, j in pairs]))
    return _written(b, x, b.expand(values, shape), pairs, why, added=accumulate)


def _masked(b: Builder, x: Value, at: list[int], used: list[Value], values: Value, accumulate: bool) -> Value:
    """A mask chooses between the old values and new ones that do not depend on how many there are."""
    if len(used) > 1:
        raise Unsupported("a write by a mask and another index")
    (mask,) = used
    first, last = at[0], at[0] + len(mask.shape)
    rest = x.shape[last:] if first == 0 else ()
    if any(n != 1 for n in values.shape[: max(len(values.shape) - len(rest), 0)]) or (first and values.shape != ()):
        raise Unsupported("a write by a mask of as many values as it has")
    values = b.reshape(values, values.shape[max(len(values.shape) - len(rest), 0) :])
    condition = b.reshape(mask, [*[1] * first, *mask.shape, *[1] * (len(x.shape) - last)])
    if not accumulate:
        return where(b, condition, values, x)
    return b.add(x, b.mul(b.pointwise(Fn.GENERIC, condition), values))


def _cut(b: Builder, x: Value, dim: int, index: Value, values: Value, shape: list[int], accumulate: bool) -> Value | None:
    """Return a write to a few known runs of entries as a concatenation, and one of a number as a product with a mask."""
    n = x.shape[dim]
    mask, runs = mask_of(index, n), runs_of(index, n)
    if stays(b, x, dim) or mask is None or mask.data is None:
        return None
    if values.shape == () and values.data is not None and not accumulate:
        condition = mask.data.reshape([n if k == dim else 1 for k in range(len(x.shape))])
        return where(b, b.constant(condition, condition.shape, real=False), values, x)
    if runs is None or int(mask.data.sum()) != len(index.shape and index.data):  # pyright: ignore[reportArgumentType]
        return None
    old, (values, at) = x, (b.expand(values, shape), 0)
    for start, length in runs:
        part = b.slice(values, dim, at, length)
        if accumulate:
            part = b.add(b.slice(x, dim, start, length), part)
        x, at = slice_scatter(b, x, part, dim, start, start + length), at + length
    if len(runs) > 1:
        b.split(IN_RUNS, (old, dim), (values, dim), (x, dim))
    return x


def _masked_scatter(b: Builder, x: Value, mask: Value, source: Value) -> Value:
    """Rows of the source fill the rows that a mask chooses, if it chooses whole rows."""
    numbered(b, mask)
    n = len(x.shape)
    mask = b.expand(mask, x.shape)
    if not n or not source.shape or source.shape[-1] != x.shape[-1] or not same_along(b, mask, n - 1):
        raise Unsupported("a mask that does not choose whole rows")
    kept = [(k, k) for k in range(n) if same_along(b, mask, k)]
    coarse = [k for k in range(n) if not same_along(b, mask, k) and not stays(b, mask, k)]
    why = _Why("entries are chosen by a mask, which is not followed", [((), (k,)) for k in coarse])
    last = len(source.shape) - 1
    spread = b.fixed(source, x.shape, [(last, n - 1)], reason=why.reason, coarse=[((k,), ()) for k in range(last)])
    return b.add(_keeping(b, x, kept, why), spread)


def _select_scatter(b: Builder, x: Value, source: Value, dim: int, index: int) -> Value:
    dim = dim % len(x.shape)
    index = index % x.shape[dim]
    lead, tail = x.shape[:dim], x.shape[dim + 1 :]
    row = b.reshape(b.expand(source, [*lead, *tail]), [*lead, 1, *tail])
    return slice_scatter(b, x, row, dim, index, index + 1)


RULES = (
    Rule(("scatter",), _scatter),
    Rule(("scatter_add",), _scatter_add),
    Rule(("scatter_reduce",), _scatter_reduce),
    Rule(("index_add",), _index_add),
    Rule(("index_copy",), _index_copy),
    Rule(("index_fill",), _index_fill),
    Rule(("index_put",), _index_put),
    Rule(("masked_scatter",), _masked_scatter),
    Rule(("select_scatter",), _select_scatter),
)
