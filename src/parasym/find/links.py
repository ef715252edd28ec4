"""How the places of one value continue in another: the ground on which all later passes stand.

A *cell* of a value picks one term (one product of wires) on every axis. A *place* ``(axis, k)`` is
wire number ``k`` of the term of an axis within a cell.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product as cartesian
from math import prod

from parasym.find.axis import Leaf, Term
from parasym.find.typing import Types
from parasym.rules.program import (
    Cat,
    Contract,
    Expand,
    Fixed,
    Instruction,
    Normalize,
    Permute,
    Pointwise,
    Reduce,
    Reshape,
    Rotary,
    Slice,
    Value,
    operands,
    result,
    segments,
)

Cell = tuple[int, ...]
Place = tuple[int, int]
Bearing = list[tuple[Value, int] | None]
Moving = tuple[int, Bearing, int, int]
Pairing = tuple[dict[int, int], dict[int, int], dict[Place, Place]]
CELL_LIMIT = 2048


class TooManyCells(Exception):
    """A value is cut into so many blocks that tracking each is not worth it; it is pinned."""


@dataclass(frozen=True)
class Letters:
    """An instruction as letters: one letter tuple per operand, then the output's; ``None`` is a broadcast axis."""

    values: tuple[Value, ...]
    letters: tuple[tuple[int | None, ...], ...]

    @cached_property
    def first(self) -> tuple[Cell, ...]:
        """The first cell of every operand and of the output."""
        return tuple((0,) * len(letters) for letters in self.letters)

    @cached_property
    def out(self) -> tuple[int | None, ...]:
        """Letters of the output."""
        return self.letters[-1]

    @cached_property
    def bearing(self) -> dict[int, Bearing]:
        """For every letter and operand, and for the output last, the axis that bears it."""
        out: dict[int, Bearing] = {}
        for k, (value, letters) in enumerate(zip(self.values, self.letters, strict=True)):
            for axis, letter in enumerate(letters):
                if letter is not None:
                    out.setdefault(letter, [None] * len(self.values))[k] = (value, axis)
        return out


@dataclass(frozen=True)
class Link:
    """A cell of an operand that continues in a cell of the output, and which place becomes which."""

    x_cell: Cell
    out_cell: Cell
    places: dict[Place, Place]


def letters_of(step: Instruction) -> Letters | None:
    """Return the letters of an instruction, or ``None`` for slices, concatenations, pins and reshapes that split or merge axes.

    Args:
        step: Any instruction.
    """
    if isinstance(step, Reshape):
        return _unit_letters(step)
    if isinstance(step, Pointwise):
        return Letters((*step.xs, step.out), (*step.letters, tuple(range(len(step.out.shape)))))
    if isinstance(step, Contract):
        return Letters((step.x, step.y, step.out), (step.x_letters, step.y_letters, step.out_letters))
    if isinstance(step, Reduce):
        axes = tuple(range(len(step.x.shape)))
        return Letters((step.x, step.out), (axes, tuple(k for k in axes if k not in step.dims)))
    if isinstance(step, Normalize | Rotary):
        axes = tuple(range(len(step.x.shape)))
        return Letters((step.x, step.out), (axes, axes))
    if isinstance(step, Fixed):
        kept = {out: x for x, out in step.kept}
        n = len(step.x.shape)
        out = tuple(kept.get(k, n + k) for k in range(len(step.out.shape)))
        return Letters((step.x, step.out), (tuple(range(n)), out))
    if isinstance(step, Expand):
        n = len(step.out.shape)
        lead = n - len(step.x.shape)
        x = tuple(k + lead if m == step.out.shape[k + lead] else None for k, m in enumerate(step.x.shape))
        return Letters((step.x, step.out), (x, tuple(range(n))))
    if isinstance(step, Permute):
        return Letters((step.x, step.out), (tuple(range(len(step.order))), step.order))
    return None


def _unit_letters(step: Reshape) -> Letters | None:
    """Return the letters of a reshape that only adds or drops axes of length one."""
    wide = [[(a, n) for a, n in enumerate(value.shape) if n > 1] for value in (step.x, step.out)]
    if [n for _, n in wide[0]] != [n for _, n in wide[1]]:
        return None
    names = [{a: k for k, (a, _) in enumerate(axes)} for axes in wide]
    x, out = (tuple(name.get(a) for a in range(len(v.shape))) for name, v in zip(names, (step.x, step.out), strict=True))
    return Letters((step.x, step.out), (x, out))


class Ground:
    """Types of a program, with cells, places and links.

    Args:
        types: The types.
    """

    def __init__(self, types: Types) -> None:
        self.types = types
        self._links: dict[tuple[int, int], list[Link]] = {}
        self._letters: dict[int, Letters | None] = {}
        self._terms: dict[int, tuple[tuple[Term, ...], ...]] = {}
        self._cells: dict[int, list[Cell]] = {}
        self._single: dict[int, bool] = {}
        self._moving: dict[int, list[Moving]] = {}

    @cached_property
    def still(self) -> set[Leaf]:
        """Pinned wires that no parameter bears: nothing can act on them."""
        borne = {w for v in self.types.program.values if v.leaf for terms in self.terms(v) for t in terms for w in t.wires}
        return self.types.pinned - borne

    def whole(self, value: Value, axis: int) -> bool:
        """Whether an axis is taken as one block, whatever it is made of."""
        return False

    def terms(self, value: Value) -> tuple[tuple[Term, ...], ...]:
        """Return the terms of every axis of a value."""
        known = self._terms.get(value.index)
        if known is None:
            known = self._terms[value.index] = tuple(
                [(_one(n),) if self.whole(value, k) else self.types.terms(value, k) for k, n in enumerate(value.shape)]
            )
        return known

    def count(self, value: Value, axis: int) -> int:
        """Return the number of terms of an axis."""
        return len(self.terms(value)[axis])

    def single(self, value: Value) -> bool:
        """Whether a value has one cell only."""
        known = self._single.get(value.index)
        if known is None:
            known = self._single[value.index] = all(len(terms) == 1 for terms in self.terms(value))
        return known

    def cells(self, value: Value) -> list[Cell]:
        """Return every cell of a value.

        Raises:
            TooManyCells: If there are more than the limit.
        """
        known = self._cells.get(value.index)
        if known is None:
            counts = [len(terms) for terms in self.terms(value)]
            if prod(counts) > CELL_LIMIT:
                raise TooManyCells
            known = self._cells[value.index] = list(cartesian(*(range(n) for n in counts)))
        return known

    def wires(self, value: Value, axis: int, term: int) -> tuple[Leaf, ...]:
        """Return the wires of a term."""
        return self.terms(value)[axis][term].wires

    def term(self, value: Value, axis: int, term: int) -> Term:
        """Return a term of an axis."""
        return self.terms(value)[axis][term]

    def places(self, value: Value, cell: Cell) -> dict[Place, Leaf]:
        """Return the wire at every place of a cell."""
        return {(a, k): leaf for a, t in enumerate(cell) for k, leaf in enumerate(self.wires(value, a, t))}

    def letters(self, step: Instruction) -> Letters | None:
        """Return the letters of an instruction; see :func:`letters_of`."""
        key = id(step)
        if key not in self._letters:
            self._letters[key] = letters_of(step)
        return self._letters[key]

    def letter_terms(self, spec: Letters) -> dict[int, int]:
        """Return the number of terms under every letter."""
        return {
            letter: len(terms)
            for value, letters in zip(spec.values, spec.letters, strict=True)
            for terms, letter in zip(self.terms(value), letters, strict=True)
            if letter is not None
        }

    def letter_cells(self, spec: Letters) -> list[dict[int, int]]:
        """Return every choice of one term per letter.

        Raises:
            TooManyCells: If there are more than the limit.
        """
        if all(map(self.single, spec.values)):
            return [dict.fromkeys(spec.bearing, 0)]
        counts = self.letter_terms(spec)
        if prod(counts.values()) > CELL_LIMIT:
            raise TooManyCells
        return [dict(zip(counts, choice, strict=True)) for choice in cartesian(*(range(n) for n in counts.values()))]

    def cell_rows(self, spec: Letters) -> list[tuple[Cell, ...]]:
        """Return for every choice of one term per letter the cell of every operand and of the output.

        Raises:
            TooManyCells: If there are more than the limit.
        """
        if all(map(self.single, spec.values)):
            return [spec.first]
        choices = self.letter_cells(spec)
        return [tuple(tuple(0 if c is None else choice[c] for c in letters) for letters in spec.letters) for choice in choices]

    def moving(self, spec: Letters) -> list[Moving]:
        """Return every letter, with what bears it and a place of it, on whose wire something may act."""
        known = self._moving.get(id(spec))
        if known is None:
            known = self._moving[id(spec)] = [
                (letter, bearing, t, k)
                for letter, bearing in spec.bearing.items()
                for value, axis in [next(place for place in bearing if place is not None)]
                for t, term in enumerate(self.terms(value)[axis])
                for k, wire in enumerate(term.wires)
                if wire not in self.still
            ]
        return known

    def links(self, step: Instruction, operand: int) -> list[Link]:
        """Return how the cells of an operand continue in the output.

        Raises:
            TooManyCells: If there are more than the limit.
        """
        key = (id(step), operand)
        if key not in self._links:
            self._links[key] = self._make_links(step, operand)
        return self._links[key]

    def _make_links(self, step: Instruction, operand: int) -> list[Link]:
        x, out = operands(step)[operand], result(step)
        if out is None:
            return []
        if isinstance(step, Slice | Cat):
            start = -step.start if isinstance(step, Slice) else sum(v.shape[step.dim] for v in step.xs[:operand])
            return self._shifted_links(x, out, step.dim, start)
        spec = self.letters(step)
        if spec is None:
            return self._reshape_links(x, out) if isinstance(step, Reshape) else []
        mine = spec.letters[operand]
        seen: dict[tuple[Cell, Cell], Link] = {}
        where = {c: a for a, c in enumerate(spec.out)}
        for cells in self.cell_rows(spec):
            x_cell, out_cell = cells[operand], cells[-1]
            if (x_cell, out_cell) in seen:
                continue
            places = {
                (a, k): (where[c], k)
                for a, c in enumerate(mine)
                if c is not None and c in where
                for k in range(len(self.wires(x, a, x_cell[a])))
            }
            seen[x_cell, out_cell] = Link(x_cell, out_cell, places)
        return list(seen.values())

    def _shifted_links(self, x: Value, out: Value, dim: int, shift: int) -> list[Link]:
        gone: set[Place] = set()
        if self.whole(x, dim) or self.whole(out, dim):
            if self.count(x, dim) > 1 or self.count(out, dim) > 1:
                return []
            match = {0: 0}
            gone = {(dim, 0)} if x.shape[dim] < out.shape[dim] or out.shape[dim] == 1 else set()
        else:
            starts = {term.start: j for j, term in enumerate(self.types.terms(out, dim))}
            match = {
                i: starts[term.start + shift]
                for i, term in enumerate(self.types.terms(x, dim))
                if term.start + shift in starts and term.wires == self.wires(out, dim, starts[term.start + shift])
            }
        links = []
        for cell in self.cells(x):
            if cell[dim] in match:
                places = {place: place for place in self.places(x, cell) if place not in gone}
                links.append(Link(cell, (*cell[:dim], match[cell[dim]], *cell[dim + 1 :]), places))
        return links

    def _reshape_links(self, x: Value, out: Value) -> list[Link]:
        per_segment = [self._segment(x, out, ins, outs) for ins, outs in segments(x.shape, out.shape)]
        if prod(len(p) for p in per_segment) > CELL_LIMIT:
            raise TooManyCells
        links = []
        for combo in cartesian(*per_segment):
            x_cell, out_cell, places = [0] * len(x.shape), [0] * len(out.shape), {}
            for before, behind, moved in combo:
                for axis, term in before.items():
                    x_cell[axis] = term
                for axis, term in behind.items():
                    out_cell[axis] = term
                places.update(moved)
            links.append(Link(tuple(x_cell), tuple(out_cell), places))
        return links

    def _segment(self, x: Value, out: Value, ins: list[int], outs: list[int]) -> list[Pairing]:
        """Return the pairs of terms of one run of axes before and behind a reshape, and which place becomes which."""
        if any(self.whole(x, a) for a in ins) or any(self.whole(out, a) for a in outs):
            if any(self.count(x, a) > 1 for a in ins) or any(self.count(out, a) > 1 for a in outs):
                return []
            one, two = ([a for a in axes if v.shape[a] > 1] for v, axes in ((x, ins), (out, outs)))
            both = len(one) == len(two) == 1 and self.whole(x, one[0]) and self.whole(out, two[0])
            return [(dict.fromkeys(ins, 0), dict.fromkeys(outs, 0), {(one[0], 0): (two[0], 0)} if both else {})]
        after = {key: (choice, places) for key, choice, places in self._flat(out, outs)}
        pairs = []
        for key, choice, places in self._flat(x, ins):
            if key in after:
                other, targets = after[key]
                pairs.append((choice, other, dict(zip(places, targets, strict=True))))
        return pairs

    def _flat(self, value: Value, axes: list[int]) -> list[tuple[tuple, dict[int, int], list[Place]]]:
        """Return the terms of several axes flattened: a key, the chosen terms, and the places in order."""
        out: list[tuple[int, tuple, dict[int, int], list[Place]]] = [(0, (), {}, [])]
        inner = prod(value.shape[a] for a in axes)
        for a in axes:
            inner //= value.shape[a]
            out = [
                (
                    start + term.start * inner,
                    wires + tuple((leaf, s * inner) for leaf, s in zip(term.wires, term.strides, strict=True)),
                    choice | {a: t},
                    places + [(a, k) for k in range(len(term.wires))],
                )
                for start, wires, choice, places in out
                for t, term in enumerate(self.types.terms(value, a))
            ]
            if len(out) > CELL_LIMIT:
                raise TooManyCells
        return [((start, wires), choice, places) for start, wires, choice, places in out]


def _one(n: int) -> Term:
    return Term(0, (), ()) if n == 1 else Term(0, (Leaf(n),), (1,))


class PositionsWhole(Ground):
    """The same ground with pinned axes, such as positions in a sequence, taken whole."""

    def whole(self, value: Value, axis: int) -> bool:
        """Whether an axis has several blocks and nothing acts on it."""
        terms = self.types.terms(value, axis)
        return len(terms) > 1 and all(wire in self.types.pinned for term in terms for wire in term.wires)


class AllWhole(Ground):
    """The same ground with every axis taken whole, for shifts that run through all blocks at once."""

    def whole(self, value: Value, axis: int) -> bool:
        """Return True."""
        return True
