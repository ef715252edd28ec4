"""Where an axis comes from: whether parameters alone decide what it bears."""

from parasym.rules.builder import Builder
from parasym.rules.program import (
    Cat,
    Contract,
    Expand,
    Fixed,
    Kind,
    Normalize,
    Permute,
    Pointwise,
    Reduce,
    Reshape,
    Rotary,
    Slice,
    Value,
    segments,
)

Axis = tuple[Value, int]


def is_channels(b: Builder, x: Value, axis: int) -> bool:
    """Return whether an axis is one of channels: all that it is aligned with are parameters, buffers and constants.

    An axis of an input, of positions or of samples is none, even if parameters lie along it too.

    Args:
        b: The builder.
        x: A value.
        axis: One of its axes.
    """
    seen: set[tuple[int, int]] = set()
    todo = [(x, axis)]
    borne = False
    while todo:
        value, at = todo.pop()
        if (value.index, at) in seen or value.shape[at] == 1:
            continue
        seen.add((value.index, at))
        step = b.producers.get(value.index)
        if step is None:
            if value.kind not in (Kind.PARAMETER, Kind.STATE, Kind.CONSTANT):
                return False
            borne |= value.kind is Kind.PARAMETER
            continue
        before = _before(step, at)
        if before is None:
            return False
        todo += before
    return borne


def _before(step: object, axis: int) -> list[Axis] | None:
    """Return the axes that an axis of a result is aligned with, ``None`` if it is made by a map of its own."""
    if isinstance(step, (Normalize, Rotary, Slice)):
        return [(step.x, axis)]
    if isinstance(step, Cat):
        return [(x, axis) for x in step.xs]
    if isinstance(step, Permute):
        return [(step.x, step.order[axis])]
    if isinstance(step, Expand):
        lead = len(step.out.shape) - len(step.x.shape)
        same = axis >= lead and step.x.shape[axis - lead] == step.out.shape[axis]
        return [(step.x, axis - lead)] if same else None
    if isinstance(step, Reduce):
        return [(step.x, [k for k in range(len(step.x.shape)) if k not in step.dims][axis])]
    if isinstance(step, Fixed):
        kept = {out: x for x, out in step.kept}
        return [(step.x, kept[axis])] if axis in kept else None
    if isinstance(step, Contract):
        letter = step.out_letters[axis]
        pairs = ((step.x, step.x_letters), (step.y, step.y_letters))
        return [(x, letters.index(letter)) for x, letters in pairs if letter in letters]
    if isinstance(step, Pointwise):
        return [(x, letters.index(axis)) for x, letters in zip(step.xs, step.letters, strict=True) if axis in letters]
    if isinstance(step, Reshape):
        ins = next(ins for ins, outs in segments(step.x.shape, step.out.shape) if axis in outs)
        return [(step.x, k) for k in ins]
    return None
