"""Where a constant can move from one parameter to another: shifts that a later sum absorbs."""

from collections import Counter
from dataclasses import dataclass, replace

from parasym.find.links import Cell, Ground, Link, Place, TooManyCells, letters_of
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
    Pointwise,
    Reduce,
    Reshape,
    Slice,
    Value,
    operands,
    result,
)
from parasym.symmetry import Along, Through

_MOST = 3


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


class Carriers:
    """All pairs of parameters between which a constant can move.

    A shift is followed only through values that nobody else reads, so that it is seen nowhere
    before it is absorbed.

    Args:
        ground: Types and places.
    """

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.pairs: list[tuple[Carrier, Carrier]] = []
        self._values = ground.types.program.values
        self._at: dict[tuple[int, Cell], list[Carrier]] = {}
        self._one: set[int] = set()
        self._sums: set[tuple[int, int]] = set()
        self._uses = self._count_uses()
        self._made = {out.index: step for step in ground.types.program.code if (out := result(step)) is not None}
        for value in self._values:
            if value.leaf and value.offset == 0:
                self._start(value)
        for step in ground.types.program.code:
            self._step(step)

    def _count_uses(self) -> Counter:
        uses: Counter = Counter()
        program = self.ground.types.program
        for value in program.outputs:
            uses[value.index] += 2
        for index in program.loops:
            uses[index] += 2
        for step in program.code:
            for operand, x in enumerate(operands(step)):
                try:
                    links = self.ground.links(step, operand)
                except TooManyCells:
                    links = []
                if not links:
                    uses[x.index] += 2
                for cell in {link.x_cell for link in links}:
                    uses[x.index, cell] += 1
        return uses

    def _alone(self, value: Value, cell: Cell) -> bool:
        return self._uses[value.index] == 0 and self._uses[value.index, cell] == 1

    def _start(self, value: Value) -> None:
        try:
            cells = self.ground.cells(value)
        except TooManyCells:
            return
        for cell in cells:
            axes = [tuple((a, k) for k in range(len(self.ground.wires(value, a, t)))) for a, t in enumerate(cell)]
            runs = [run for run in axes if run]
            if len(runs) > 1:
                runs.append(tuple(place for run in runs for place in run))
            self._at[value.index, cell] = [Carrier(value.index, cell, run, run) for run in runs]

    def _step(self, step: Instruction) -> None:
        out = result(step)
        if out is None or out.index in self.ground.types.program.loops:
            return
        if isinstance(step, Normalize) and step.sums_to_one:
            self._sums.update((out.index, a) for a in step.dims)
        arrived: dict[Cell, list[list[Carrier]]] = {}
        for operand, x in enumerate(operands(step)):
            try:
                links = self.ground.links(step, operand)
            except TooManyCells:
                return
            self._pass_sums(step, x, out, links)
            times = Counter(link.x_cell for link in links)
            for link in links:
                if times[link.x_cell] > 1:
                    continue
                if not self._alone(x, link.x_cell):
                    continue
                carried = [c for old in self._at.get((x.index, link.x_cell), []) if (c := self._carry(step, operand, link, old))]
                arrived.setdefault(link.out_cell, []).append(carried)
        for cell, groups in arrived.items():
            self._at[out.index, cell] = self._absorb(groups) if isinstance(step, Pointwise) else sum(groups, [])[:_MOST]

    def _absorb(self, groups: list[list[Carrier]]) -> list[Carrier]:
        """Pair what can be paired in a sum; return one direct carrier per run, or what is still under way."""
        kept: list[Carrier] = []
        for group in groups:
            for carrier in group:
                partner = next((k for k in kept if k.at == carrier.at and not (k.through and carrier.through)), None)
                if partner is None:
                    kept.append(carrier)
                    continue
                first, second = (carrier, partner) if carrier.through else (partner, carrier)
                self.pairs.append((first, second))
                if partner.through:
                    kept[kept.index(partner)] = carrier
        return kept[: 2 * _MOST]

    def _pass_sums(self, step: Instruction, x: Value, out: Value, links: list[Link]) -> None:
        if not isinstance(step, Reshape | Permute | Expand) or len(links) != 1:
            return
        for axis in range(len(x.shape)):
            if (x.index, axis) in self._sums:
                targets = {t for p, t in links[0].places.items() if p[0] == axis}
                sources = {p for p, t in links[0].places.items() if t[0] in {u[0] for u in targets}}
                if targets and all(p[0] == axis for p in sources) and len({t[0] for t in targets}) == 1:
                    self._sums.add((out.index, next(iter(targets))[0]))

    # -- one instruction --------------------------------------------------------------------------

    def _carry(self, step: Instruction, operand: int, link: Link, c: Carrier) -> Carrier | None:
        moved = None
        if all(place in link.places for place in c.at):
            moved = replace(c, at=tuple(link.places[place] for place in c.at))
        if isinstance(step, Reshape | Permute | Expand | Slice | Cat):
            return moved
        if isinstance(step, Pointwise):
            return self._pointwise(step, operand, moved)
        if isinstance(step, Contract):
            return self._contract(step, operand, link, c, moved)
        if isinstance(step, Reduce):
            single = all(self.ground.count(step.x, a) == 1 for a in step.dims)
            return moved if step.fn == "mean" and single else None
        if isinstance(step, Fixed):
            kept = {x for x, _ in step.kept}
            single = all(self.ground.count(step.x, a) == 1 for a in range(len(step.x.shape)) if a not in kept)
            return moved if step.fn == "linear" and step.averaging and single else None
        return None

    def _pointwise(self, step: Pointwise, operand: int, moved: Carrier | None) -> Carrier | None:
        if moved is None:
            return None
        if step.fn is Fn.ADD or (step.fn is Fn.LINEAR and step.signs[0]):
            return replace(moved, sign=moved.sign * step.signs[operand])
        if step.fn is Fn.MUL and len(step.xs) == 2:
            along = self._vector(step.xs[1 - operand], step, 1 - operand, moved)
            return None if along is None else replace(moved, through=(*moved.through, along))
        return None

    def _vector(self, value: Value, step: Pointwise, operand: int, moved: Carrier) -> Along | None:
        """Return a factor that is a power of a leaf vector lying exactly along the run."""
        power = 1.0
        shape = value.shape
        source = value
        while not source.leaf:
            earlier = self._made.get(source.index)
            if isinstance(earlier, Reshape):
                source = earlier.x
            elif isinstance(earlier, Pointwise) and earlier.fn is Fn.POWER:
                power *= float(earlier.degree)
                source = earlier.xs[0]
            else:
                return None
        wide = [k for k, n in enumerate(shape) if n > 1]
        lead = len(step.out.shape) - len(shape)
        axes = {place[0] for place in moved.at}
        if not source.leaf or len(wide) != 1 or axes != {wide[0] + lead} or len(source.shape) != 1:
            return None
        axis = wide[0] + lead
        if self.ground.count(step.out, axis) != 1 or moved.at != tuple((axis, k) for k in range(len(moved.at))):
            return None
        return Along(source.name, power, source.offset)

    def _contract(self, step: Contract, operand: int, link: Link, c: Carrier, moved: Carrier | None) -> Carrier | None:
        spec = letters_of(step)
        assert spec is not None
        mine, theirs = spec.letters[operand], spec.letters[1 - operand]
        x, y = (step.x, step.y) if operand == 0 else (step.y, step.x)
        gone = [letter for letter in mine if letter not in spec.out]
        if any(self.ground.count(x, mine.index(letter)) > 1 for letter in gone):
            return None
        if moved is not None and all((y.index, theirs.index(letter)) in self._sums for letter in gone) and len(gone) == 1:
            return moved
        letters = {mine[axis] for axis, _ in c.at}
        if len(letters) != 1 or not letters <= set(gone) or y.kind is not Kind.PARAMETER:
            return None
        (letter,) = letters
        axis = mine.index(letter)
        if c.at != tuple((axis, k) for k in range(len(self.ground.wires(x, axis, link.x_cell[axis])))):
            return None
        rest = [a for a, m in enumerate(theirs) if m not in gone]
        if len(rest) != 1 or theirs[rest[0]] in mine or self.ground.count(y, rest[0]) != 1:
            return None
        slot_axis = theirs.index(letter)
        term = self.ground.types.terms(y, slot_axis)[0]
        through = Through(y.name, slot_of(slot_axis, term, -1), rest[0])
        out_axis = spec.out.index(theirs[rest[0]])
        at = tuple((out_axis, k) for k in range(len(self.ground.wires(y, rest[0], 0))))
        return replace(c, at=at, through=(*c.through, through)) if at else None
