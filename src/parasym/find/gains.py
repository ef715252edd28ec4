r"""Sums that are zero behind a gain: what a weight that reads a LayerNorm does not see.

If :math:`\sum_c n_c = 0` and :math:`v = g \odot n + \beta`, then :math:`\sum_c v_c / g_c = \sum_c \beta_c / g_c` whatever ``n``
is. So ``W v`` changes by a constant where rows of ``W`` move along :math:`1 / g`, and a bias behind ``W``, or what does not
see a constant there, takes that away. Every weight that reads ``v`` has such a translation of its own.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from parasym.find.carrier import Carrier
from parasym.find.ground import Ground, Step
from parasym.find.structure import Cell, Place, TooManyCells
from parasym.find.sums import Sums, keeps, multiplies, where_to
from parasym.find.template import Link
from parasym.rules.program import Contract, Fn, Instruction, Kind, Pointwise, Reduce, Reshape, Value
from parasym.symmetry import Inverse, Through

Leaves = Callable[[Value, Cell], tuple[Value, Cell, dict[Place, Place]] | None]
"""Returns the parameter that was rearranged into a value, a cell of it, and where every place was before."""

Meets = Callable[[Value, Cell, Carrier, dict[Place, int], list[int]], tuple[Through, list[Place], list[int]] | None]
"""Returns how a weight is contracted with a shift."""


class Gained(NamedTuple):
    """A value that sums to zero once it is divided by a gain, but for what a bias adds.

    Attributes:
        inverse: The gain.
        order: Places of the value along which it sums to that, in the order of the gain's entries.
        bias: What was added behind the gain, perhaps rearranged, with its places in the same order.
    """

    inverse: Inverse
    order: tuple[Place, ...]
    bias: tuple[Value, tuple[Place, ...]] | None = None


class Gains:
    """Which values sum to zero behind a gain; only along axes that are not cut.

    Args:
        ground: Types and places.
        sums: What sums to zero.
    """

    def __init__(self, ground: Ground, sums: Sums) -> None:
        self.ground = ground
        self.sums = sums
        self._known: dict[int, Gained] = {}
        self._made = {step.out.index: step for step in ground.steps if step.out is not None}
        loops = ground.types.program.loops
        for step in ground.steps if sums.known else ():
            if step.out is not None and step.out.index not in loops:
                found = self._found(step, step.out)
                if found is not None:
                    self._known[step.out.index] = found

    def starts(self, leaf_of: Leaves) -> Iterator[Carrier]:
        """Yield every shift of a weight along the inverse of a gain that it meets.

        Args:
            leaf_of: Which parameter a value is.
        """
        if not self._known:
            return
        found: dict[tuple[int, Cell, tuple[Place, ...]], Carrier] = {}
        for step in self.ground.steps:
            if isinstance(step.code, Contract) and step.code.x is not step.code.y and step.code.out.real:
                for operand in (0, 1):
                    gained = self._known.get(step.xs[1 - operand].index)
                    for c in () if gained is None else self._starts(step.xs[operand], step.code, operand, gained, leaf_of):
                        found.setdefault((c.source, c.cell, c.run), c)
        yield from found.values()

    def met(self, step: Step, operand: int, link: Link, c: Carrier, through: Meets) -> Carrier | None:
        """Return what arrives behind a contraction of a shift along the inverse of a gain; nothing if ``times`` is 0.

        Args:
            step: The contraction.
            operand: Which operand is shifted.
            link: A cell of the operand and one of the result.
            c: The shift.
            through: How a bias is contracted.

        Returns:
            The shift, or ``None`` if what it meets does not sum to a known number there.
        """
        code, other = step.code, step.xs[1 - operand]
        gained = self._known.get(other.index)
        assert isinstance(code, Contract)
        if gained is None or c.through != (gained.inverse,):
            return None
        mine, theirs = _letters(code, operand)
        gone = {letter for letter in mine if letter not in code.out_letters}
        kept, inside = c.places[: -len(gained.order)], c.places[-len(gained.order) :]
        structure = step.template.structures[operand]
        summed = structure.everywhere(link.x_cell, {a for a, letter in enumerate(mine) if letter in gone})
        if {*theirs} - {*mine, *code.out_letters} or summed != {*inside} or not {*kept} <= link.places.keys():
            return None
        if gained.order != tuple((theirs.index(mine[a]), k) if mine[a] in theirs else (-1, k) for a, k in inside):
            return None
        left = c._replace(at=tuple(link.places[p] for p in kept), sizes=c.sizes[: len(kept)])
        if gained.bias is None:
            return left._replace(times=0)
        bias, places = gained.bias
        made = through(bias, self.ground.structure(bias).first, c, {p: len(kept) + k for k, p in enumerate(places)}, [])
        return None if made is None else left._replace(through=(*c.through, made[0]))

    def _starts(self, x: Value, code: Contract, operand: int, gained: Gained, leaf_of: Leaves) -> Iterator[Carrier]:
        mine, theirs = _letters(code, operand)
        letters = [(theirs[a], k) for a, k in gained.order]
        if not all(letter in mine for letter, _ in letters):
            return
        inside = [(mine.index(letter), k) for letter, k in letters]
        try:
            cells = self.ground.cells(x)
        except TooManyCells:
            return
        for cell in cells:
            leaf = leaf_of(x, cell)
            if leaf is not None and {*inside} <= leaf[2].keys():
                value, leaf_cell, back = leaf
                places = [*(p for p in back if p not in inside), *inside]
                wires = [self.ground.wires(x, a, cell[a])[k] for a, k in places]
                run = tuple(back[p] for p in places)
                yield Carrier(value.index, leaf_cell, run, run, tuple(w.size for w in wires), through=(gained.inverse,))

    # -- values ------------------------------------------------------------------------------------

    def _found(self, step: Step, out: Value) -> Gained | None:
        code = step.code
        if isinstance(code, Pointwise) and len(code.xs) == 2:
            for k in (0, 1):
                found = self._pointwise(code, k, out)
                if found is not None:
                    return found
        for operand, x in enumerate(step.xs) if self._known else ():
            gained = self._known.get(x.index)
            if gained is not None and _passes(code, operand, gained):
                order = where_to(step, operand, gained.order)
                return None if order is None else gained._replace(order=order)
        return None

    def _pointwise(self, code: Pointwise, operand: int, out: Value) -> Gained | None:
        """Return what comes of a gain that multiplies a sum of zero, or of a bias that is added behind a gain."""
        x, other = code.xs[operand], code.xs[1 - operand]
        if not (self.sums.of(x.index, 0) if code.fn is Fn.MUL else x.index in self._known):
            return None
        along = self._along(code, 1 - operand, out)
        if along is None:
            return None
        order, places = along
        letters = code.letters[operand]
        if code.fn is Fn.MUL and code.degrees == (1, 1):
            inverse = self._inverse(other)
            zero = any({(letters[a], k) for a, k in still} == {*order} for still in self.sums.of(x.index, 0))
            return Gained(inverse, order) if inverse is not None and zero else None
        gained = self._known.get(x.index)
        if code.fn is Fn.ADD and code.signs == (1, 1) and gained is not None and gained.bias is None:
            mine = tuple((letters[a], k) for a, k in gained.order)
            return gained._replace(order=order, bias=(other, places)) if mine == order else None
        return None

    def _along(self, code: Pointwise, operand: int, out: Value) -> tuple[tuple[Place, ...], tuple[Place, ...]] | None:
        """Return the places of the result along which an operand lies, in the order of its entries, and its own places."""
        x, letters = code.xs[operand], code.letters[operand]
        if self._leaf(x) is None or not self.ground.single(x):
            return None
        order: list[Place] = []
        places: list[Place] = []
        for axis, n in enumerate(x.shape):
            letter = letters[axis]
            if n > 1:
                if letter is None or self.ground.count(out, letter) > 1:
                    return None
                term = self.ground.term(x, axis, 0)
                inner = n
                for k, (wire, stride) in enumerate(zip(term.wires, term.strides, strict=True)):
                    inner //= wire.size
                    if stride != inner:
                        return None  # its entries lie in another order
                    order.append((letter, k))
                    places.append((axis, k))
        return (tuple(order), tuple(places)) if order else None

    def _leaf(self, x: Value) -> tuple[Value, float] | None:
        """Return the parameter that a value is, in the same order, and the number that was added to it."""
        offset = 0.0
        while x.kind is not Kind.PARAMETER:
            step = self._made.get(x.index)
            if step is not None and isinstance(step.code, Reshape):
                x = step.code.x
            elif step is not None and isinstance(step.code, Pointwise) and step.code.fn is Fn.ADD and len(step.xs) == 2:
                number = [v for v in step.xs if v.kind is Kind.CONSTANT and v.data is not None and v.data.numel() == 1]
                if len(number) != 1 or step.code.signs != (1, 1) or number[0].data is None:
                    return None
                offset += float(number[0].data)
                x = next(v for v in step.xs if v is not number[0])
            else:
                return None
        return (x, offset) if x.offset == 0 else None

    def _inverse(self, x: Value) -> Inverse | None:
        leaf = self._leaf(x)
        return None if leaf is None else Inverse(leaf[0].name, leaf[1])


def _letters(code: Contract, operand: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return (code.x_letters, code.y_letters) if operand == 0 else (code.y_letters, code.x_letters)


def _passes(code: Instruction, operand: int, gained: Gained) -> bool:
    axes = {axis for axis, _ in gained.order}
    if gained.bias is None:
        return multiplies(code, operand, axes) if isinstance(code, Pointwise) else keeps(code, axes)
    return keeps(code, axes) and not (isinstance(code, Reduce) and code.fn == "sum")
