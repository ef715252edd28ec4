"""The types of axes: ordered sums of ordered products of wires, and their unification."""

from dataclasses import dataclass
from math import prod


class Leaf:
    """A wire whose structure is not known any further; ``ref`` is what it turned out to be."""

    __slots__ = ("ref", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.ref: Axis | None = None

    def __repr__(self) -> str:
        """Return a short label."""
        return f"w{id(self) % 10000}({self.size})"


@dataclass(frozen=True)
class Product:
    """Wires laid out like the axes of a reshaped tensor, outermost first. Empty for length one."""

    parts: "tuple[Axis, ...]"

    @property
    def size(self) -> int:
        """Length of the axis."""
        return prod(part.size for part in self.parts)


@dataclass(frozen=True)
class Sum:
    """Blocks laid out one after the other, as by a concatenation."""

    parts: "tuple[Axis, ...]"

    @property
    def size(self) -> int:
        """Length of the axis."""
        return sum(part.size for part in self.parts)


class Mark(Leaf):
    """A channel of length one that is told from others, although nothing acts on it: the real or the imaginary parts of planes.

    It has no place in a term; it only keeps what is marked differently from being taken for the same.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(1)


Axis = Leaf | Product | Sum
UNIT = Product(())


class Conflict(Exception):
    """Two axes have no common refinement; the caller pins both."""


def fresh(size: int) -> Axis:
    """Return a new wire, or the unit type for length one."""
    return UNIT if size == 1 else Leaf(size)


def resolve(axis: Axis) -> Axis:
    """Return the axis with every wire replaced by what it turned out to be, in normal form."""
    if isinstance(axis, Leaf):
        if axis.ref is None:
            return axis
        axis.ref = resolve(axis.ref)
        return axis.ref
    parts = [resolve(part) for part in axis.parts]
    return product(parts) if isinstance(axis, Product) else total(parts)


def product(parts: list[Axis]) -> Axis:
    """Return the normal form of a product."""
    flat: list[Axis] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Product) else (part,))
    # (A + B) x C is A x C followed by B x C; the inner factor cannot be distributed.
    if len(flat) > 1 and isinstance(flat[0], Sum):
        return total([product([block, *flat[1:]]) for block in flat[0].parts])
    return flat[0] if len(flat) == 1 else Product(tuple(flat))


def total(parts: list[Axis]) -> Axis:
    """Return the normal form of a sum."""
    flat: list[Axis] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, Sum) else (part,))
    return flat[0] if len(flat) == 1 else Sum(tuple(flat))


def unify(a: Axis, b: Axis) -> None:
    """Make two axes of equal length the same, refining wires where needed.

    Raises:
        Conflict: If they have no common refinement.
    """
    a, b = resolve(a), resolve(b)
    if a is b or a == b:
        return
    if isinstance(a, Leaf):
        _bind(a, b)
    elif isinstance(b, Leaf):
        _bind(b, a)
    elif isinstance(a, Sum) and isinstance(b, Sum):
        _unify_sums(list(a.parts), list(b.parts))
    elif isinstance(a, Product) and isinstance(b, Product):
        _unify_products(list(a.parts), list(b.parts))
    elif isinstance(a, Sum) and isinstance(b, Product):
        _unify_mixed(a, b)
    elif isinstance(a, Product) and isinstance(b, Sum):
        _unify_mixed(b, a)


def _bind(leaf: Leaf, axis: Axis) -> None:
    """Say what a wire turned out to be; where that is itself with a mark, the mark tells nothing."""
    if isinstance(axis, Product) and leaf in axis.parts:
        for part in axis.parts:
            if isinstance(part, Mark) and part is not leaf:
                part.ref = UNIT
    else:
        leaf.ref = axis


def _unify_sums(a: list[Axis], b: list[Axis]) -> None:
    while a and b:
        x, y = a.pop(0), b.pop(0)
        if x.size > y.size:
            x, rest = split_sum(x, y.size)
            a.insert(0, rest)
        elif y.size > x.size:
            y, rest = split_sum(y, x.size)
            b.insert(0, rest)
        unify(x, y)
        a[:] = [part for rest in a for part in _blocks(resolve(rest))]
        b[:] = [part for rest in b for part in _blocks(resolve(rest))]


def _blocks(axis: Axis) -> tuple[Axis, ...]:
    return axis.parts if isinstance(axis, Sum) else (axis,)


def _unify_products(a: list[Axis], b: list[Axis]) -> None:
    while a and b:
        x, y = a.pop(0), b.pop(0)
        if x.size > y.size:
            x, rest = split_product(x, y.size)
            a.insert(0, rest)
        elif y.size > x.size:
            y, rest = split_product(y, x.size)
            b.insert(0, rest)
        unify(x, y)


def _unify_mixed(blocks: Sum, factors: Product) -> None:
    outer, inner = factors.parts[0], product(list(factors.parts[1:]))
    if any(part.size % inner.size for part in blocks.parts):
        raise Conflict
    pieces: list[Axis] = [Leaf(n) if (n := part.size // inner.size) > 1 else Mark() for part in blocks.parts]
    unify(outer, total(pieces))
    for part, piece in zip(blocks.parts, pieces, strict=True):
        unify(part, product([resolve(piece), inner]))


def split_sum(axis: Axis, at: int) -> tuple[Axis, Axis]:
    """Return the first ``at`` channels of an axis and the rest.

    Raises:
        Conflict: If the cut runs through a product.
    """
    axis = resolve(axis)
    if at == 0:
        return Sum(()), axis
    if at == axis.size:
        return axis, Sum(())
    if isinstance(axis, Leaf):
        left, right = fresh(at), fresh(axis.size - at)
        axis.ref = total([left, right])
        return left, right
    if isinstance(axis, Sum):
        before: list[Axis] = []
        rest = list(axis.parts)
        while rest and at >= rest[0].size:
            at -= rest[0].size
            before.append(rest.pop(0))
        if at:
            head, tail = split_sum(rest.pop(0), at)
            before.append(head)
            rest.insert(0, tail)
        return total(before), total(rest)
    inner = product(list(axis.parts[1:]))
    if at % inner.size:
        raise Conflict
    head, tail = split_sum(axis.parts[0], at // inner.size)
    return resolve(product([head, inner])), resolve(product([tail, inner]))


def split_product(axis: Axis, outer: int) -> tuple[Axis, Axis]:
    """Return an axis as a product whose first factor has ``outer`` channels.

    Raises:
        Conflict: If it is no such product.
    """
    axis = resolve(axis)
    if axis.size % outer:
        raise Conflict
    if outer == 1:
        return UNIT, axis
    if outer == axis.size:
        return axis, UNIT
    if isinstance(axis, Product):
        head = axis.parts[0]
        rest = product(list(axis.parts[1:]))
        if outer == head.size:
            return head, rest
        if outer < head.size:
            first, second = split_product(head, outer)
            return first, product([second, rest])
        if outer % head.size:
            raise Conflict
        first, second = split_product(rest, outer // head.size)
        return product([head, first]), second
    first, second = fresh(outer), fresh(axis.size // outer)
    unify(axis, Product((first, second)))
    return resolve(first), resolve(second)
