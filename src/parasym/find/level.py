"""Which wires may be mixed linearly, and which only channel by channel."""

from parasym.find.axis import Leaf, leaves
from parasym.find.links import Ground
from parasym.rules.program import Contract, Expand, Fixed, Fn, Instruction, Kind, Normalize, Pin, Pointwise, Reduce


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
        zero = value.kind is Kind.CONSTANT and value.data is not None and not bool(value.data.any())
        if (value.kind is Kind.CONSTANT and not zero) or not value.real:
            for axis in types.axes[value.index]:
                found.update(leaves(axis))
    for step in types.program.code:
        found.update(leaf for value, axis in _touched(ground, step) for leaf in leaves(types.axes[value.index][axis]))
    return found


def _touched(ground: Ground, step: Instruction) -> list[tuple]:
    """Return the axes ``(value, axis)`` whose wires an instruction keeps from being mixed."""
    spec = ground.letters(step)
    if spec is None or isinstance(step, Pin):
        return []
    everywhere = [(step.out, a) for a in range(len(step.out.shape))] if not isinstance(step, Contract) else []
    if isinstance(step, Pointwise):
        if step.fn is Fn.LINEAR:
            return []
        if step.fn not in (Fn.ADD, Fn.MUL):
            return everywhere
        bearing = [sum(letter in mine for mine in spec.letters[:-1]) for letter in spec.out]
        if step.fn is Fn.ADD:
            return [(step.out, a) for a, n in enumerate(bearing) if n < len(step.xs)]
        return [(step.out, a) for a, n in enumerate(bearing) if n > 1]
    if isinstance(step, Contract):
        shared = set(step.x_letters) & set(step.y_letters) & set(step.out_letters)
        summed = set(step.x_letters) ^ set(step.y_letters)
        mine = ((step.x, step.x_letters), (step.y, step.y_letters))
        alone = [(v, a) for v, letters in mine for a, c in enumerate(letters) if c in summed - set(step.out_letters)]
        return [*((step.out, a) for a, letter in enumerate(step.out_letters) if letter in shared), *alone]
    if isinstance(step, Reduce):
        if step.fn in ("sum", "mean"):
            return [(step.x, a) for a in step.dims]
        return [(step.x, a) for a in range(len(step.x.shape))]
    if isinstance(step, Normalize):
        return everywhere
    if isinstance(step, Fixed):
        return everywhere if step.fn != "linear" else []
    if isinstance(step, Expand):
        old = set(spec.letters[0])
        return [(step.out, a) for a in range(len(step.out.shape)) if a not in old]
    return []
