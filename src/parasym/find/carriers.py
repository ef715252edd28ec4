"""Where a constant can move from one parameter to others: shifts that later sums absorb.

A shift of a parameter is followed through every operation that reads it. It must arrive as a vector that is
constant along all other axes, and on every path something must take it away: a normalization that does not see it, or
another parameter that is added to the same sum and to nothing else.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace

from parasym.find.links import Cell, Ground, Link, Place, TooManyCells
from parasym.find.nulls import NullDirections
from parasym.find.slots import slot_of
from parasym.rules.program import (
    Cat,
    Contract,
    Expand,
    Fixed,
    Fn,
    Instruction,
    Kind,
    Normalize,
    Permute,
    Pin,
    Pointwise,
    Reduce,
    Reshape,
    Slice,
    Value,
    operands,
    result,
)
from parasym.symmetry import Along, Through

_DEPTH = 60
_PATHS = 12


@dataclass(frozen=True)
class Carrier:
    """A parameter whose shift reaches a cell as a vector, constant along everything else.

    Attributes:
        source: Index of the parameter's value.
        cell: Cell of the parameter.
        run: Places of that cell along which the shift runs.
        at: The places along which it runs where it has arrived.
        sign: Its sign there.
        through: What it went through.
    """

    source: int
    cell: Cell
    run: tuple[Place, ...]
    at: tuple[Place, ...]
    sign: int = 1
    through: tuple[Through | Along, ...] = ()


@dataclass(frozen=True)
class Exchange:
    """A parameter that gives a constant and the parameters that take it."""

    source: Carrier
    sinks: tuple[tuple[Carrier, Carrier], ...]
    """Pairs of the source as it arrives and the sink that cancels it there."""


@dataclass
class _Use:
    step: Instruction
    operand: int
    link: Link | None


@dataclass
class _Search:
    """What one attempt to absorb a shift has used so far."""

    sinks: list[tuple[Carrier, Carrier]] = field(default_factory=list)
    seen: set[tuple[int, Cell]] = field(default_factory=set)


class _Blocked(Exception):
    """A path on which nothing absorbs the shift."""


class Carriers:
    """All ways in which a constant can move from one parameter to others.

    Args:
        ground: Types and places.
        nulls: What later operations do not see.
    """

    def __init__(self, ground: Ground, nulls: NullDirections) -> None:
        self.ground = ground
        self.nulls = nulls
        self.exchanges: list[Exchange] = []
        program = ground.types.program
        self._values = program.values
        self._outputs = {v.index for v in program.outputs}
        self._sums: set[tuple[int, int]] = set()
        self._made = {out.index: step for step in program.code if (out := result(step)) is not None}
        self._readers: dict[int, list[tuple[Instruction, int]]] = defaultdict(list)
        self._uses: dict[tuple[int, Cell], list[_Use]] = {}
        self._lost: set[int] = set(program.loops)
        self._direct: dict[tuple[int, Cell], list[Carrier]] = {}
        for step in program.code:
            self._read(step)
        leaves = [v for v in self._values if v.leaf and v.offset == 0 and v.index not in self._lost]
        for value in leaves:
            self._start(value)
        carrying = {index for index, _ in self._direct}
        for step in program.code:
            if any(x.index in carrying for x in operands(step)):
                carrying.update(self._advance(step))
        for value in leaves:
            for cell in self._cells(value):
                for carrier in self._runs(value, cell):
                    self._try(value, cell, carrier)

    def _cells(self, value: Value) -> list[Cell]:
        try:
            return self.ground.cells(value)
        except TooManyCells:
            return []

    def _read(self, step: Instruction) -> None:
        out = result(step)
        if isinstance(step, Normalize) and step.sums_to_one and out is not None:
            self._sums.update((out.index, a) for a in step.dims)
        for operand, x in enumerate(operands(step)):
            if out is None or isinstance(step, Pin) or not self._continues(step, operand, (x, out)):
                self._lost.add(x.index)
                continue
            if any(index == x.index for index, _ in self._sums):
                self._pass_sums(step, x, out, self.ground.links(step, operand))
            self._readers[x.index].append((step, operand))

    def _continues(self, step: Instruction, operand: int, ends: tuple[Value, Value]) -> bool:
        """Whether any cell of an operand continues in the output."""
        if self.ground.letters(step) is not None and all(self.ground.single(value) for value in ends):
            return True
        try:
            return bool(self.ground.links(step, operand))
        except TooManyCells:
            return False

    def _uses_of(self, index: int, cell: Cell) -> list[_Use]:
        """Return what reads a cell; an operand that cannot be followed is lost, and asked for no more."""
        known = self._uses.get((index, cell))
        if known is None:
            known = self._uses[index, cell] = [
                _Use(step, operand, link)
                for step, operand in self._readers[index]
                for link in self.ground.links(step, operand)
                if link.x_cell == cell
            ]
        return known

    def _pass_sums(self, step: Instruction, x: Value, out: Value, links: list[Link]) -> None:
        if not isinstance(step, Reshape | Permute | Expand) or len(links) != 1:
            return
        for axis in range(len(x.shape)):
            if (x.index, axis) in self._sums:
                targets = {t for p, t in links[0].places.items() if p[0] == axis}
                sources = {p for p, t in links[0].places.items() if t[0] in {u[0] for u in targets}}
                if targets and all(p[0] == axis for p in sources) and len({t[0] for t in targets}) == 1:
                    self._sums.add((out.index, next(iter(targets))[0]))

    # -- sinks: parameters that reach a sum by a path of their own ----------------------------------

    def _runs(self, value: Value, cell: Cell) -> list[Carrier]:
        axes = [tuple((a, k) for k in range(len(self.ground.wires(value, a, t)))) for a, t in enumerate(cell)]
        runs = [run for run in axes if run]
        whole = [tuple(place for run in runs for place in run)] if len(runs) > 1 else []
        parts = [(place,) for run in runs if len(run) > 1 for place in run]
        return [Carrier(value.index, cell, run, run) for run in (*runs, *whole, *parts)]

    def _start(self, value: Value) -> None:
        for cell in self._cells(value):
            self._direct[value.index, cell] = self._runs(value, cell)

    def _alone(self, x: Value, cell: Cell) -> bool:
        return len(self._uses_of(x.index, cell)) == 1 and x.index not in self._outputs | self._lost

    def _advance(self, step: Instruction) -> set[int]:
        """Take shifts through an instruction; return the value they arrive in."""
        out = result(step)
        if out is None or out.index in self._lost:
            return set()
        for operand, x in enumerate(operands(step)):
            for cell in self._cells(x):
                if not self._direct.get((x.index, cell)) or not self._alone(x, cell):
                    continue
                use = self._uses_of(x.index, cell)[0]
                if use.step is not step or use.operand != operand or use.link is None:
                    continue
                moved = [self._carry(use, old) for old in self._direct[x.index, cell]]
                here = self._direct.setdefault((out.index, use.link.out_cell), [])
                here += [c for c in moved if c is not None and not c.through]
        return {out.index}

    # -- sources: depth first, until every path is absorbed -------------------------------------------

    def _try(self, value: Value, cell: Cell, carrier: Carrier) -> None:
        search = _Search()
        try:
            self._absorb(value, cell, carrier, search, _DEPTH)
        except _Blocked:
            return
        if search.sinks:
            self.exchanges.append(Exchange(carrier, tuple(search.sinks)))

    def _absorb(self, value: Value, cell: Cell, c: Carrier, search: _Search, depth: int) -> None:
        if self._invisible(value, cell, c):
            return
        again = (value.index, cell) in search.seen
        if not depth or value.index in self._outputs | self._lost or again or len(search.sinks) > _PATHS:
            raise _Blocked
        search.seen.add((value.index, cell))
        for use in self._uses_of(value.index, cell):
            out = result(use.step)
            moved = self._carry(use, c)
            if moved is None or out is None or use.link is None:
                raise _Blocked
            if self._cancel(use, out, moved, search):
                continue
            self._absorb(out, use.link.out_cell, moved, search, depth - 1)

    def _invisible(self, value: Value, cell: Cell, c: Carrier) -> bool:
        return any(not still & set(c.at) for still in self.nulls.of(value, cell) or ())

    def _cancel(self, use: _Use, out: Value, moved: Carrier, search: _Search) -> bool:
        step = use.step
        if not isinstance(step, Pointwise) or step.fn is not Fn.ADD or use.link is None:
            return False
        for sink in self._direct.get((out.index, use.link.out_cell), []):
            if sink.at != moved.at or (sink.source, sink.cell) == (moved.source, moved.cell):
                continue
            # Of two parameters that meet directly only the first is the source: the other way is the inverse.
            if (
                not moved.through
                and not search.sinks
                and len(self._uses_of(moved.source, moved.cell)) == 1
                and sink.source < moved.source
            ):
                continue
            if any(sink.source == other.source and sink.cell == other.cell for _, other in search.sinks):
                continue
            if not self._arrives_here(step, use.operand, sink):
                continue
            search.sinks.append((moved, sink))
            return True
        return False

    def _arrives_here(self, step: Pointwise, operand: int, sink: Carrier) -> bool:
        """Whether a sink enters this very sum by another operand than the shift."""
        for k, x in enumerate(step.xs):
            if k != operand:
                for cell in self._cells(x):
                    if any((c.source, c.cell) == (sink.source, sink.cell) for c in self._direct.get((x.index, cell), ())):
                        return True
        return False

    # -- one instruction --------------------------------------------------------------------------

    def _carry(self, use: _Use, c: Carrier) -> Carrier | None:
        step, operand, link = use.step, use.operand, use.link
        assert link is not None
        moved = None
        out = result(step)
        if out is not None and not out.real:
            return None  # a position or a choice does not shift along
        if all(place in link.places for place in c.at):
            moved = replace(c, at=tuple(link.places[place] for place in c.at))
        if isinstance(step, Reshape | Permute | Expand | Slice | Cat):
            return moved if self._whole(step, c) else None
        if isinstance(step, Pointwise):
            return self._pointwise(step, operand, moved)
        if isinstance(step, Contract):
            return self._contract(step, operand, link, c, moved)
        if isinstance(step, Reduce):
            single = all(self.ground.count(step.x, a) == 1 for a in step.dims)
            return moved if step.fn in ("mean", "max") and single else None
        if isinstance(step, Fixed):
            kept = {x for x, _ in step.kept}
            single = all(self.ground.count(step.x, a) == 1 for a in range(len(step.x.shape)) if a not in kept)
            passes = (step.fn == "linear" and step.averaging) or step.fn == "max"
            return moved if passes and single else None
        return None

    def _whole(self, step: Instruction, c: Carrier) -> bool:
        """Whether a shift that is constant along the other axes stays so; a piece of a whole axis does not."""
        coarse_cut = isinstance(step, Slice) and self.ground.count(step.x, step.dim) == 1
        if coarse_cut and isinstance(step, Slice):
            return all(axis != step.dim for axis, _ in c.at)
        return not (isinstance(step, Cat) and self.ground.count(step.out, step.dim) == 1)

    def _pointwise(self, step: Pointwise, operand: int, moved: Carrier | None) -> Carrier | None:
        if moved is None:
            return None
        if step.fn is Fn.ADD or (step.fn is Fn.LINEAR and step.signs[0]):
            return replace(moved, sign=moved.sign * step.signs[operand])
        if step.fn is Fn.MUL and len(step.xs) == 2 and step.xs[0] is not step.xs[1]:
            along = self._vector(step, 1 - operand, moved)
            return None if along is None else replace(moved, through=(*moved.through, along))
        return None

    def _vector(self, step: Pointwise, operand: int, moved: Carrier) -> Along | None:
        """Return a factor that is a power of a leaf vector lying exactly along the run."""
        power = 1.0
        source = step.xs[operand]
        while not source.leaf:
            earlier = self._made.get(source.index)
            if isinstance(earlier, Reshape):
                source = earlier.x
            elif isinstance(earlier, Pointwise) and earlier.fn is Fn.POWER:
                power *= float(earlier.degree)
                source = earlier.xs[0]
            else:
                return None
        wide = [letter for letter, n in zip(step.letters[operand], step.xs[operand].shape, strict=True) if n > 1]
        axis = wide[0] if len(wide) == 1 else None
        if axis is None or len(source.shape) != 1 or source.index in self._lost:
            return None
        whole = tuple((axis, k) for k in range(len(self.ground.wires(step.out, axis, 0))))
        if self.ground.count(step.out, axis) != 1 or moved.at != whole:
            return None
        return Along(source.name, power, source.offset)

    def _contract(self, step: Contract, operand: int, link: Link, c: Carrier, moved: Carrier | None) -> Carrier | None:
        spec = self.ground.letters(step)
        assert spec is not None
        mine, theirs = spec.letters[operand], spec.letters[1 - operand]
        x, y = (step.x, step.y) if operand == 0 else (step.y, step.x)
        gone = [letter for letter in mine if letter not in spec.out]
        if any(self.ground.count(x, mine.index(letter)) > 1 for letter in gone):
            return None
        if any(letter not in theirs for letter in gone):
            return None
        if moved is not None and len(gone) == 1 and (y.index, theirs.index(gone[0])) in self._sums:
            return moved
        letters = {mine[axis] for axis, _ in c.at}
        if len(letters) != 1 or not letters <= set(gone) or y.kind is not Kind.PARAMETER or x is y:
            return None
        (letter,) = letters
        axis = mine.index(letter)
        if c.at != tuple((axis, k) for k in range(len(self.ground.wires(x, axis, link.x_cell[axis])))):
            return None
        rest = [a for a, m in enumerate(theirs) if m not in gone]
        if len(rest) != 1 or theirs[rest[0]] in mine or self.ground.count(y, rest[0]) != 1:
            return None
        slot_axis = theirs.index(letter)
        through = Through(y.name, slot_of(slot_axis, self.ground.term(y, slot_axis, 0), -1), rest[0])
        out_axis = spec.out.index(theirs[rest[0]])
        at = tuple((out_axis, k) for k in range(len(self.ground.wires(y, rest[0], 0))))
        return replace(c, at=at, through=(*c.through, through)) if at else None
