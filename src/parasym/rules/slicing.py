"""Slices with a step, and writes into slices.

A slice that takes every other channel and is written back after a function of single entries is that function on a part of the
channels, chosen by a mask: the chosen ones may change places, and so may the others. What is read with a step is otherwise one
row of the axis folded by the step, if the step divides it, and cut into single entries or mapped if it does not.
"""

import torch

from parasym.rules.builder import Builder
from parasym.rules.origin import is_channels
from parasym.rules.pointwise import where
from parasym.rules.program import Expand, Kind, Pointwise, Value
from parasym.rules.rule import Rule
from parasym.rules.shape import joined

_FEW = 8
"""A slice with a step of at most so many entries is taken entry by entry."""
_STEPS = "every so-many-th entry is taken, which is not followed along this axis"


def _slice(b: Builder, x: Value, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Value:
    dim = dim % len(x.shape)
    n = x.shape[dim]
    first, last, step = slice(start, end, step).indices(n)
    if step == 1:
        return b.slice(x, dim, first, max(last - first, 0))
    out = _stepped(b, x, dim, range(first, last, step))
    b.stepped[out.index] = (x.index, dim, first, step)
    return out


def _stepped(b: Builder, x: Value, dim: int, at: range) -> Value:
    """Return every so-many-th entry."""
    n, shape = x.shape[dim], list(x.shape)
    count, step = len(at), at.step
    if n % step == 0 and count == n // step and at.start < step:
        folded = b.reshape(x, [*shape[:dim], count, step, *shape[dim + 1 :]])
        return b.reshape(b.slice(folded, dim + 1, at.start, 1), [*shape[:dim], count, *shape[dim + 1 :]])
    if count <= _FEW and is_channels(b, x, dim):
        out = joined(b, [b.slice(x, dim, k, 1) for k in at] or [b.slice(x, dim, 0, 0)], dim)
        b.split("every so-many-th entry is taken, and is not exchanged with others", (x, dim), (out, dim))
        return out
    kept = [(k, k) for k in range(len(shape)) if k != dim]
    out = [count if k == dim else m for k, m in enumerate(shape)]
    return b.fixed(x, out, kept, averaging=True, reason=_STEPS, coarse=[((dim,), (dim,))])


def slice_scatter(
    b: Builder, x: Value, source: Value, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Value:
    """Return ``x`` with a slice of it replaced by ``source``, which is broadcast to it.

    Args:
        b: Where to write it.
        x: What is written into.
        source: What is written.
        dim: The axis that is sliced.
        start: Start of the slice, as in Python.
        end: End of the slice.
        step: Step of the slice.
    """
    dim = dim % len(x.shape)
    n = x.shape[dim]
    first, last, step = slice(start, end, step).indices(n)
    count = len(range(first, last, step))
    source = b.expand(source, [count if k == dim else m for k, m in enumerate(x.shape)])
    if step == 1 or not count:
        parts = [b.slice(x, dim, 0, first), source, b.slice(x, dim, first + count, n - first - count)]
        return joined(b, parts, dim)
    mask = torch.zeros(n, dtype=torch.bool)
    mask[first:last:step] = True
    whole = _whole(b, source, x, (x.index, dim, first, step), mask)
    if whole is not None:
        condition = mask.reshape([-1 if k == dim else 1 for k in range(len(x.shape))])
        return where(b, b.constant(condition, condition.shape, real=False), whole, x)
    if n % step or count != n // step:
        return _written(b, x, source, dim, mask)
    lead, tail = x.shape[:dim], x.shape[dim + 1 :]
    folded, row = b.reshape(x, [*lead, count, step, *tail]), b.reshape(source, [*lead, count, 1, *tail])
    return b.reshape(slice_scatter(b, folded, row, dim + 1, first, first + 1), x.shape)


def _whole(b: Builder, source: Value, x: Value, key: tuple[int, int, int, int], mask: torch.Tensor) -> Value | None:
    """Return what is written into a slice as a slice of the same function of all entries, if it is one."""
    if b.stepped.get(source.index) == key:
        return x
    dim = key[1] - (len(x.shape) - len(source.shape))
    if dim < 0 or source.shape[dim] == 1:
        return source
    if source.kind is Kind.CONSTANT and source.data is not None:
        shape = [len(mask) if k == dim else n for k, n in enumerate(source.shape)]
        data = source.data.new_zeros(shape)
        data.movedim(dim, 0)[mask] = source.data.movedim(dim, 0)
        return b.constant(data, data.shape, real=source.real)
    step = b.producers.get(source.index)
    if isinstance(step, Expand):
        return _whole(b, step.x, x, key, mask) if step.x.shape[dim - len(source.shape) :][:1] in ((), (1,)) else None
    plain = isinstance(step, Pointwise) and step.letters == Pointwise(step.fn, step.xs, step.out).letters
    if not isinstance(step, Pointwise) or not plain or source.index in b.program.loops:
        return None
    parts = [_whole(b, part, x, key, mask) for part in step.xs]
    if any(part is None for part in parts):
        return None
    return b.pointwise(
        step.fn, *[part for part in parts if part is not None], degrees=step.degrees, signs=step.signs, real=source.real
    )


def _written(b: Builder, x: Value, source: Value, dim: int, mask: torch.Tensor) -> Value:
    """Return ``x`` with every so-many-th entry replaced, by a map that is not followed along the axis."""
    kept = [(k, k) for k in range(len(x.shape)) if k != dim]
    spread = b.fixed(source, x.shape, kept, reason=_STEPS, coarse=[((dim,), (dim,))])
    rest = (~mask).reshape([-1 if k == dim else 1 for k in range(len(x.shape))])
    return b.add(b.mul(x, b.constant(rest, rest.shape)), spread)


RULES = (
    Rule(("slice",), _slice),
    Rule(("slice_scatter",), slice_scatter),
)
