"""Look-ups: the indexed axis is pinned, all others pass as a batch."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from parasym.rules.builder import Builder
from parasym.rules.fixed_axes import runs_of, same_along, stays
from parasym.rules.program import Value
from parasym.rules.rule import Rule, Unsupported
from parasym.rules.shape import joined

BY_NUMBER = "entries are looked up by number along this axis"


def _embedding(b: Builder, weight: Value, index: Value, *_: object, **__: object) -> Value:
    """Row ``index`` of a table: the tokens are pinned, the features pass."""
    b.pin(index)
    b.by(index)
    n = len(index.shape)
    return b.fixed(weight, [*index.shape, weight.shape[1]], [(1, n)], averaging=True, reason=BY_NUMBER)


def _index_select(b: Builder, x: Value, dim: int, index: Value) -> Value:
    return _index(b, x, [None] * (dim % len(x.shape)) + [index])


def _index(b: Builder, x: Value, indices: Sequence[Value | None]) -> Value:
    """Advanced indexing; the indexed axes are pinned, the others keep their order."""
    used = [i for i in indices if i is not None]
    if not used:
        return x
    if any(i.truth for i in used):
        raise Unsupported("indexing by a mask, whose length is not known")
    if len(used) == 1:
        cut = _cut(b, x, next(k for k, i in enumerate(indices) if i is not None), used[0])
        if cut is not None:
            return cut
    b.pin(*used)
    b.by(*used)
    shape, pairs = looked_up(x, indices)
    return b.fixed(x, shape, pairs, averaging=True, reason=BY_NUMBER)


def _cut(b: Builder, x: Value, dim: int, index: Value) -> Value | None:
    """Return a look-up of a few known runs of entries as slices."""
    runs = None if stays(b, x, dim) else runs_of(index, x.shape[dim])
    if runs is None:
        return None
    return joined(b, [b.slice(x, dim, start, length) for start, length in runs], dim)


def looked_up(x: Value, indices: Sequence[Value | None]) -> tuple[list[int], list[tuple[int, int]]]:
    """Return the shape of ``x[indices]``, and which axes of ``x`` are which of its own, as pairs.

    Args:
        x: What is indexed.
        indices: One index per leading axis, ``None`` for a whole axis.
    """
    where = [k for k, i in enumerate(indices) if i is not None]
    shape = list(torch.broadcast_shapes(*[i.shape for i in indices if i is not None]))
    kept = [k for k in range(len(x.shape)) if k not in where]
    adjacent = where == list(range(where[0], where[-1] + 1))
    first = where[0] if adjacent else 0
    before = [k for k in kept if k < where[0]] if adjacent else []
    after = [k for k in kept if k not in before]
    out_shape = [*(x.shape[k] for k in before), *shape, *(x.shape[k] for k in after)]
    return out_shape, [(k, j) for j, k in enumerate(before)] + [(k, first + len(shape) + j) for j, k in enumerate(after)]


def _gather(b: Builder, x: Value, dim: int, index: Value, **_: object) -> Value:
    """An axis along which all look up the same entries is a batch."""
    b.pin(index)
    b.by(index)
    return b.fixed(x, index.shape, batch_axes(b, dim, index, x), averaging=True, reason=BY_NUMBER)


def batch_axes(b: Builder, dim: int, index: Value, *xs: Value) -> list[tuple[int, int]]:
    """Return the axes other than ``dim`` that are whole in all tensors, and along which the index is the same.

    Args:
        b: Tells how the index was made.
        dim: The axis that is indexed.
        index: The index, with as many axes as the tensors.
        xs: The tensors.
    """
    dim = dim % max(len(index.shape), 1)
    axes = (k for k, n in enumerate(index.shape) if k != dim and all(x.shape[k] == n for x in xs))
    return [(k, k) for k in axes if same_along(b, index, k)]


def _one_hot(b: Builder, index: Value, classes: int = -1) -> Value:
    b.pin(index)
    out = b.value([*index.shape, classes], real=False)
    b.pin(out)
    return out


def _triangle(cut: str) -> Callable[..., Value]:
    def lower(b: Builder, x: Value, diagonal: int = 0) -> Value:
        mask: Tensor = getattr(torch.ones(x.shape[-2:]), cut)(diagonal)
        return b.mul(x, b.constant(mask, mask.shape))

    return lower


RULES = (
    Rule(("embedding",), _embedding),
    Rule(("index_select",), _index_select),
    Rule(("index",), _index),
    Rule(("gather",), _gather),
    Rule(("one_hot",), _one_hot),
    Rule(("triu",), _triangle("triu")),
    Rule(("tril",), _triangle("tril")),
)
