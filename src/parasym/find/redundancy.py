"""Keeps track of which uniform scalings (or signs) are already spanned by other factors."""

from fractions import Fraction
from heapq import heapify, heappop, heappush

from parasym.find.exponent import Slot as Where
from parasym.find.ground import Ground
from parasym.find.structure import Cell, TooManyCells

Row = dict[tuple[int, Cell], int | Fraction]


class Span:
    """The span of patterns over the cells of parameters, by sparse elimination.

    Args:
        ground: Types and places.
        modulus: 0 for scales, 2 for signs.
    """

    def __init__(self, ground: Ground, modulus: int) -> None:
        self.ground = ground
        self.modulus = modulus
        self._rows: dict[tuple[int, Cell], Row] = {}

    def add(self, pattern: dict[Where, int | Fraction]) -> bool:
        """Add the uniform part of an action on a wire; return whether it was new."""
        row: Row = {}
        for (index, axis, term, _), factor in pattern.items():
            value = self.ground.types.program.values[index]
            try:
                for cell in self.ground.cells(value):
                    if cell[axis] == term:
                        row[index, cell] = row.get((index, cell), 0) + factor
            except TooManyCells:
                return True
        return self.add_cells(row) or not row

    def add_cells(self, row: Row) -> bool:
        """Add an action on whole cells; return whether it was new."""
        rest = self._reduced(row)
        if not rest:
            return False
        pivot = min(rest)
        factor = rest[pivot]
        self._rows[pivot] = {k: self._divide(v, factor) for k, v in rest.items()}
        return True

    def _divide(self, value: int | Fraction, factor: int | Fraction) -> int | Fraction:
        if self.modulus:
            return value % 2
        return value * factor if factor in (1, -1) else Fraction(value) / factor

    def _reduced(self, row: Row) -> Row:
        """Return what is left of a row; a kept row starts at its pivot, so pivots are met in order."""
        rest = {k: value for k, v in row.items() if (value := self._norm(v))}
        rows = self._rows
        todo = [k for k in rest if k in rows]
        heapify(todo)
        while todo:
            pivot = heappop(todo)
            factor = rest.get(pivot)
            if factor is None:
                continue
            for k, v in rows[pivot].items():
                old = rest.get(k)
                new = self._norm((0 if old is None else old) - factor * v)
                if new:
                    rest[k] = new
                    if old is None and k in rows:
                        heappush(todo, k)
                elif old is not None:
                    del rest[k]
        return rest

    def _norm(self, value: int | Fraction) -> int | Fraction:
        return value % 2 if self.modulus else value
