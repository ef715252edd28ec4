"""Look-ups: the indexed axis is pinned, all others pass as a batch."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from parasym.rules.builder import Builder
from parasym.rules.fixed_axes import depends_on, runs_of, same_along, stays
from parasym.rules.program import Kind, Linked, Value
from parasym.rules.rule import Rule, Unsupported
from parasym.rules.shape import joined

BY_NUMBER = "entries are looked up by fixed numbers, which are not followed"
IN_RUNS = "entries are taken in runs by fixed numbers, and channels of different runs are not exchanged"
BY_ENTRY = "every entry is looked up by a number of its own along this axis, as far as is known"
BY_COMPUTED = "entries are looked up by numbers that the model computes, which are not followed"


def embedding(b: Builder, weight: Value, index: Value, padding: int = -1, *_: object, **__: object) -> Value:
    """Return the rows of a table: the tokens are pinned, the features pass.

    Args:
        b: Where to write it.
        weight: The table.
        index: The tokens.
        padding: The row that is not trained, negative if there is none.
    """
    rows = weight.shape[0]
    if rows > 1 and padding < 0 and runs_of(index, rows) == [(0, rows)]:
        return weight
    reason = numbered(b, index)
    n = len(index.shape)
    coarse = links(reason, (0,), tuple(range(n)))
    return b.fixed(weight, [*index.shape, weight.shape[1]], [(1, n)], averaging=True, reason=reason, coarse=coarse)


def numbered(b: Builder, *indices: Value) -> str:
    """Pin the numbers by which an operation looks up entries, or writes them.

    Args:
        b: Where to write it.
        indices: The numbers.

    Returns:
        Why that is coarse; empty if they are an input, which tells entries apart whatever the rule.
    """
    sources = {depends_on(b, index) for index in indices}
    reason = BY_COMPUTED if "model" in sources else BY_NUMBER if sources == {"constants"} else ""
    b.pin(*indices, reason=reason)
    b.by(*indices)
    return reason


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
    reason = numbered(b, *used)
    shape, pairs = looked_up(x, indices)
    return b.fixed(x, shape, pairs, averaging=True, reason=reason, coarse=unpaired(reason, x.shape, shape, pairs))


def links(reason: str, x: Sequence[int], out: Sequence[int]) -> list[Linked]:
    """Return the axes that a finer rule would link.

    Where numbers are fixed, those of the result that is looked up are held as soon as those that are looked up are. Where they
    are computed, they may move along with what is looked up: the axes have nothing to do with each other.

    Args:
        reason: What :func:`numbered` returned.
        x: Axes that are looked up.
        out: Axes of the result.
    """
    if not reason:
        return []
    return [*(((k,), ()) for k in x), *(((), (k,)) for k in out)] if reason == BY_COMPUTED else [(tuple(x), tuple(out))]


def unpaired(reason: str, before: Sequence[int], after: Sequence[int], pairs: Sequence[tuple[int, int]]) -> list[Linked]:
    """Return the axes that a finer rule would link: those of both shapes that are not among the pairs.

    Args:
        reason: What :func:`numbered` returned.
        before: The shape of what is looked up.
        after: The shape of the result.
        pairs: Axes of both that are the same.
    """
    kept = [{pair[side] for pair in pairs} for side in (0, 1)]
    x, out = (tuple(k for k in range(len(shape)) if k not in kept[side]) for side, shape in enumerate((before, after)))
    return links(reason, x, out)


def _cut(b: Builder, x: Value, dim: int, index: Value) -> Value | None:
    """Return a look-up of a few known runs of entries as slices."""
    runs = None if stays(b, x, dim) else runs_of(index, x.shape[dim])
    if runs is None:
        return None
    out = joined(b, [b.slice(x, dim, start, length) for start, length in runs], dim)
    if len(runs) > 1:
        b.split(IN_RUNS, (x, dim), (out, dim))
    return out


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
    """An axis along which all look up the same entries is a batch; where all do, it is a look-up of whole slices."""
    vector = same_everywhere(b, dim, index, x)
    if vector is not None:
        return _index_select(b, x, dim, vector)
    reason = numbered(b, index)
    kept, coarse = batch_axes(b, dim, index, x), coarse_axes(b, dim, index, reason, x)
    return b.fixed(x, index.shape, kept, averaging=True, reason=reason or BY_ENTRY, coarse=coarse)


def same_everywhere(b: Builder, dim: int, index: Value, *xs: Value) -> Value | None:
    """Return known numbers that are the same along all other axes, which are whole in all tensors, as a vector.

    Args:
        b: Where to write it.
        dim: The axis that is indexed.
        index: The index, with as many axes as the tensors.
        xs: The tensors.
    """
    n = len(index.shape)
    if not n or index.kind is not Kind.CONSTANT or index.data is None or len(batch_axes(b, dim, index, *xs)) < n - 1:
        return None
    data = index.data.movedim(dim, 0).reshape(index.shape[dim], -1)[:, 0]
    return b.constant(data, data.shape, real=False)


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


def coarse_axes(b: Builder, dim: int, index: Value, reason: str, *xs: Value) -> list[Linked]:
    """Return the axes that a look-up pins for want of knowledge; where the index is an input along an axis, it must.

    Args:
        b: Tells how the index was made.
        dim: The axis that is indexed.
        index: The index, with as many axes as the tensors.
        reason: Why the numbers are not followed, empty if they are an input.
        xs: The tensors.
    """
    dim = dim % max(len(index.shape), 1)
    kept = {k for k, _ in batch_axes(b, dim, index, *xs)}
    others = [k for k in range(len(index.shape)) if k != dim and k not in kept and not stays(b, index, k)]
    return [*links(reason, (dim,), (dim,)), *(((k,), (k,)) for k in others)]


def _one_hot(b: Builder, index: Value, classes: int = -1) -> Value:
    reason = numbered(b, index)
    out = b.value([*index.shape, classes], real=False)
    b.pin(out, reason=reason)
    return out


def _triangle(cut: str) -> Callable[..., Value]:
    def lower(b: Builder, x: Value, diagonal: int = 0) -> Value:
        mask: Tensor = getattr(torch.ones(x.shape[-2:]), cut)(diagonal)
        return b.mul(x, b.constant(mask, mask.shape))

    return lower


RULES = (
    Rule(("embedding",), embedding),
    Rule(("index_select",), _index_select),
    Rule(("index",), _index),
    Rule(("gather",), _gather),
    Rule(("one_hot",), _one_hot),
    Rule(("triu",), _triangle("triu")),
    Rule(("tril",), _triangle("tril")),
)
