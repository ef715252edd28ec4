"""How a shift of a parameter passes a contraction: it is contracted with a weight, or left open on an activation."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from parasym.find.carrier import Carrier, Open
from parasym.find.ground import Ground, Step
from parasym.find.slots import slot_of
from parasym.find.structure import Cell, Place
from parasym.find.sums import Sums
from parasym.find.template import Link
from parasym.rules.program import Contract, Fn, Kind, Permute, Pointwise, Reshape, Value
from parasym.symmetry import Slot, Through


class Contracting:
    """Takes shifts through contractions.

    Args:
        ground: Types and places.
        sums: What sums to one.
        lost: Values that cannot be followed.
        opposite: Whether activations are taken from each other, so that a shift may be its own opposite.

    Attributes:
        weights: Indices of parameters, perhaps rearranged.
    """

    def __init__(self, ground: Ground, sums: Sums, lost: set[int], *, opposite: bool) -> None:
        self.ground = ground
        self.sums = sums
        self._lost = lost
        self._made = {step.out.index: step for step in ground.steps if step.out is not None}
        self.weights = {v.index for v in ground.types.program.values if v.kind is Kind.PARAMETER}
        for step in ground.steps:
            if isinstance(step.code, (Reshape, Permute)) and step.code.x.index in self.weights:
                self.weights.add(step.code.out.index)
        self._read = Counter(x.index for step in ground.steps if isinstance(step.code, Contract) for x in step.xs)
        self._worth = {index for index in self._read if opposite or self._unfolds(index)}
        """What a shift may be open on: other weights read it too, or it was made by another weight."""

    def meets(self, x: Value) -> bool:
        """Return whether a shift may come through a contraction with a value.

        Args:
            x: The value.
        """
        return x.index in self.weights or x.index in self._worth or bool(self.sums.of(x.index, 1))

    def _unfolds(self, index: int) -> bool:
        """Whether several weights read a value, or what it was made of by rearrangements and a weight."""
        code = self._made[index].code if index in self._made else None
        if self._read[index] > 1:
            return True
        if isinstance(code, Contract):
            return code.x.index in self.weights or code.y.index in self.weights
        if isinstance(code, Pointwise):
            return code.fn is Fn.LINEAR and code.factor is not None and self._unfolds(code.xs[0].index)
        return isinstance(code, (Reshape, Permute)) and self._unfolds(code.x.index)

    def carried(self, step: Step, operand: int, link: Link, c: Carrier, passed: Carrier | None) -> Iterator[Carrier]:
        """Yield a shift of an operand as it arrives behind a contraction with another value.

        Args:
            step: The contraction.
            operand: Which operand is shifted.
            link: A cell of the operand and one of the result.
            c: The shift.
            passed: What arrives if it is constant along what is summed over and the other operand sums to one there.
        """
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
                yield passed
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
        if other.index in self.weights:
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
        if x.index not in self.weights:
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

    def unfolded(self, step: Step, code: Contract, mine: int, c: Carrier) -> Carrier | None:
        """Return a shift that is open on a product of a parameter and a value as one open on that value.

        Args:
            step: What makes the product.
            code: The contraction.
            mine: Which operand the parameter would be.
            c: The shift.
        """
        weight, source = step.xs[mine], step.xs[1 - mine]
        if weight.index not in self.weights:
            return None
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
