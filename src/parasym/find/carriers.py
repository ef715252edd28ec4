"""Where a constant can move from one parameter to others: shifts that later sums absorb.

A shift of a parameter is followed through every operation that reads it. It must arrive as a vector that is
constant along all other axes, and on every path something must take it away: a normalization that does not see it, or
another parameter that is added to the same sum and to nothing else.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from parasym.find.ground import Ground, Step
from parasym.find.nulls import NullDirections
from parasym.find.slots import slot_of
from parasym.find.structure import Cell, Place, TooManyCells
from parasym.find.template import Link, Template
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
    Pointwise,
    Reduce,
    Reshape,
    Slice,
    Value,
)
from parasym.symmetry import Along, Through

Passage = tuple[tuple[Place, ...], int]
_DEPTH = 60
_PATHS = 12


class Carrier(NamedTuple):
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


@dataclass(slots=True)
class _Use:
    step: Step
    operand: int
    link: Link


@dataclass
class _Search:
    """What one attempt to absorb a shift has used so far."""

    sinks: list[tuple[Carrier, Carrier]] = field(default_factory=list)
    seen: set[tuple[int, Cell]] = field(default_factory=set)


class Blocked(Exception):
    """A path on which nothing absorbs a shift.

    Attributes:
        value: Where it ends.
        step: The instruction that sees the shift, if it is not the value itself that must not move.
        path: The instructions up to there.
    """

    def __init__(self, value: Value, step: Step | None = None) -> None:
        super().__init__()
        self.value, self.step = value, step
        self.path = [] if step is None else [step]


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
        self.seen: dict[tuple[int, Cell, tuple[Place, ...]], Blocked] = {}
        """Where a shift along some places of a parameter's cell is seen, for every one that nothing absorbs."""
        program = ground.types.program
        self._values = program.values
        self._outputs = {v.index for v in program.outputs}
        self._sums: set[tuple[int, int]] = set()
        self._made = {step.out.index: step.code for step in ground.steps if step.out is not None}
        self._readers: dict[int, list[tuple[Step, int]]] = defaultdict(list)
        self._uses: dict[tuple[int, Cell], list[_Use]] = {}
        self._lost: set[int] = set(program.loops)
        self._direct: dict[tuple[int, Cell], list[Carrier]] = {}
        """Shifts of parameters as they arrive in a cell, unless something multiplied them on the way."""
        for step in ground.steps:
            self._read(step)
        leaves = [v for v in self._values if v.leaf and v.offset == 0 and v.index not in self._lost]
        for value in leaves:
            for cell in self._cells(value):
                self._direct[value.index, cell] = self._runs(value, cell)
        carrying = {index for index, _ in self._direct}
        for step in ground.steps:
            if any([x.index in carrying for x in step.xs]) and self._may_carry(step.code):
                carrying.update(self._advance(step))
        for value in leaves:
            for cell in self._cells(value):
                for carrier in self._direct[value.index, cell]:
                    self._try(value, cell, carrier)

    def _cells(self, value: Value) -> list[Cell]:
        try:
            return self.ground.cells(value)
        except TooManyCells:
            return []

    def _read(self, step: Step) -> None:
        out, code = step.out, step.code
        if isinstance(code, Normalize) and code.sums_to_one and out is not None:
            self._sums.update((out.index, a) for a in code.dims)
        for operand, x in enumerate(step.xs):
            links = None if out is None else _links(step.template, operand)
            if not links or out is None:
                self._lost.add(x.index)
                continue
            if self._sums and any(index == x.index for index, _ in self._sums):
                self._pass_sums(code, x, out, links)
            self._readers[x.index].append((step, operand))

    def _uses_of(self, index: int, cell: Cell) -> list[_Use]:
        """Return what reads a cell; an operand that cannot be followed is lost, and asked for no more."""
        known = self._uses.get((index, cell))
        if known is None:
            known = self._uses[index, cell] = [
                _Use(step, operand, link)
                for step, operand in self._readers[index]
                for link in step.template.links(operand)
                if link.x_cell == cell
            ]
        return known

    def _pass_sums(self, step: Instruction, x: Value, out: Value, links: list[Link]) -> None:
        if not isinstance(step, (Reshape, Permute, Expand)) or len(links) != 1:
            return
        for axis in range(len(x.shape)):
            if (x.index, axis) in self._sums:
                targets = {t for p, t in links[0].places.items() if p[0] == axis}
                sources = {p for p, t in links[0].places.items() if t[0] in {u[0] for u in targets}}
                if targets and all(p[0] == axis for p in sources) and len({t[0] for t in targets}) == 1:
                    self._sums.add((out.index, next(iter(targets))[0]))

    # -- sinks: parameters that reach a sum by a path of their own ----------------------------------

    def _runs(self, value: Value, cell: Cell) -> list[Carrier]:
        structure = self.ground.structure(value)
        runs = [run for a in range(len(cell)) if (run := structure.run(a, cell))]
        whole = [tuple(place for run in runs for place in run)] if len(runs) > 1 else []
        parts = [(place,) for run in runs if len(run) > 1 for place in run]
        return [Carrier(value.index, cell, run, run) for run in (*runs, *whole, *parts)]

    def _may_carry(self, code: Instruction) -> bool:
        """Whether a shift may come through an instruction without being multiplied."""
        product = isinstance(code, Pointwise) and code.fn is Fn.MUL
        return not product and (bool(self._sums) or not isinstance(code, Contract))

    def _alone(self, x: Value, cell: Cell) -> bool:
        return x.index not in self._outputs and x.index not in self._lost and len(self._uses_of(x.index, cell)) == 1

    def _advance(self, step: Step) -> set[int]:
        """Take shifts through an instruction; return the value they arrive in."""
        out = step.out
        if out is None or out.index in self._lost:
            return set()
        for operand, x in enumerate(step.xs):
            for cell in self._cells(x):
                if not self._direct.get((x.index, cell)) or not self._alone(x, cell):
                    continue
                use = self._uses_of(x.index, cell)[0]
                if use.step is not step or use.operand != operand:
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
        except Blocked as seen:
            self.seen.setdefault((value.index, cell, carrier.run), seen)
            return
        if search.sinks:
            self.exchanges.append(Exchange(carrier, tuple(search.sinks)))

    def _absorb(self, value: Value, cell: Cell, c: Carrier, search: _Search, depth: int) -> None:
        if self._invisible(value, cell, c):
            return
        again = (value.index, cell) in search.seen
        lost = value.index in self._outputs or value.index in self._lost
        if not depth or lost or again or len(search.sinks) > _PATHS:
            raise Blocked(value)
        search.seen.add((value.index, cell))
        for use in self._uses_of(value.index, cell):
            out = use.step.out
            moved = self._carry(use, c)
            if moved is None or out is None:
                raise Blocked(value, use.step)
            if self._cancel(use, out, moved, search):
                continue
            try:
                self._absorb(out, use.link.out_cell, moved, search, depth - 1)
            except Blocked as seen:
                seen.path.insert(0, use.step)
                raise

    def _invisible(self, value: Value, cell: Cell, c: Carrier) -> bool:
        return any(not still & set(c.at) for still in self.nulls.of(value, cell) or ())

    def _cancel(self, use: _Use, out: Value, moved: Carrier, search: _Search) -> bool:
        step = use.step.code
        if not isinstance(step, Pointwise) or step.fn is not Fn.ADD:
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
        code, template, operand, link = use.step.code, use.step.template, use.operand, use.link
        key = (_passage, operand, link.x_cell, link.out_cell, c.at)
        if key not in template.known:
            template.known[key] = _passage(template, operand, link, c.at)
        passed = template.known[key]
        if isinstance(code, Contract):
            return self._contract(code, operand, link, c, passed)
        if passed is None:
            return None
        at, sign = passed
        if isinstance(code, Pointwise) and code.fn is Fn.MUL:
            along = [self._vector(code, k, at) for k in range(len(code.xs)) if k != operand]
            if not along or None in along:
                return None
            return c._replace(at=at, through=(*c.through, *(a for a in along if a is not None)))
        return c if sign == 1 and at == c.at else Carrier(c.source, c.cell, c.run, at, c.sign * sign, c.through)

    def _vector(self, step: Pointwise, operand: int, at: tuple[Place, ...]) -> Along | None:
        """Return a factor that is a power of a leaf vector lying exactly along the run."""
        power = float(step.degrees[operand])
        source = step.xs[operand]
        while not source.leaf:
            earlier = self._made.get(source.index)
            if isinstance(earlier, Reshape):
                source = earlier.x
            elif isinstance(earlier, Pointwise) and earlier.fn is Fn.MUL and len(earlier.xs) == 1:
                power *= float(earlier.degrees[0])
                source = earlier.xs[0]
            else:
                return None
        wide = [letter for letter, n in zip(step.letters[operand], step.xs[operand].shape, strict=True) if n > 1]
        axis = wide[0] if len(wide) == 1 else None
        if axis is None or len(source.shape) != 1 or source.index in self._lost:
            return None
        out = self.ground.structure(step.out)
        if out.counts[axis] != 1 or at != out.run(axis, out.first):
            return None
        return Along(source.name, power, source.offset)

    def _contract(self, step: Contract, operand: int, link: Link, c: Carrier, passed: Passage | None) -> Carrier | None:
        mine, theirs = (step.x_letters, step.y_letters) if operand == 0 else (step.y_letters, step.x_letters)
        x, y = (step.x, step.y) if operand == 0 else (step.y, step.x)
        if y.kind is not Kind.PARAMETER and not self._sums:
            return None
        gone = [letter for letter in mine if letter not in step.out_letters]
        if not step.out.real or any(self.ground.count(x, mine.index(letter)) > 1 for letter in gone):
            return None
        if any(letter not in theirs for letter in gone):
            return None
        if passed is not None and len(gone) == 1 and (y.index, theirs.index(gone[0])) in self._sums:
            return c._replace(at=passed[0])
        letters = {mine[axis] for axis, _ in c.at}
        if len(letters) != 1 or not letters <= set(gone) or y.kind is not Kind.PARAMETER or x is y:
            return None
        (letter,) = letters
        axis = mine.index(letter)
        if c.at != self.ground.structure(x).run(axis, link.x_cell):
            return None
        rest = [a for a, m in enumerate(theirs) if m not in gone]
        if len(rest) != 1 or theirs[rest[0]] in mine or self.ground.count(y, rest[0]) != 1:
            return None
        slot_axis = theirs.index(letter)
        through = Through(y.name, slot_of(slot_axis, self.ground.term(y, slot_axis, 0), -1), rest[0])
        out_axis = step.out_letters.index(theirs[rest[0]])
        at = tuple((out_axis, k) for k in range(len(self.ground.wires(y, rest[0], 0))))
        return c._replace(at=at, through=(*c.through, through)) if at else None


def _links(template: Template, operand: int) -> list[Link]:
    try:
        return template.links(operand)
    except TooManyCells:
        return []


def _passage(template: Template, operand: int, link: Link, at: tuple[Place, ...]) -> Passage | None:
    """Return where a shift along some places arrives, and with which sign, as far as the form of an instruction tells."""
    step = template.step
    if not template.out.real:
        return None  # a position or a choice does not shift along
    if not all(place in link.places for place in at):
        return None
    arrived = tuple(link.places[place] for place in at)
    sign = 1
    x = template.structures[operand]
    if isinstance(step, Slice):  # a shift of a piece of a whole axis is not constant along it
        passes = x.counts[step.dim] > 1 or all(axis != step.dim for axis, _ in at)
    elif isinstance(step, Cat):
        passes = template.out.counts[step.dim] > 1
    elif isinstance(step, Pointwise):
        linear = step.fn is Fn.ADD or (step.fn is Fn.LINEAR and step.signs[0] != 0)
        sign = step.signs[operand] if linear else 1
        once = step.fn is Fn.MUL and step.degrees[operand] == 1 and len({v.index for v in step.xs}) == len(step.xs)
        passes = linear or once
    elif isinstance(step, Reduce):
        passes = step.fn in ("mean", "max") and all(x.counts[a] == 1 for a in step.dims)
    elif isinstance(step, Fixed):
        kept = {axis for axis, _ in step.kept}
        single = all(n == 1 for a, n in enumerate(x.counts) if a not in kept)
        passes = single and ((step.fn == "linear" and step.averaging) or step.fn == "max")
    else:
        passes = isinstance(step, (Reshape, Permute, Expand, Contract))
    return (arrived, sign) if passes else None
