"""How a shift of a parameter passes an instruction.

A shift is a tensor ``t`` that is added to a parameter. On its way every axis of ``t`` lies along a place of the value it has
arrived in, or was summed against an activation: of ``x W`` the shift is ``x t``, whose first axis is *open* on ``x``. Such a
shift is no vector any more but still a known linear map of the same activation, so that another weight that reads the same
activation can take it over.
"""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from math import prod
from typing import Any, NamedTuple

from parasym.find.carrier import Carrier, Open, renamed, unrearranged
from parasym.find.ground import Ground, Step
from parasym.find.slots import slot_of
from parasym.find.structure import Cell, Place
from parasym.find.sums import Sums
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
from parasym.symmetry import Along, Slot, Through

_MOST = 256


class Passing:
    """Takes shifts through instructions.

    Args:
        ground: Types and places.
        sums: What sums to one.
        lost: Values that cannot be followed.
    """

    def __init__(self, ground: Ground, sums: Sums, lost: set[int]) -> None:
        self.ground = ground
        self.sums = sums
        self._lost = lost
        self._made = {step.out.index: step for step in ground.steps if step.out is not None}
        self._weights = {v.index for v in ground.types.program.values if v.kind is Kind.PARAMETER}
        for step in ground.steps:
            if isinstance(step.code, (Reshape, Permute)) and step.code.x.index in self._weights:
                self._weights.add(step.code.out.index)
        self._read = Counter(x.index for step in ground.steps if isinstance(step.code, Contract) for x in step.xs)
        self.subtracts = any(subtracts(step.code) for step in ground.steps)
        """Whether activations are taken from each other, so that a shift may be its own opposite."""
        self._worth = {index for index in self._read if self.subtracts or self._unfolds(index)}
        """What a shift may be open on: other weights read it too, or it was made by another weight."""

    def carried(self, step: Step, operand: int, link: Link, c: Carrier) -> Iterator[Carrier]:
        """Yield a shift of a cell of an operand as it arrives in a cell of the result, in every form that is known.

        Only for instructions that let any shift through; see :meth:`lets`.

        Args:
            step: An instruction.
            operand: Which operand is shifted.
            link: A cell of the operand and one of the result.
            c: The shift.
        """
        code, passed = step.code, _passed(step.template, operand, link, c)
        if isinstance(code, Contract):
            if code.x is not code.y and code.out.real:
                yield from self._contracted(step, operand, link, c, passed)
        elif passed is not None:
            if isinstance(code, Pointwise) and code.fn is Fn.MUL:
                along = [self._vector(code, k, passed.at) for k in range(len(code.xs)) if k != operand]
                known = tuple(a for a in along if a is not None)
                if known and len(known) == len(along) and len(c.places) == len(c.at) and not c.riders:
                    yield passed.of(c)._replace(through=(*c.through, *known))
            else:
                arrived = passed.of(c)
                if isinstance(code, Reduce) and code.fn == "sum":  # how many, the form does not tell
                    arrived = arrived._replace(times=arrived.times * prod(code.x.shape[a] for a in code.dims))
                yield arrived

    def lets(self, step: Step, operand: int) -> bool:
        """Return whether an instruction may let any shift of an operand through.

        Args:
            step: The instruction.
            operand: Which operand is shifted.
        """
        code = step.code
        return self.meets(step.xs[1 - operand]) if isinstance(code, Contract) else _may_pass(code)

    def meets(self, x: Value) -> bool:
        """Return whether a shift may come through a contraction with a value.

        Args:
            x: The value.
        """
        return x.index in self._weights or x.index in self._worth or bool(self.sums.of(x.index, 1))

    def unfolded(self, c: Carrier) -> Carrier | None:
        """Return a shift that was summed against the result of a linear map as one summed against what the map reads.

        Of ``h t`` with ``h = x A`` that is ``x (A t)``.

        Args:
            c: The shift.
        """
        for index in dict.fromkeys(p.value for p in c.at if isinstance(p, Open)):
            step = self._made.get(index)
            if step is None or index in self._lost:
                continue
            code = step.code
            if isinstance(code, Pointwise) and code.fn is Fn.LINEAR and code.factor is not None:
                return renamed(c, index, code.xs[0].index, code.factor)
            if isinstance(code, (Reshape, Permute)):
                return unrearranged(c, step, index)
            if isinstance(code, Contract) and code.x is not code.y:
                for mine in (0, 1):
                    found = self._unfolded(step, code, mine, c) if step.xs[mine].index in self._weights else None
                    if found is not None:
                        return found
        return None

    def _unfolds(self, index: int) -> bool:
        """Whether several weights read a value, or what it was made of by rearrangements and a weight."""
        code = self._made[index].code if index in self._made else None
        if self._read[index] > 1:
            return True
        if isinstance(code, Contract):
            return code.x.index in self._weights or code.y.index in self._weights
        if isinstance(code, Pointwise):
            return code.fn is Fn.LINEAR and code.factor is not None and self._unfolds(code.xs[0].index)
        return isinstance(code, (Reshape, Permute)) and self._unfolds(code.x.index)

    # -- products ---------------------------------------------------------------------------------

    def _vector(self, step: Pointwise, operand: int, at: tuple[Place, ...]) -> Along | None:
        """Return a factor that is a power of one leaf number, or of a leaf vector lying exactly along the run."""
        power = float(step.degrees[operand])
        source = step.xs[operand]
        while not source.leaf:
            earlier = self._made.get(source.index)
            code = None if earlier is None else earlier.code
            if isinstance(code, Reshape):
                source = code.x
            elif isinstance(code, Pointwise) and code.fn is Fn.MUL and len(code.xs) == 1:
                power *= float(code.degrees[0])
                source = code.xs[0]
            else:
                return None
        wide = [letter for letter, n in zip(step.letters[operand], step.xs[operand].shape, strict=True) if n > 1]
        if source.index in self._lost:
            return None
        if prod(source.shape) == 1:
            return Along(source.name, power, source.offset)
        axis = wide[0] if len(wide) == 1 else None
        if axis is None or len(source.shape) != 1:
            return None
        out = self.ground.structure(step.out)
        if out.counts[axis] != 1 or at != out.run(axis, out.first):
            return None
        return Along(source.name, power, source.offset)

    # -- contractions -----------------------------------------------------------------------------

    def _contracted(self, step: Step, operand: int, link: Link, c: Carrier, passed: "_Passage | None") -> Iterator[Carrier]:
        code = step.code
        assert isinstance(code, Contract)
        mine, theirs = (code.x_letters, code.y_letters) if operand == 0 else (code.y_letters, code.x_letters)
        other = step.xs[1 - operand]
        gone = {letter for letter in mine if letter not in code.out_letters}
        if not gone <= set(theirs) or any(letter not in mine and letter not in code.out_letters for letter in theirs):
            return
        if passed is not None:
            along = {theirs.index(letter) for letter in gone}
            structure = self.ground.structure(other)
            summed = structure.everywhere(structure.first, along)
            if gone and summed in self.sums.of(other.index, 1) and all(structure.counts[a] == 1 for a in along):
                yield passed.of(c)
                return
        if any(mine[axis] in gone for _, (axis, _) in c.riders):
            return
        cells = {
            cells[1 - operand] for cells in step.template.rows if (cells[operand], cells[-1]) == (link.x_cell, link.out_cell)
        }
        if len(cells) != 1:
            return
        (cell,) = cells
        meeting = _Meeting(mine, theirs, code.out_letters, gone, other, cell, link)
        if other.index in self._weights:
            yield from self._weighed(meeting, c)
        yield from self._opened(meeting, operand, step, c)

    def _weighed(self, m: "_Meeting", c: Carrier) -> Iterator[Carrier]:
        """Yield a shift contracted with a parameter: its axes along letters of the parameter are replaced by those that stay."""
        rest = [a for a, letter in enumerate(m.theirs) if letter not in m.gone]
        own = {k: p for k, p in enumerate(c.at) if not isinstance(p, Open)}
        contracted = [k for k, p in own.items() if m.mine[p[0]] in m.theirs]
        met = {(m.theirs.index(m.mine[own[k][0]]), own[k][1]): k for k in contracted}
        made = self.through(m.other, m.cell, c, met, rest)
        if made is None:
            return
        through, places, sizes = made
        arrived = [(m.out.index(m.theirs[axis]), k) for axis, k in places]
        kept = [k for k in range(len(c.at)) if k not in contracted]
        yield c._replace(
            at=(*(self._kept(m, c.at[k]) for k in kept), *arrived),
            sizes=(*(c.sizes[k] for k in kept), *sizes),
            riders=tuple((opened, m.link.places[p]) for opened, p in c.riders),
            through=(*c.through, through),
        )

    def _kept(self, m: "_Meeting", place: Place | Open) -> Place | Open:
        return place if isinstance(place, Open) else m.link.places[place]

    def through(
        self, weight: Value, cell: Cell, c: Carrier, met: dict[Place, int], rest: list[int]
    ) -> tuple[Through, list[Place], list[int]] | None:
        """Return a contraction with a weight, the places of the weight along which the result lies, and their lengths.

        Args:
            weight: A parameter, perhaps rearranged.
            cell: The cell of it that is met.
            c: The shift.
            met: For every place of the weight the axis of the shift that it is contracted with.
            rest: Axes of the weight that stay.
        """
        found = self.parameter(weight, cell)
        if found is None:
            return None
        leaf, leaf_cell, back = found
        front = {before: after for after, before in back.items()}
        slots: list[Slot] = []
        dims: list[int | None] = []
        out: dict[Place, tuple[int, int]] = {}
        for axis, t in enumerate(leaf_cell):
            term = self.ground.term(leaf, axis, t)
            if self.ground.count(leaf, axis) > 1 or len(term.wires) != 1:
                slots.append(slot_of(axis, term, -1))
                dims.append(None)
            for k, wire in enumerate(term.wires):
                place = front[axis, k]
                if place[0] in rest:
                    out[place] = len(dims), wire.size
                dims.append(met.get(place))
        places = sorted(out)
        through = Through(leaf.name, c.sizes, tuple(dims), tuple(out[p][0] for p in places), tuple(slots))
        return through, places, [out[p][1] for p in places]

    def parameter(self, x: Value, cell: Cell) -> tuple[Value, Cell, dict[Place, Place]] | None:
        """Return the parameter that was rearranged into a value, the cell, and where every place was before.

        Args:
            x: The value.
            cell: A cell of it.
        """
        if x.index not in self._weights:
            return None
        back = {place: place for place in self.ground.structure(x).places(cell)}
        while x.kind is not Kind.PARAMETER:
            step = self._made[x.index]
            links = [link for link in step.template.links(0) if link.out_cell == cell]
            before = {new: old for old, new in links[0].places.items()} if len(links) == 1 else {}
            if x.index in self._lost or not set(back.values()) <= before.keys():
                return None
            back = {place: before[old] for place, old in back.items()}
            x, cell = step.xs[0], links[0].x_cell
        whole = set(self.ground.structure(x).places(cell))
        return (x, cell, back) if x.index not in self._lost and set(back.values()) == whole else None

    def _opened(self, m: "_Meeting", operand: int, step: Step, c: Carrier) -> Iterator[Carrier]:
        """Yield a shift summed against another value, which is left open."""
        if m.other.index not in self._worth:
            return
        structure = step.template.structures[operand]
        lost = {(a, k) for a, letter in enumerate(m.mine) if letter in m.gone for _, k in structure.run(a, m.link.x_cell)}
        if not lost or not lost <= set(c.places):
            return
        at: list[Place | Open] = []
        for p in c.at:
            if isinstance(p, Open) or p not in lost:
                at.append(self._kept(m, p))
            else:
                at.append(Open(m.other.index, m.cell, (m.theirs.index(m.mine[p[0]]), p[1])))
        riders = [(opened, m.link.places[p]) for opened, p in c.riders]
        others = step.template.structures[1 - operand]
        for axis, letter in enumerate(m.theirs):
            if letter not in m.gone:
                run = others.run(axis, m.cell)
                riders += [(Open(m.other.index, m.cell, p), (m.out.index(letter), p[1])) for p in run]
        yield c._replace(at=tuple(at), riders=tuple(sorted(riders)))

    def _unfolded(self, step: Step, code: Contract, mine: int, c: Carrier) -> Carrier | None:
        """Return a shift that is open on a product of a parameter, operand ``mine``, and a value as one open on that value."""
        weight, source = step.xs[mine], step.xs[1 - mine]
        ours, theirs = (code.x_letters, code.y_letters) if mine == 0 else (code.y_letters, code.x_letters)
        index = code.out.index
        gone = [letter for letter in ours if letter not in code.out_letters]
        if any(letter not in theirs for letter in gone) or any(letter in ours and letter not in gone for letter in theirs):
            return None
        if any(self.ground.count(weight, ours.index(letter)) != 1 for letter in gone):
            return None
        cell = next(p.cell for p in c.at if isinstance(p, Open) and p.value == index)
        if any(p.cell != cell for p in (*c.at, *(r for r, _ in c.riders)) if isinstance(p, Open) and p.value == index):
            return None
        rows = {(cells[mine], cells[1 - mine]) for cells in step.template.rows if cells[-1] == cell}
        if len(rows) != 1:
            return None
        ((weight_cell, source_cell),) = rows
        met: dict[Place, int] = {}
        for k, p in enumerate(c.at):
            if isinstance(p, Open) and p.value == index:
                letter = code.out_letters[p.place[0]]
                if letter not in ours:
                    return None
                met[ours.index(letter), p.place[1]] = k
        stays = {
            p for a, letter in enumerate(ours) if letter not in gone for p in step.template.structures[mine].run(a, weight_cell)
        }
        if stays != set(met):
            return None
        riders: list[tuple[Open, Place]] = []
        for opened, place in c.riders:
            if opened.value == index:
                letter = code.out_letters[opened.place[0]]
                opened = Open(source.index, source_cell, (theirs.index(letter), opened.place[1]))
            riders.append((opened, place))
        made = self.through(weight, weight_cell, c, met, [ours.index(letter) for letter in gone])
        if made is None:
            return None
        through, places, sizes = made
        kept = [k for k in range(len(c.at)) if k not in met.values()]
        opens = [Open(source.index, source_cell, (theirs.index(ours[axis]), k)) for axis, k in places]
        return c._replace(
            at=(*(c.at[k] for k in kept), *opens),
            sizes=(*(c.sizes[k] for k in kept), *sizes),
            riders=tuple(sorted(riders)),
            through=(*c.through, through),
        )


class _Meeting(NamedTuple):
    """A contraction as one of its operands sees it.

    Attributes:
        mine: Letters of the operand that is shifted.
        theirs: Letters of the other.
        out: Letters of the result.
        gone: Those that are summed over.
        other: The other operand.
        cell: The cell of it that is met.
        link: From the cell of the operand that is shifted to that of the result.
    """

    mine: tuple[int, ...]
    theirs: tuple[int, ...]
    out: tuple[int, ...]
    gone: set[int]
    other: Value
    cell: Cell
    link: Link


def subtracts(code: Instruction) -> bool:
    """Return whether an instruction takes one activation from another.

    Args:
        code: The instruction.
    """
    return isinstance(code, Pointwise) and -1 in code.signs and all(x.kind is Kind.ACTIVATION for x in code.xs)


def _may_pass(code: Instruction) -> bool:
    """Whether an instruction may let any shift through."""
    if isinstance(code, Pointwise):
        return code.fn in (Fn.ADD, Fn.LINEAR, Fn.MUL)
    return not isinstance(code, Normalize)


class _Passage(NamedTuple):
    """Where a shift arrives behind an instruction, as far as the form of the instruction tells.

    Attributes:
        at: Where every axis of the shift lies.
        riders: Where the other places of the activations lie that it was summed against.
        times: What it is multiplied by.
        moves: Whether it is anything else than before.
    """

    at: tuple[Any, ...]
    riders: tuple[tuple[Open, Place], ...]
    times: int | Fraction
    moves: bool

    def of(self, c: Carrier) -> Carrier:
        """Return the shift where it has arrived."""
        if not self.moves:
            return c
        times = c.times if self.times == 1 else c.times * self.times
        return Carrier(c.source, c.cell, c.run, self.at, c.sizes, self.riders, times, c.through)


def _passed(template: Template, operand: int, link: Link, c: Carrier) -> _Passage | None:
    key = (c.at, c.riders) if c.riders else c.at
    if key not in link.passages:
        if len(link.passages) >= _MOST:  # the form outlives the program, whose values may be named here
            link.passages.clear()
        link.passages[key] = _passage(template, operand, link, c)
    return link.passages[key]


def _passage(template: Template, operand: int, link: Link, c: Carrier) -> _Passage | None:
    step = template.step
    if not template.out.real:
        return None  # a position or a choice does not shift along
    places, where = c.places, link.places
    if not all(place in where for place in places):
        return None
    times: int | Fraction = 1
    x = template.structures[operand]
    if isinstance(step, Slice):  # a shift of a piece of a whole axis is not constant along it
        passes = x.counts[step.dim] > 1 or all(axis != step.dim for axis, _ in places)
    elif isinstance(step, Cat):
        passes = template.out.counts[step.dim] > 1
    elif isinstance(step, Pointwise):
        passes = step.fn in (Fn.ADD, Fn.LINEAR)
        if step.fn is Fn.LINEAR and step.factor is not None:
            times = step.factor
        elif passes:
            times = step.signs[operand]
        passes = bool(times) and (passes or _once(step, operand))
    elif isinstance(step, Reduce):
        passes = step.fn in ("mean", "max", "sum") and all(x.counts[a] == 1 for a in step.dims)
    elif isinstance(step, Fixed):
        kept = {axis for axis, _ in step.kept}
        single = all(n == 1 for a, n in enumerate(x.counts) if a not in kept)
        passes = single and ((step.fn == "linear" and step.averaging) or step.fn == "max")
    else:
        passes = isinstance(step, (Reshape, Permute, Expand, Contract))
    if not passes:
        return None
    at = tuple([p if isinstance(p, Open) else where[p] for p in c.at])
    riders = tuple([(opened, where[p]) for opened, p in c.riders])
    return _Passage(at, riders, times, times != 1 or at != c.at or riders != c.riders)


def _once(step: Pointwise, operand: int) -> bool:
    """Whether an operand is a plain factor of a product."""
    return step.fn is Fn.MUL and step.degrees[operand] == 1 and len({v.index for v in step.xs}) == len(step.xs)
