"""What an axis is made of, once its type is known: products of wires, with their places along the axis."""

from dataclasses import dataclass
from math import prod

from parasym.find.axis import Axis, Leaf, Mark, Sum, resolve


@dataclass(frozen=True)
class Term:
    """One product of wires in an axis.

    Attributes:
        start: Where it starts.
        wires: Its wires, outermost first.
        strides: The stride of every wire along the axis.
        marks: What tells it from another term of the same wires.
    """

    start: int
    wires: tuple[Leaf, ...]
    strides: tuple[int, ...]
    marks: tuple[Mark, ...] = ()

    @property
    def size(self) -> int:
        """Number of channels."""
        return prod(wire.size for wire in self.wires)


def leaves(axis: Axis) -> list[Leaf]:
    """Return every wire of an axis, in order, with repetitions."""
    axis = resolve(axis)
    if isinstance(axis, Leaf):
        return [] if isinstance(axis, Mark) else [axis]
    return [leaf for part in axis.parts for leaf in leaves(part)]


def terms(axis: Axis) -> list[Term]:
    """Return the products of wires that make up an axis, in order."""
    axis = resolve(axis)
    if isinstance(axis, Mark):
        return [Term(0, (), (), (axis,))]
    if isinstance(axis, Leaf):
        return [Term(0, (axis,), (1,))]
    if isinstance(axis, Sum):
        out, start = [], 0
        for part in axis.parts:
            out += [Term(t.start + start, t.wires, t.strides, t.marks) for t in terms(part)]
            start += part.size
        return out
    out = [Term(0, (), ())]
    inner = axis.size
    for part in axis.parts:
        inner //= part.size
        out = [
            Term(
                head.start + tail.start * inner,
                head.wires + tail.wires,
                head.strides + tuple(s * inner for s in tail.strides),
                head.marks + tail.marks,
            )
            for head in out
            for tail in terms(part)
        ]
    return out
