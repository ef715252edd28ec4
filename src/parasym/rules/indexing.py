"""Look-ups: the indexed axis is pinned, all others pass as a batch."""

from collections.abc import Sequence

from parasym.rules.builder import Builder
from parasym.rules.program import Value
from parasym.rules.rule import Rule, Unsupported


def _embedding(b: Builder, weight: Value, index: Value, *_: object, **__: object) -> Value:
    """Row ``index`` of a table: the tokens are pinned, the features pass."""
    b.pin(index)
    b.by(index)
    n = len(index.shape)
    return b.fixed(weight, [*index.shape, weight.shape[1]], [(1, n)], averaging=True)


def _index_select(b: Builder, x: Value, dim: int, index: Value) -> Value:
    b.pin(index)
    b.by(index)
    dim = dim % len(x.shape)
    kept = [(k, k) for k in range(len(x.shape)) if k != dim]
    return b.fixed(x, [*x.shape[:dim], index.shape[0], *x.shape[dim + 1 :]], kept, averaging=True)


def _index(b: Builder, x: Value, indices: Sequence[Value | None]) -> Value:
    """Advanced indexing; the indexed axes are pinned, the others keep their order."""
    where = [k for k, i in enumerate(indices) if i is not None]
    used = [i for i in indices if i is not None]
    if not used:
        return x
    if any(_boolean(i) for i in used):
        raise Unsupported("indexing by a mask, whose length is not known")
    b.pin(*used)
    b.by(*used)
    shape = _broadcast([i.shape for i in used])
    kept = [k for k in range(len(x.shape)) if k not in where]
    adjacent = where == list(range(where[0], where[-1] + 1))
    first = where[0] if adjacent else 0
    before = [k for k in kept if k < where[0]] if adjacent else []
    after = [k for k in kept if k not in before]
    out_shape = [*(x.shape[k] for k in before), *shape, *(x.shape[k] for k in after)]
    pairs = [(k, j) for j, k in enumerate(before)] + [(k, first + len(shape) + j) for j, k in enumerate(after)]
    return b.fixed(x, out_shape, pairs, averaging=True)


def _boolean(index: Value) -> bool:
    return index.data is not None and str(index.data.dtype) == "torch.bool"


def _broadcast(shapes: Sequence[tuple[int, ...]]) -> list[int]:
    n = max(len(s) for s in shapes)
    out = [1] * n
    for s in shapes:
        for k, m in enumerate(s):
            out[n - len(s) + k] = max(out[n - len(s) + k], m)
    return out


def _gather(b: Builder, x: Value, dim: int, index: Value, **_: object) -> Value:
    b.pin(index, x)
    b.by(index)
    return b.fixed(x, index.shape, [])


def _index_add(b: Builder, x: Value, dim: int, index: Value, source: Value, *, alpha: float = 1) -> Value:
    """Rows of ``source`` summed into rows of ``x``: a fixed map on ``dim``, a batch elsewhere."""
    b.pin(index)
    b.by(index)
    dim = dim % len(x.shape)
    kept = [(k, k) for k in range(len(x.shape)) if k != dim]
    spread = b.fixed(source, x.shape, kept)
    spread = spread if alpha == 1 else b.mul(spread, alpha)
    return b.add(b.fixed(x, x.shape, kept, averaging=True), spread)


def _scatter(b: Builder, x: Value, *rest: object, **_: object) -> Value:
    """A scatter by a computed index: every operand is pinned."""
    b.pin(x, *(v for v in rest if isinstance(v, Value)))
    for v in rest:
        if isinstance(v, (list, tuple)):
            b.pin(*(i for i in v if isinstance(i, Value)))
    return b.fixed(x, x.shape, [])


def _one_hot(b: Builder, index: Value, classes: int = -1) -> Value:
    b.pin(index)
    out = b.value([*index.shape, classes], real=False)
    b.pin(out)
    return out


def _triangle(b: Builder, x: Value, diagonal: int = 0) -> Value:
    kept = [(k, k) for k in range(len(x.shape) - 2)]
    return b.fixed(x, x.shape, kept)


def _slice_scatter(
    b: Builder, x: Value, source: Value, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Value:
    n = x.shape[dim]
    first, last, step = slice(start, end, step).indices(n)
    if step != 1:
        raise Unsupported("an assignment to a slice with a step")
    parts = [b.slice(x, dim, 0, first)] if first else []
    parts.append(source)
    parts += [b.slice(x, dim, last, n - last)] if last < n else []
    return parts[0] if len(parts) == 1 else b.cat(parts, dim)


def _select_scatter(b: Builder, x: Value, source: Value, dim: int, index: int) -> Value:
    dim = dim % len(x.shape)
    index = index % x.shape[dim]
    row = b.reshape(source, [*source.shape[:dim], 1, *source.shape[dim:]])
    return _slice_scatter(b, x, row, dim, index, index + 1)


RULES = (
    Rule(("embedding",), _embedding),
    Rule(("index_select",), _index_select),
    Rule(("index",), _index),
    Rule(("gather",), _gather),
    Rule(("index_add",), _index_add),
    Rule(("scatter", "scatter_reduce", "index_put", "masked_scatter", "index_copy", "scatter_add"), _scatter),
    Rule(("one_hot",), _one_hot),
    Rule(("triu", "tril"), _triangle),
    Rule(("slice_scatter",), _slice_scatter),
    Rule(("select_scatter",), _select_scatter),
)
