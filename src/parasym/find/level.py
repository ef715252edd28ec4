"""Which wires may be mixed linearly, and which only channel by channel."""

from parasym.find.axis import Axis, Leaf
from parasym.find.ground import Ground, is_zero
from parasym.find.template import Template
from parasym.rules.program import Contract, Expand, Fixed, Fn, Kind, Normalize, Pointwise, Reduce


def channelwise_wires(ground: Ground) -> set[Leaf]:
    """Return the wires on which only channel-by-channel groups (permutations, scales, signs) may act.

    A wire is left out, and may be mixed linearly, if it is touched only by linear maps, additions of
    tensors that bear it, and contractions with its dual.

    Args:
        ground: Types and places.
    """
    types = ground.types
    found: set[Leaf] = set()
    for value in types.program.values:
        if (value.kind is Kind.CONSTANT and not is_zero(value)) or not value.real:
            for axis in types.axes[value.index]:
                found.update(types.wires(axis))
    axes: set[Axis] = set()
    for step in ground.steps:
        template = step.template
        for k, axis in kept_apart(template):
            value = step.xs[k] if k < len(step.xs) else step.out
            assert value is not None
            axes.add(types.axes[value.index][axis])
    for axis in axes:
        found.update(types.wires(axis))
    return found


def mixable_wires(ground: Ground, channelwise: set[Leaf]) -> set[Leaf]:
    """Return the wires on which all invertible matrices may act, as far as linearity goes.

    Args:
        ground: Types and places.
        channelwise: What `channelwise_wires` found.
    """
    types = ground.types
    every = {wire for axis in ground.axes for term in types.terms(axis) for wire in term.wires}
    return every - channelwise - types.pinned - types.planes


def kept_apart(template: Template) -> list[tuple[int, int]]:
    """Return the axes ``(operand, axis)``, with the output last, whose wires an instruction keeps from being mixed.

    Args:
        template: The form of the instruction.
    """
    known = template.known.get(kept_apart)
    if known is None:
        known = template.known[kept_apart] = _touched(template)
    return known


def _touched(template: Template) -> list[tuple[int, int]]:
    step = template.step
    if not template.lettered:
        return []
    *mine, letters = template.letters
    out = len(mine)
    everywhere = [(out, a) for a in range(len(letters))]
    if isinstance(step, Pointwise):
        if step.fn is Fn.LINEAR:
            return []
        if step.fn not in (Fn.ADD, Fn.MUL):
            return everywhere
        bearing = [sum(letter in x for x in mine) for letter in letters]
        powers = {letter for degree, x in zip(step.degrees, mine, strict=False) if degree != 1 for letter in x}
        if step.fn is Fn.ADD:
            return [(out, a) for a, n in enumerate(bearing) if n < len(mine)]
        return [(out, a) for a, n in enumerate(bearing) if n > 1 or letters[a] in powers]
    if isinstance(step, Contract):
        shared = set(step.x_letters) & set(step.y_letters) & set(step.out_letters)
        summed = (set(step.x_letters) ^ set(step.y_letters)) - set(step.out_letters)
        alone = [(k, a) for k, x in enumerate(mine) for a, c in enumerate(x) if c in summed]
        return [*((out, a) for a, letter in enumerate(step.out_letters) if letter in shared), *alone]
    if isinstance(step, Reduce):
        if step.fn in ("sum", "mean"):
            return [(0, a) for a in step.dims]
        return [(0, a) for a in range(len(mine[0]))]
    if isinstance(step, Normalize):
        return everywhere
    if isinstance(step, Fixed):
        return everywhere if step.fn != "linear" else []
    if isinstance(step, Expand):
        return [(out, a) for a in range(len(letters)) if a not in mine[0]]
    return []
