"""Translations: what null directions let move freely, and what parameters can exchange."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from parasym.find.carriers import Carriers, Exchange
from parasym.find.coarse import untried, upstream
from parasym.find.ground import AllWhole, Ground, PositionsWhole
from parasym.find.nulls import MOST, NullDirections
from parasym.find.slots import slot_of
from parasym.find.structure import Cell, Place, TooManyCells
from parasym.find.sums import Sums
from parasym.groups import Translation
from parasym.rules.program import Fn, Kind, Pointwise, Reduce, Reshape, Value, operands
from parasym.symmetry import Coarse, Factor, Shift, Slot, Swap, Wire

Free = set[tuple[int, Cell]]


@dataclass(frozen=True)
class Translations:
    """Shifts of parameters that change nothing.

    Attributes:
        factors: One per shift.
        coarse: Bounds of the search that were reached, and the parameters that they may cost a shift.
    """

    factors: tuple[Factor, ...] = ()
    coarse: tuple[Coarse, ...] = ()


def translations(ground: Ground, leaves: list[Value]) -> Translations:
    """Return the translations of a program.

    Everything is done on three grounds: on the blocks of every axis; with positions whole, so that a class token does
    not hide what is constant over the sequence; and on whole axes, for shifts that run through all blocks of a fused or
    concatenated axis at once. Of each only what the earlier ones have not found is kept.

    Args:
        ground: Types and places.
        leaves: The parameters and buffers that are used.
    """
    factors: list[Factor] = []
    free: Free = set()
    known: set[tuple[str, tuple[int, ...]]] = set()
    exchanged: set[frozenset[str]] = set()
    trees = Trees()
    given_up: dict[str, dict[int, None]] = {}
    for here in _grounds(ground):
        sums = Sums(here)
        nulls = NullDirections(here, sums)
        found = [f for v in leaves if v.kind is Kind.PARAMETER for f in _null_factors(here, nulls, v, free)]
        factors += [f for f in found if _extent(f) not in known]
        known |= {_extent(f) for f in found}
        carriers = Carriers(here, nulls, sums)
        exchanges = [e for e in carriers.exchanges if not _is_free(e, free)]
        made = [(_names(here, e), _pair(here, e)) for e in exchanges]
        new = [names not in exchanged and not trees.joins(pair) for names, pair in made]
        factors += [_exchange_factor(here, e) for e, is_new in zip(exchanges, new, strict=True) if is_new]
        exchanged |= {names for names, _ in made}
        for _, pair in made:
            trees.join(pair)
        hidden = {f"more than {MOST} kinds of shifts of it are not seen": upstream(ground.types.program, nulls.given_up)}
        for reason, costs in (*carriers.given_up.items(), *(hidden.items() if nulls.given_up else ())):
            given_up.setdefault(reason, {}).update(costs)
    values = ground.types.program.values
    coarse = (untried("search for shifts", reason, [values[k] for k in costs]) for reason, costs in given_up.items())
    return Translations(tuple(factors), tuple(coarse))


def _grounds(ground: Ground) -> Iterator[Ground]:
    """Yield the ground, and those on which axes are taken whole that have several blocks here."""
    yield ground
    kinds = [axis for axis in ground.axes if len(ground.types.terms(axis)) > 1]
    pinned = ground.types.pinned
    positions = [all(wire in pinned for term in ground.types.terms(axis) for wire in term.wires) for axis in kinds]
    if any(positions):
        yield PositionsWhole(ground.types)
    if not all(positions):
        yield AllWhole(ground.types)


class Reached:
    """What the translations of a model reach, so that other factors need not say it again.

    Args:
        moves: The translations.
        shapes: Shapes of all tensors.
    """

    def __init__(self, moves: Sequence[Factor], shapes: Mapping[str, tuple[int, ...]]) -> None:
        self._anywhere: set[str] = set()
        """Tensors that are moved anywhere."""
        self._pairs: list[frozenset[str]] = []
        """Two tensors whose difference is moved anywhere."""
        for move in moves:
            shifts = [b for b in move.bindings if isinstance(b, Shift)]
            whole = [prod(b.shape) == prod(shapes[b.tensor]) for b in shifts]
            if whole[:1] == [True] and not shifts[0].through:
                self._anywhere.add(shifts[0].tensor)
            if len(move.bindings) == 2 and whole == [True, True] and not any(b.through for b in shifts):
                self._pairs.append(frozenset(b.tensor for b in shifts))

    def moves(self, factor: Factor) -> bool:
        """Return whether all that a factor moves are tensors that translations take anywhere, so that it is made of them.

        Of ``w + A B`` every ``A`` and every ``B`` is reached by translations that ``w`` absorbs; there is no need for ``GL(r)``.

        Args:
            factor: A continuous factor.
        """
        return bool(self._anywhere) and self._anywhere.issuperset(factor.tensors)

    def swaps(self, factor: Factor) -> bool:
        """Return whether an exchange only swaps tensors that are added up, so that translations reach all that it does.

        Of ``x (v + w)`` the sum counts: ``v`` and ``w`` lie on one orbit of a translation with ``w`` and ``v``.

        Args:
            factor: An exchange of branches.
        """
        for swap in factor.bindings:
            assert isinstance(swap, Swap)
            for parts in zip(*swap.members, strict=True):
                names = {part.tensor for part in parts}
                linked = sum(pair <= names for pair in self._pairs)
                if any(part.slots for part in parts) or linked < len(names) - 1:
                    return False
        return True


def _extent(factor: Factor) -> tuple[str, tuple[int, ...]]:
    """Return which part of a tensor a null direction moves: its name and where the region starts on every axis."""
    shift = factor.bindings[0]
    assert isinstance(shift, Shift)
    return shift.tensor, tuple(slot.starts[0] for slot in shift.slots)


def _is_free(exchange: Exchange, free: Free) -> bool:
    ends = [exchange.source, *(sink for _, sink in exchange.sinks)]
    return any((end.source, end.cell) in free for end in ends)


def _names(ground: Ground, exchange: Exchange) -> frozenset[str]:
    values, source = ground.types.program.values, exchange.source
    if source.through:  # whoever takes away what is left of it, it is the same shift
        return frozenset((values[source.source].name, *(step.weight for step in source.through)))
    return frozenset(values[end.source].name for end in (source, *(sink for _, sink in exchange.sinks)))


Pair = tuple[Hashable, Hashable]


def _pair(ground: Ground, exchange: Exchange) -> Pair | None:
    """Return two parameters that are added to each other, each with the size of the shift, if an exchange is one of these."""
    ends = [exchange.source, *(sink for _, sink in exchange.sinks)]
    if len(ends) != 2 or exchange.sinks[0][0].through:
        return None
    first, second = ((ground.types.program.values[end.source].name, *sorted(end.sizes)) for end in ends)
    return first, second


class Trees:
    """Which parameters are joined by pairs that take each other's shifts: another pair of them says nothing new."""

    def __init__(self) -> None:
        self._above: dict[Hashable, Hashable] = {}

    def join(self, pair: Pair | None) -> None:
        """Add a pair.

        Args:
            pair: Two parameters; nothing is added for ``None``.
        """
        if pair is not None and not self.joins(pair):
            self._above[self._root(pair[0])] = self._root(pair[1])

    def joins(self, pair: Pair | None) -> bool:
        """Return whether both of a pair are joined already.

        Args:
            pair: Two parameters.
        """
        return pair is not None and self._root(pair[0]) == self._root(pair[1])

    def _root(self, key: Hashable) -> Hashable:
        while key in self._above:
            key = self._above[key]
        return key


def _null_factors(ground: Ground, nulls: NullDirections, value: Value, free: Free) -> list[Factor]:
    try:
        cells = ground.cells(value)
    except TooManyCells:
        return []
    out = []
    for cell in cells:
        for still in nulls.of(value, cell) or ():
            if not still:
                free.add((value.index, cell))
            places = [p for p in ground.places(value, cell) if p not in still]
            shift = _shift(ground, value, cell, tuple(places), 1.0)
            name = Wire(_label(ground, value, cell), prod(shift.shape))
            mates = _statistics(ground, value, shift) if not still else ()
            out.append(Factor(Translation(name.size), name, (), (shift, *mates)))
    return out


def _statistics(ground: Ground, value: Value, shift: Shift) -> tuple[Shift, ...]:
    """Return the running means that see a bias before BatchNorm, so that they move along."""
    code = ground.types.program.code
    reached = {value.index} | {step.out.index for step in code if isinstance(step, Reshape) and step.x is value}
    sums = [s for s in code if isinstance(s, Pointwise) and s.fn is Fn.ADD and any(x.index in reached for x in s.xs)]
    out = []
    for total in sums:
        means = {s.out.index for s in code if isinstance(s, Reduce) and s.fn == "mean" and s.x is total.out}
        for s in code:
            if isinstance(s, Pointwise) and s.out.kind is Kind.STATE and operands(s)[0].index in means:
                out.append(Shift(s.out.name, shift.shape, shift.dims, 1.0, shift.slots))
    return tuple(out)


def _exchange_factor(ground: Ground, exchange: Exchange) -> Factor:
    values = ground.types.program.values
    source = exchange.source
    first = replace(_shift(ground, values[source.source], source.cell, source.run, 1.0), through=source.through)
    size = prod(first.shape)
    if source.through:
        gains = {step.weight for step in source.through}
        size //= prod(prod(v.shape) for v in values if v.leaf and v.name in gains)
    shifts = [first]
    for arrived, sink in exchange.sinks:
        order = [sink.at.index(place) for place in arrived.at]
        run = tuple(sink.run[k] for k in order)
        plain = _shift(ground, values[sink.source], sink.cell, run, float(-arrived.times / sink.times))
        shifts.append(replace(plain, through=arrived.through))
    name = Wire(_label(ground, values[source.source], source.cell), size)
    return Factor(Translation(name.size), name, (), tuple(shifts))


def _shift(ground: Ground, value: Value, cell: Cell, run: tuple[Place, ...], times: float) -> Shift:
    """Return the shift of a cell by a vector along ``run``, constant along its other places."""
    where = {place: k for k, place in enumerate(run)}
    sizes: dict[Place, int] = {}
    slots: list[Slot] = []
    dims: list[int | None] = []
    for axis, t in enumerate(cell):
        term = ground.term(value, axis, t)
        slots.append(slot_of(axis, term, -1))
        dims.append(None)
        dims += [where.get((axis, k)) for k in range(len(term.wires))]
        sizes |= {(axis, k): wire.size for k, wire in enumerate(term.wires)}
    return Shift(value.name, tuple(sizes[p] for p in run), tuple(dims), times, tuple(slots))


def _label(ground: Ground, value: Value, cell: Cell) -> str:
    parts = [f"[{ground.term(value, a, t).start}:]" if ground.count(value, a) > 1 else "" for a, t in enumerate(cell)]
    return value.name + "".join(parts)
