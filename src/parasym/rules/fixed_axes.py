"""What can be told of the axes of a value from how it was made, before its type is known."""

from itertools import pairwise

import torch

from parasym.rules.builder import Builder
from parasym.rules.program import (
    Cat,
    Contract,
    Expand,
    Fixed,
    Instruction,
    Kind,
    Normalize,
    Permute,
    Pointwise,
    Reduce,
    Reshape,
    Rotary,
    Slice,
    Value,
    operands,
    segments,
)

_DEPTH = 200
_RUNS = 8
"""A look-up, or a mask, of more runs of channels than this is not cut into slices."""


def same_along(b: Builder, x: Value, axis: int) -> bool:
    """Return whether a value is known to be the same along an axis, because it was expanded.

    Args:
        b: Tells how it was made.
        x: A value.
        axis: One of its axes.

    Example:
        >>> from parasym.rules.program import Kind
        >>> b = Builder()
        >>> wide = b.expand(b.value((2, 1), Kind.INPUT), (2, 3))
        >>> same_along(b, wide, 1), same_along(b, wide, 0)
        (True, False)
    """
    if x.shape[axis] == 1:
        return True
    if x.kind is Kind.CONSTANT and x.data is not None:
        return bool((x.data == x.data.narrow(axis, 0, 1)).all())
    step = b.producers.get(x.index)
    if isinstance(step, Pointwise):
        at = [(v, letters.index(axis)) for v, letters in zip(step.xs, step.letters, strict=True) if axis in letters]
        return all(same_along(b, v, k) for v, k in at)
    source = _source(step, axis)
    if isinstance(step, Expand):
        return source is None or same_along(b, *source)
    return source is not None and same_along(b, *source)


def stays(b: Builder, x: Value, axis: int) -> bool:
    """Return whether an axis is known to be pinned, because it comes from an input or a fixed map: positions, space.

    What is said of such an axis need not be precise. ``False`` means that it is not known.

    Args:
        b: Tells how the value was made.
        x: A value.
        axis: One of its axes.

    Example:
        >>> from parasym.rules.program import Kind
        >>> b = Builder()
        >>> h = b.contract(b.value((7, 3), Kind.INPUT), b.value((4, 3), Kind.PARAMETER), "bi,oi->bo")
        >>> stays(b, h, 0), stays(b, h, 1)
        (True, False)
    """
    for _ in range(_DEPTH):
        if x.kind is Kind.INPUT:
            return True
        step = b.producers.get(x.index)
        if isinstance(step, Fixed) and axis not in {out for _, out in step.kept}:
            return True
        source = _source(step, axis)
        if source is None:
            return False
        x, axis = source
    return False


def depends_on(b: Builder, x: Value) -> str:
    """Return what the numbers of a value depend on: ``model`` if on a parameter, else ``input`` if on one, else ``constants``.

    Args:
        b: Tells how the value was made.
        x: A value.

    Example:
        >>> from parasym.rules.program import Kind
        >>> b = Builder()
        >>> x, w, k = b.value((3,), Kind.INPUT), b.value((3,), Kind.PARAMETER), b.filled((3,), 2.0)
        >>> depends_on(b, b.mul(x, k)), depends_on(b, b.mul(x, w)), depends_on(b, b.expand(k, (4, 3)))
        ('input', 'model', 'constants')
    """
    if x.index not in b.data_only:
        return "model"
    seen, todo = {x.index}, [x]
    while todo:
        value = todo.pop()
        if value.kind is Kind.INPUT:
            return "input"
        step = b.producers.get(value.index)
        new = [] if step is None else [v for v in operands(step) if v.index not in seen]
        seen.update(v.index for v in new)
        todo += new
    return "constants"


def _source(step: Instruction | None, axis: int) -> tuple[Value, int] | None:
    """Return an operand and its axis that an axis of the result is, whole and in order."""
    if isinstance(step, Pointwise):
        bearing = [(x, letters.index(axis)) for x, letters in zip(step.xs, step.letters, strict=True) if axis in letters]
        return next((pair for pair in bearing if pair[0].kind is not Kind.CONSTANT), None)
    if isinstance(step, Contract):
        letter = step.out_letters[axis]
        return (step.x, step.x_letters.index(letter)) if letter in step.x_letters else (step.y, step.y_letters.index(letter))
    if isinstance(step, Permute):
        return step.x, step.order[axis]
    if isinstance(step, Fixed):
        return next(((step.x, x) for x, out in step.kept if out == axis), None)
    if isinstance(step, Reduce):
        return step.x, [k for k in range(len(step.x.shape)) if k not in step.dims][axis]
    if isinstance(step, Expand):
        k = axis - (len(step.out.shape) - len(step.x.shape))
        return (step.x, k) if k >= 0 and step.x.shape[k] == step.out.shape[axis] else None
    if isinstance(step, Reshape):
        ins, outs = next(run for run in segments(step.x.shape, step.out.shape) if axis in run[1])
        wide = [k for k in ins if step.x.shape[k] > 1]
        alone = len(wide) == 1 and [k for k in outs if step.out.shape[k] > 1] == [axis]
        return (step.x, wide[0]) if alone else None
    if isinstance(step, (Slice, Cat)):
        return (step.x if isinstance(step, Slice) else step.xs[0], axis) if axis != step.dim else None
    return (step.x, axis) if isinstance(step, (Normalize, Rotary)) else None


def runs_of(index: Value, length: int) -> list[tuple[int, int]] | None:
    """Return known positions along an axis as a few runs ``(start, length)``, ``None`` if they are too many or not known.

    Args:
        index: Positions, a vector.
        length: Length of the axis.

    Example:
        >>> import torch
        >>> runs_of(Builder().constant(torch.tensor([4, 0, 1, 2]), (4,), real=False), 5)
        [(4, 1), (0, 3)]
    """
    if index.kind is not Kind.CONSTANT or index.data is None or len(index.shape) != 1 or index.truth:
        return None
    at = [k % length for k in index.data.tolist()]
    if not at:
        return []
    ends = [0, *(k for k, (a, c) in enumerate(pairwise(at), start=1) if c != a + 1), len(at)]
    return [(at[k], m - k) for k, m in pairwise(ends)] if len(ends) - 1 <= _RUNS else None


def mask_of(index: Value, length: int) -> Value | None:
    """Return the mask of known positions along an axis, ``None`` if they are not known.

    Args:
        index: Positions, a vector.
        length: Length of the axis.
    """
    if index.kind is not Kind.CONSTANT or index.data is None or len(index.shape) != 1 or index.truth:
        return None
    data = torch.zeros(length, dtype=torch.bool)
    data[index.data.cpu()] = True
    return Value(-1, (length,), Kind.CONSTANT, real=False, data=data, truth=True)
