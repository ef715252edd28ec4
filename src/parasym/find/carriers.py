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

from parasym.find.arrivals import Arrivals, runs_of
from parasym.find.carrier import Carrier, Open
from parasym.find.ground import Ground, Step
from parasym.find.nulls import NullDirections
from parasym.find.passing import subtracts
from parasym.find.reading import CUT, Reading, Use
from parasym.find.structure import Cell, Place
from parasym.find.sums import Sums
from parasym.rules.program import Value

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
        self.nulls = nulls
        self.exchanges: list[Exchange] = []
        self.given_up: dict[str, dict[int, None]] = defaultdict(dict)
        """By the bound that was reached the parameters that have a shift which was not followed to its end."""
        self._reading = Reading(ground, sums)
        self._seen: dict[tuple[int, Cell, tuple[Place, ...]], Blocked] = {}
        self._stopped: dict[tuple[int, Cell], Blocked] = {}
        """Cells whose shifts are all seen by the first instruction that reads them."""
        self._tries = 0
        self._blocked: Blocked | None = None
        self._bound = ""
        self._joined: dict[tuple[int, Cell], tuple[int, Cell]] = {}
        """Of parameters that take each other's shifts directly, another one: they need no second way."""
        starts = self._starts()
        self._arrivals = Arrivals(self._reading, starts)
        for (index, cell), runs in starts.items():
            self._try_all(self._reading.values[index], cell, runs)
        self._try_gained()
        if self._reading.cut:
            self.given_up[CUT].update(self._reading.cut)

    def _starts(self) -> dict[tuple[int, Cell], list[Carrier]]:
        """Return the shifts of all cells of the parameters, but for those that are seen at once."""
        reading = self._reading
        starts: dict[tuple[int, Cell], list[Carrier]] = {}
        for value in reading.values:
            if value.leaf and value.offset == 0 and value.index not in reading.lost:
                for cell in reading.cells(value):
                    stop = self._stop(value, cell)
                    if stop is None:
                        starts[value.index, cell] = runs_of(reading, value, cell)
                    else:
                        self._stopped[value.index, cell] = stop
        return starts

    def _try_gained(self) -> None:
        """Try the shifts along the inverse of a gain; what moves anywhere with others leaves it to them."""
        reading = self._reading
        anywhere = {(e.source.source, e.source.cell) for e in self.exchanges if self._is_whole(e.source)}
        for carrier in reading.gains.starts(reading.passing.contracting.parameter):
            if (carrier.source, carrier.cell) not in anywhere and carrier.source not in reading.lost:
                found = self._try(reading.values[carrier.source], carrier.cell, carrier)
                self.exchanges += [] if found is None else [found]

    def seen(self, value: Value) -> list[tuple[Cell, tuple[Place, ...], Blocked]]:
        """Return where shifts of a parameter are seen, along some places of a cell, for every one that nothing absorbs.

        Args:
            value: The parameter.
        """
        found = [(cell, run, blocked) for (index, cell, run), blocked in self._seen.items() if index == value.index]
        for (index, cell), blocked in self._stopped.items():
            if index == value.index:
                found += [(cell, c.run, blocked) for c in runs_of(self._reading, value, cell)]
        return sorted(found, key=lambda one: len(one[1]))

    def _is_whole(self, c: Carrier) -> bool:
        return len(c.run) == len(self._reading.ground.structure(self._reading.values[c.source]).places(c.cell))

    def _stop(self, value: Value, cell: Cell) -> Blocked | None:
        """Return an instruction that lets no shift of a cell through, if there is one and no shift is hidden before."""
        if self.nulls.of(value, cell):
            return None
        for use in self._reading.uses(value.index, cell):
            if not use.lets:
                assert use.step.out is not None
                return Blocked(use.step.out, use.step, (use.step,))
        return None

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
        lost = value.index in self._reading.ends
        bound = self._reached(len(path), len(search.sums))
        if lost or again or bound:
            self._bound = self._bound or bound
            self._blocked = self._blocked or Blocked(value, None, path)
            return
        uses = self._reading.uses(value.index, cell)
        here = _Search(search.sums, search.seen | {(value.index, cell)}, search.forked or len(uses) > 1)
        yield from self._through_uses(uses, 0, c, here, path)

    def _through_uses(self, uses: list[Use], k: int, c: Carrier, search: _Search, path: tuple[Step, ...]) -> Iterator[_Search]:
        """Do so for all that reads it from number ``k`` on."""
        if k == len(uses):
            yield search
            return
        use = uses[k]
        out, further = use.step.out, (*path, use.step)
        assert out is not None
        passes = False
        for moved in self._reading.carried(use, c):
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

    def _cancelled(self, use: Use, out: Value, moved: Carrier, search: _Search) -> Iterator[_Search]:
        """Yield every way in which a sum takes a shift away."""
        cell = use.link.out_cell
        if search.forked and subtracts(use.step.code):  # what arrives on two ways may be its own opposite
            yield search._replace(sums=(*search.sums, (_Sum(out.index, cell, -1, ()), moved, moved)))
        forms = [moved]
        while (
            any(isinstance(p, Open) for p in forms[-1].at) and (further := self._reading.passing.unfolded(forms[-1])) is not None
        ):
            forms.append(further)
        sinks = [s for s in self._arrivals.at(out.index, cell) if (s.source, s.cell) != (moved.source, moved.cell)]
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
            met = self._met(self._reading.values[sink.source], sink.cell, start, at, DEPTH)
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
        if bound or value.index in self._reading.ends:
            self._bound = self._bound or bound
            raise _Escaped
        found: dict[_Sum, int | Fraction] = {}
        for use in self._reading.uses(value.index, cell):
            out = use.step.out
            assert out is not None
            here = _Sum(out.index, use.link.out_cell, c.source, c.cell)
            moved = [m for m in self._reading.carried(use, c) if not m.through]
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
