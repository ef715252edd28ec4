"""Where a constant can move from one parameter to others: shifts that later sums absorb.

A shift of a parameter is followed through every operation that reads it. On every path something must take it away: a
normalization that does not see it, or another parameter that is added to the same sum. A parameter that takes a shift is moved
itself, so all that reads it must be one of the sums where it does so, each as often as the shift arrives there.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from parasym.find.carrier import Carrier, Open
from parasym.find.gains import Gains
from parasym.find.ground import Ground, Step
from parasym.find.nulls import NullDirections
from parasym.find.passing import Passing, subtracts
from parasym.find.structure import Cell, Place, TooManyCells
from parasym.find.sums import Sums
from parasym.find.template import Link, Template
from parasym.rules.program import Contract, Fn, Instruction, Pointwise, Value

DEPTH = 60
"""Operations through which a shift is followed, at most."""

PATHS = 64
"""Sums in which it is taken away, at most."""

TRIES = 400
"""Steps of the search that starts at one shift, at most."""
_NOTHING = (-1, ())
"""What parameters are exchanged with whose shifts are their own opposites."""


@dataclass(frozen=True)
class Exchange:
    """A parameter that gives a constant and the parameters that take it."""

    source: Carrier
    sinks: tuple[tuple[Carrier, Carrier], ...]
    """Pairs of the source as it arrives and a sink that cancels it there; a sink may cancel several at once."""


@dataclass(slots=True)
class _Use:
    step: Step
    operand: int
    link: Link
    lets: bool
    """Whether any shift may come through."""
    adds: bool
    """Whether it is a sum."""


class _Sum(NamedTuple):
    """A sum in which a sink takes a shift away.

    Attributes:
        value: Index of the sum.
        cell: Cell of it.
        source: Index of the sink.
        sink: Cell of the sink.

    Where a shift meets itself there is no sink; its index is -1.
    """

    value: int
    cell: Cell
    source: int
    sink: Cell


class _Search(NamedTuple):
    """What one attempt to absorb a shift has used so far; never modified.

    Attributes:
        sums: What arrives in which sums, with the sink as it arrives there.
        seen: The cells that the shift has reached.
        forked: Whether several instructions read what it went through, so that it may meet itself.
    """

    sums: tuple[tuple[_Sum, Carrier, Carrier], ...] = ()
    seen: frozenset[tuple[int, Cell]] = frozenset()
    forked: bool = False


class Blocked(NamedTuple):
    """Where a shift is seen that nothing absorbs.

    Attributes:
        value: Where its path ends.
        step: The instruction that sees the shift, if it is not the value itself that must not move.
        path: The instructions up to there.
    """

    value: Value
    step: Step | None
    path: tuple[Step, ...]


class _Escaped(Exception):
    """A path of a sink that does not end where it is wanted."""


class Carriers:
    """All ways in which a constant can move from one parameter to others.

    Args:
        ground: Types and places.
        nulls: What later operations do not see.
        sums: What sums to a known number.
    """

    def __init__(self, ground: Ground, nulls: NullDirections, sums: Sums) -> None:
        self.ground = ground
        self.nulls = nulls
        self.exchanges: list[Exchange] = []
        self.given_up: dict[str, dict[int, None]] = defaultdict(dict)
        """By the bound that was reached the parameters that have a shift which was not followed to its end."""
        self._seen: dict[tuple[int, Cell, tuple[Place, ...]], Blocked] = {}
        self._stopped: dict[tuple[int, Cell], Blocked] = {}
        """Cells whose shifts are all seen by the first instruction that reads them."""
        program = ground.types.program
        self._values = program.values
        self._outputs = {v.index for v in program.outputs}
        self._readers: dict[int, list[tuple[Step, int]]] = defaultdict(list)
        self._uses: dict[tuple[int, Cell], list[_Use]] = {}
        self._lost: set[int] = set(program.loops)
        self._tries = 0
        self._blocked: Blocked | None = None
        self._bound = ""
        self._joined: dict[tuple[int, Cell], tuple[int, Cell]] = {}
        """Of parameters that take each other's shifts directly, another one: they need no second way."""
        self._direct: dict[tuple[int, Cell], list[Carrier]] = {}
        """Shifts of parameters as they arrive in a cell, unless a parameter multiplied them on the way."""
        self._onwards: dict[tuple[int, Cell], list[tuple[_Use, list[Carrier]]]] = {}
        for step in ground.steps:
            self._read(step)
        self._gains = Gains(ground, sums)
        self._passing = Passing(ground, sums, self._lost)
        leaves = [v for v in self._values if v.leaf and v.offset == 0 and v.index not in self._lost]
        starts: dict[tuple[int, Cell], list[Carrier]] = {}
        for value in leaves:
            for cell in self._cells(value):
                stop = self._stop(value, cell)
                if stop is None:
                    starts[value.index, cell] = self._runs(value, cell)
                else:
                    self._stopped[value.index, cell] = stop
        self._direct |= {key: list(runs) for key, runs in starts.items()}
        carrying = {index for index, _ in self._direct}
        for step in self._towards_sums():
            if any([x.index in carrying for x in step.xs]):
                carrying.update(self._advance(step))
        for (index, cell), runs in starts.items():
            self._try_all(self._values[index], cell, runs)
        anywhere = {(e.source.source, e.source.cell) for e in self.exchanges if self._is_whole(e.source)}
        for carrier in self._gains.starts(self._passing.parameter):
            # What moves anywhere with others leaves it to them.
            if (carrier.source, carrier.cell) not in anywhere and carrier.source not in self._lost:
                found = self._try(self._values[carrier.source], carrier.cell, carrier)
                self.exchanges += [] if found is None else [found]

    def seen(self, value: Value) -> list[tuple[Cell, tuple[Place, ...], Blocked]]:
        """Return where shifts of a parameter are seen, along some places of a cell, for every one that nothing absorbs.

        Args:
            value: The parameter.
        """
        found = [(cell, run, blocked) for (index, cell, run), blocked in self._seen.items() if index == value.index]
        for (index, cell), blocked in self._stopped.items():
            if index == value.index:
                found += [(cell, c.run, blocked) for c in self._runs(value, cell)]
        return sorted(found, key=lambda one: len(one[1]))

    def _is_whole(self, c: Carrier) -> bool:
        return len(c.run) == len(self.ground.structure(self._values[c.source]).places(c.cell))

    def _stop(self, value: Value, cell: Cell) -> Blocked | None:
        """Return an instruction that lets no shift of a cell through, if there is one and no shift is hidden before."""
        if self.nulls.of(value, cell):
            return None
        for use in self._uses_of(value.index, cell):
            if not use.lets:
                assert use.step.out is not None
                return Blocked(use.step.out, use.step, (use.step,))
        return None

    def _cells(self, value: Value) -> list[Cell]:
        try:
            return self.ground.cells(value)
        except TooManyCells:
            if value.leaf:
                self.given_up["it is cut into so many blocks that their shifts are not followed"][value.index] = None
            return []

    def _read(self, step: Step) -> None:
        for operand, x in enumerate(step.xs):
            links = None if step.out is None else _links(step.template, operand)
            if not links:
                self._lost.add(x.index)
                continue
            self._readers[x.index].append((step, operand))

    def _uses_of(self, index: int, cell: Cell) -> list[_Use]:
        """Return what reads a cell; sums come last, as they leave a choice."""
        known = self._uses.get((index, cell))
        if known is None:
            known = [
                _Use(step, operand, link, self._passing.lets(step, operand), _adds(step.code))
                for step, operand in self._readers[index]
                for link in step.template.links(operand)
                if link.x_cell == cell
            ]
            if len(known) > 1:
                known.sort(key=lambda use: use.adds)
            self._uses[index, cell] = known
        return known

    def _carried(self, use: _Use, c: Carrier) -> list[Carrier]:
        """Return a shift as it arrives behind what reads it, in every form that is known."""
        if c.gained and isinstance(use.step.code, Contract):
            left = self._gains.met(use.step, use.operand, use.link, c, self._passing.through)
            return [] if left is None else [left]
        return list(self._passing.carried(use.step, use.operand, use.link, c)) if use.lets else []

    # -- sinks: parameters that reach a sum by paths of their own ----------------------------------

    def _runs(self, value: Value, cell: Cell) -> list[Carrier]:
        """Return the shifts of a cell: along all of its places, along one axis, along one place; of single numbers, the number.

        A constant over a whole vector is a shift of its own only where activations are taken from each other: a mean, say.
        """
        structure = self.ground.structure(value)
        runs = [run for a in range(len(cell)) if (run := structure.run(a, cell))]
        whole = [tuple(place for run in runs for place in run)] if len(runs) > 1 else []
        parts: list[tuple[Place, ...]] = [(place,) for run in runs if len(run) > 1 for place in run]
        parts += [()] if not runs or self._passing.subtracts else []
        sizes = {(a, k): wire.size for a, t in enumerate(cell) for k, wire in enumerate(self.ground.wires(value, a, t))}
        return [Carrier(value.index, cell, run, run, tuple(sizes[p] for p in run)) for run in (*whole, *runs, *parts)]

    def _may_carry(self, code: Instruction) -> bool:
        """Whether a shift may come through an instruction without being multiplied by a parameter."""
        if isinstance(code, Contract):
            return self._passing.meets(code.x) or self._passing.meets(code.y)
        return not (isinstance(code, Pointwise) and code.fn is Fn.MUL)

    def _towards_sums(self) -> list[Step]:
        """Return the instructions that may carry a shift into a sum, where it can take others away."""
        wanted: set[int] = set()
        steps: list[Step] = []
        for step in reversed(self.ground.steps):
            if step.out is not None and (step.out.index in wanted or _adds(step.code)) and self._may_carry(step.code):
                wanted.update([x.index for x in step.xs])
                steps.append(step)
        return steps[::-1]

    def _advance(self, step: Step) -> set[int]:
        """Take shifts through an instruction; return the value they arrive in."""
        out = step.out
        if out is None or out.index in self._lost:
            return set()
        arrived = False
        for x in dict.fromkeys(step.xs):
            if x.index in self._outputs or x.index in self._lost:
                continue
            for cell in self._cells(x):
                for use, moved in self._onward(x.index, cell):
                    if use.step is step:
                        self._direct.setdefault((out.index, use.link.out_cell), []).extend(moved)
                        arrived = True
        return {out.index} if arrived else set()

    def _onward(self, index: int, cell: Cell) -> list[tuple[_Use, list[Carrier]]]:
        """Return what arrives where a cell is read, of the shifts that all readers let through.

        Others must be taken away before.
        """
        known = self._onwards.get((index, cell))
        if known is None:
            uses = self._uses_of(index, cell)
            moved: list[list[Carrier]] = [[] for _ in uses]
            if all([use.lets for use in uses]):
                for c in self._direct.get((index, cell), ()):
                    arrived = [self._carried(use, c) for use in uses]
                    if all(arrived):
                        for found, forms in zip(moved, arrived, strict=True):
                            found += [form for form in forms if not form.through]
            known = self._onwards[index, cell] = [(use, found) for use, found in zip(uses, moved, strict=True) if found]
        return known

    # -- sources: depth first, until every path is absorbed -------------------------------------------

    def _try_all(self, value: Value, cell: Cell, runs: list[Carrier]) -> None:
        done: list[set[Place]] = []
        for carrier in runs:
            if any(set(carrier.run) <= run for run in done):
                continue
            found = self._try(value, cell, carrier)
            if found is not None:
                self.exchanges.append(found)
                done.append(set(carrier.run))

    def _try(self, value: Value, cell: Cell, carrier: Carrier) -> Exchange | None:
        self._tries, self._blocked, self._bound = TRIES, None, ""
        for search in self._absorbed(value, cell, carrier, _Search(), ()):
            if carrier.gained:
                early = any(form.gained for _, form, _ in search.sums)
                sinks = None if early else self._sinks(search) if search.sums else ()
            else:
                sinks = self._sinks(search) if search.sums else None
            if sinks is not None and self._is_new(found := Exchange(carrier, sinks)):
                return found
        if self._bound:
            self.given_up[self._bound][value.index] = None
        if self._blocked is not None and not carrier.gained:
            self._seen[value.index, cell, carrier.run] = self._blocked
        return None

    def _absorbed(self, value: Value, cell: Cell, c: Carrier, search: _Search, path: tuple[Step, ...]) -> Iterator[_Search]:
        """Yield every way in which all that reads a cell loses sight of a shift that came there on a path."""
        if self._invisible(value, cell, c):
            yield search
            return
        self._tries -= 1
        # Two paths that meet other than in a sum that takes both away may do so in a product: a square of the shift.
        again = (value.index, cell) in search.seen
        lost = value.index in self._outputs or value.index in self._lost
        bound = self._reached(len(path), len(search.sums))
        if lost or again or bound:
            self._bound = self._bound or bound
            self._blocked = self._blocked or Blocked(value, None, path)
            return
        uses = self._uses_of(value.index, cell)
        here = _Search(search.sums, search.seen | {(value.index, cell)}, search.forked or len(uses) > 1)
        yield from self._through_uses(uses, 0, c, here, path)

    def _through_uses(self, uses: list[_Use], k: int, c: Carrier, search: _Search, path: tuple[Step, ...]) -> Iterator[_Search]:
        """Do so for all that reads it from number ``k`` on."""
        if k == len(uses):
            yield search
            return
        use = uses[k]
        out, further = use.step.out, (*path, use.step)
        assert out is not None
        passes = False
        for moved in self._carried(use, c):
            passes = True
            if not moved.times:
                yield from self._through_uses(uses, k + 1, c, search, path)
                continue
            if use.adds:
                for after in self._cancelled(use, out, moved, search):
                    yield from self._through_uses(uses, k + 1, c, after, path)
            for after in self._absorbed(out, use.link.out_cell, moved, search, further):
                yield from self._through_uses(uses, k + 1, c, after, path)
        if not passes:
            self._blocked = self._blocked or Blocked(out, use.step, further)

    def _reached(self, operations: int, sums: int = 0) -> str:
        """Return which bound of the search is reached, if one is."""
        if self._tries < 0:
            return f"a shift of it was followed for {TRIES} steps, and there are more"
        if operations >= DEPTH:
            return f"a shift of it was followed through {DEPTH} operations, and there are more"
        return f"a shift of it is taken away in {PATHS} sums, and there are more" if sums > PATHS else ""

    def _invisible(self, value: Value, cell: Cell, c: Carrier) -> bool:
        nulls = self.nulls.of(value, cell)
        return bool(nulls) and any(still.isdisjoint(c.places) for still in nulls)

    def _cancelled(self, use: _Use, out: Value, moved: Carrier, search: _Search) -> Iterator[_Search]:
        """Yield every way in which a sum takes a shift away."""
        cell = use.link.out_cell
        if search.forked and subtracts(use.step.code):  # what arrives on two ways may be its own opposite
            yield search._replace(sums=(*search.sums, (_Sum(out.index, cell, -1, ()), moved, moved)))
        forms = [moved]
        while any(isinstance(p, Open) for p in forms[-1].at) and (further := self._passing.unfolded(forms[-1])) is not None:
            forms.append(further)
        sinks = [s for s in self._direct.get((out.index, cell), []) if (s.source, s.cell) != (moved.source, moved.cell)]
        # The later ones first: of two parameters that meet directly the first is then the source.
        for sink in (*(s for s in sinks if s.source > moved.source), *(s for s in sinks if s.source < moved.source)):
            for form in forms:
                if not _same_place(form, sink):
                    continue
                here = _Sum(out.index, cell, sink.source, sink.cell)
                yield search._replace(sums=(*search.sums, (here, form, sink)))

    # -- whether what takes a shift is seen by nothing else ---------------------------------------------

    def _sinks(self, search: _Search) -> tuple[tuple[Carrier, Carrier], ...] | None:
        """Return by what every sink has to be shifted, if that takes away all that arrives, everywhere alike."""
        sinks: dict[tuple[int, Cell], dict[_Sum, list[tuple[Carrier, Carrier]]]] = {}
        for here, form, sink in search.sums:
            sinks.setdefault((here.source, here.sink), {}).setdefault(here, []).append((form, sink))
        found = [self._shift_of(wanted) for wanted in sinks.values()]
        return None if None in found else tuple([pair for pairs in found for pair in pairs or ()])

    def _shift_of(self, wanted: dict[_Sum, list[tuple[Carrier, Carrier]]]) -> list[tuple[Carrier, Carrier]] | None:
        """Return what a sink has to take away: the sum of all that arrives, over how often it comes there itself."""
        if next(iter(wanted)).source < 0:
            return [] if all(_nothing([form for form, _ in pairs]) for pairs in wanted.values()) else None
        source, sink = next(iter(wanted.values()))[0]
        at = {here: pairs[0][1].at for here, pairs in wanted.items()}
        if any(s.run != sink.run or s.at != at[here] for here, pairs in wanted.items() for _, s in pairs):
            return None
        start = Carrier(sink.source, sink.cell, sink.run, sink.run, sink.sizes)
        try:
            met = self._met(self._values[sink.source], sink.cell, start, at, DEPTH)
        except _Escaped:
            return None
        needs = []
        for here, pairs in wanted.items():
            if not met.get(here):
                return None
            need: dict[Any, Fraction] = {}
            for form, s in pairs:
                key = (form.through, tuple(s.at.index(p) for p in form.at), form.sizes)
                need[key] = need.get(key, Fraction(0)) + Fraction(form.times) / met[here]
            needs.append({key: times for key, times in need.items() if times})
        if not needs[0] or any(need != needs[0] for need in needs):
            return None
        return [
            (source._replace(at=tuple(start.at[k] for k in order), sizes=sizes, riders=(), times=times, through=through), start)
            for (through, order, sizes), times in needs[0].items()
        ]

    def _met(
        self, value: Value, cell: Cell, c: Carrier, at: dict[_Sum, tuple[Place | Open, ...]], depth: int
    ) -> dict[_Sum, int | Fraction]:
        """Return with which factor a sink arrives in the sums where it is wanted, if all of its paths end there.

        Raises:
            _Escaped: If one does not.
        """
        if self._invisible(value, cell, c):
            return {}
        self._tries -= 1
        bound = self._reached(DEPTH - depth)
        if bound or value.index in self._outputs or value.index in self._lost:
            self._bound = self._bound or bound
            raise _Escaped
        found: dict[_Sum, int | Fraction] = {}
        for use in self._uses_of(value.index, cell):
            out = use.step.out
            assert out is not None
            here = _Sum(out.index, use.link.out_cell, c.source, c.cell)
            moved = [m for m in self._carried(use, c) if not m.through]
            moved = [m for m in moved if m.at == at[here]] if here in at else moved
            if not moved:
                raise _Escaped
            ends = {here: moved[0].times} if here in at else self._met(out, use.link.out_cell, moved[0], at, depth - 1)
            for end, times in ends.items():
                found[end] = found.get(end, 0) + times
        return found

    def _is_new(self, exchange: Exchange) -> bool:
        """Whether an exchange is not made of earlier ones: pairs of parameters that are added directly form a tree."""
        if exchange.source.gained or len(exchange.sinks) > 1 or any(arrived.through for arrived, _ in exchange.sinks):
            return True
        (sink,) = [(s.source, s.cell) for _, s in exchange.sinks] or [_NOTHING]
        a, b = self._root((exchange.source.source, exchange.source.cell)), self._root(sink)
        self._joined[a] = b
        return a != b

    def _root(self, key: tuple[int, Cell]) -> tuple[int, Cell]:
        while self._joined.get(key, key) != key:
            key = self._joined[key]
        return key


def _adds(code: Instruction) -> bool:
    return isinstance(code, Pointwise) and code.fn is Fn.ADD


def _nothing(forms: list[Carrier]) -> bool:
    """Whether shifts that arrive in one sum take each other away."""
    total: dict[Any, int | Fraction] = {}
    for form in forms:
        key = form.at, form.sizes, form.riders, form.through
        total[key] = total.get(key, 0) + form.times
    return not any(total.values())


def _same_place(a: Carrier, b: Carrier) -> bool:
    """Whether two shifts lie along the same places, and are open on the same activations."""
    return len(a.at) == len(b.at) and set(a.at) == set(b.at) and a.riders == b.riders


def _links(template: Template, operand: int) -> list[Link]:
    try:
        return template.links(operand)
    except TooManyCells:
        return []
