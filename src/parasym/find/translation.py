"""Translations: what null directions let move freely, and what two parameters can exchange."""

from math import prod

from parasym.find.axis import Leaf
from parasym.find.carriers import Carrier, Carriers
from parasym.find.links import Cell, Ground, Place, TooManyCells
from parasym.find.nulls import NullDirections
from parasym.find.slots import slot_of
from parasym.groups import Translation
from parasym.rules.program import Fn, Kind, Pointwise, Reduce, Reshape, Value, operands
from parasym.symmetry import Factor, Shift, Slot, Wire


def translations(ground: Ground, leaves: list[Value]) -> list[Factor]:
    """Return the translations of a program.

    Args:
        ground: Types and places.
        leaves: The parameters and buffers that are used.
    """
    factors: list[Factor] = []
    nulls = NullDirections(ground)
    free: set[tuple[int, Cell]] = set()
    for value in leaves:
        if value.kind is Kind.PARAMETER:
            factors += _null_factors(ground, nulls, value, free)
    for first, second in Carriers(ground).pairs:
        if (first.source, first.cell) not in free and (second.source, second.cell) not in free:
            factors.append(_pair_factor(ground, first, second))
    return factors


def _null_factors(ground: Ground, nulls: NullDirections, value: Value, free: set[tuple[int, Cell]]) -> list[Factor]:
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
            shift = _shift(ground, value, cell, tuple(places), 1)
            name = Wire(_label(ground, value, cell), prod(shift.shape))
            mates = _statistics(ground, value, shift) if not still else ()
            out.append(Factor(Translation(name.size), name, (), (shift, *mates)))
    return out


def _statistics(ground: Ground, value: Value, shift: Shift) -> tuple[Shift, ...]:
    """Return the running means that see a bias before BatchNorm, so that they move along."""
    code = ground.types.program.code
    reached = {value.index}
    for step in code:
        if isinstance(step, Reshape) and step.x.index in reached and step.x is value:
            reached.add(step.out.index)
    sums = [s for s in code if isinstance(s, Pointwise) and s.fn is Fn.ADD and any(x.index in reached for x in s.xs)]
    out = []
    for total in sums:
        means = {s.out.index for s in code if isinstance(s, Reduce) and s.fn == "mean" and s.x is total.out}
        for s in code:
            if isinstance(s, Pointwise) and s.out.kind is Kind.STATE and operands(s)[0].index in means:
                out.append(Shift(s.out.name, shift.shape, shift.dims, 1, shift.slots))
    return tuple(out)


def _pair_factor(ground: Ground, first: Carrier, second: Carrier) -> Factor:
    values = ground.types.program.values
    source, sink = values[first.source], values[second.source]
    one = _shift(ground, source, first.cell, first.run, 1)
    two = _shift(ground, sink, second.cell, second.run, -first.sign * second.sign)
    two = Shift(two.tensor, two.shape, two.dims, two.sign, two.slots, first.through)
    name = Wire(_label(ground, source, first.cell), prod(one.shape))
    return Factor(Translation(name.size), name, (), (one, two))


def _shift(ground: Ground, value: Value, cell: Cell, run: tuple[Place, ...], sign: int) -> Shift:
    """Return the shift of a cell by a vector along ``run``, constant along its other places."""
    where = {place: k for k, place in enumerate(run)}
    wires: dict[Place, Leaf] = ground.places(value, cell)
    slots: list[Slot] = []
    dims: list[int | None] = []
    for axis, t in enumerate(cell):
        term = ground.types.terms(value, axis)[t]
        slots.append(slot_of(axis, term, -1))
        dims.append(None)
        dims += [where.get((axis, k)) for k in range(len(term.wires))]
    return Shift(value.name, tuple(wires[p].size for p in run), tuple(dims), sign, tuple(slots))


def _label(ground: Ground, value: Value, cell: Cell) -> str:
    parts = [
        f"[{ground.types.terms(value, a)[t].start}:]" if ground.count(value, a) > 1 else "" for a, t in enumerate(cell)
    ]
    return value.name + "".join(parts)
