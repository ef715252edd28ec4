"""How a value is cut into cells, apart from which wires it bears."""

from functools import cached_property, lru_cache
from itertools import product as cartesian
from math import prod

Cell = tuple[int, ...]
Place = tuple[int, int]
Cut = tuple[bool, tuple[tuple[bool, ...], ...]]
"""An axis: whether it is taken whole, and for every term and each of its wires whether something may act on it."""

CELL_LIMIT = 2048


class TooManyCells(Exception):
    """A value is cut into so many blocks that tracking each is not worth it; it is pinned."""


class Structure:
    """What all values that are cut alike have in common.

    A *cell* picks one term (one product of wires) on every axis. A *place* ``(axis, k)`` is wire number ``k`` of the term
    of an axis within a cell.

    Args:
        axes: How every axis is cut.
        real: Whether the value holds floating-point numbers.
        zero: Whether it is a constant of zeros.
    """

    def __init__(self, axes: tuple[Cut, ...], *, real: bool, zero: bool) -> None:
        self.whole = tuple(whole for whole, _ in axes)
        self.axes = tuple(terms for _, terms in axes)
        self.real, self.zero = real, zero
        self.counts = tuple(map(len, self.axes))
        self.single = all(n == 1 for n in self.counts)
        self.first: Cell = (0,) * len(axes)

    @cached_property
    def cells(self) -> list[Cell]:
        """Every cell.

        Raises:
            TooManyCells: If there are more than the limit.
        """
        if self.single:
            return [self.first]
        if prod(self.counts) > CELL_LIMIT:
            raise TooManyCells
        return list(cartesian(*map(range, self.counts)))

    def run(self, axis: int, cell: Cell) -> tuple[Place, ...]:
        """Return the places of an axis within a cell."""
        return tuple([(axis, k) for k in range(len(self.axes[axis][cell[axis]]))])

    def places(self, cell: Cell) -> list[Place]:
        """Return the places of a cell."""
        return [(axis, k) for axis, t in enumerate(cell) for k in range(len(self.axes[axis][t]))]

    def everywhere(self, cell: Cell, axes: set[int]) -> frozenset[Place]:
        """Return the places of a cell on some axes."""
        return frozenset((a, k) for a in axes for k in range(len(self.axes[a][cell[a]])))

    @cached_property
    def wholes(self) -> dict[Cell, int]:
        """The numbers of the cells among what may have an exponent; none if there are too many cells."""
        if not self.real or prod(self.counts) > CELL_LIMIT:
            return {}
        return {cell: k for k, cell in enumerate(self.cells)}

    @cached_property
    def slots(self) -> dict[tuple[int, int, int], int]:
        """The numbers ``(axis, term, place)`` of the wires that something may act on, behind those of the cells."""
        moving = [
            (axis, t, k)
            for axis, terms in enumerate(self.axes)
            for t, wires in enumerate(terms)
            for k, may_move in enumerate(wires)
            if may_move and self.real
        ]
        return {slot: k for k, slot in enumerate(moving, start=len(self.wholes))}

    @cached_property
    def size(self) -> int:
        """How many exponents a value has: of its cells and of its wires."""
        return len(self.wholes) + len(self.slots)


@lru_cache(maxsize=4096)
def structure_of(axes: tuple[Cut, ...], real: bool, zero: bool) -> Structure:
    """Return the structure of values that are cut in this way, one for all of them.

    Args:
        axes: How every axis is cut.
        real: Whether the value holds floating-point numbers.
        zero: Whether it is a constant of zeros.
    """
    return Structure(axes, real=real, zero=zero)
