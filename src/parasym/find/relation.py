"""Scales and signs as dimensional analysis: what an instruction says about exponents, worked out once for every form.

An exponent belongs to a cell of a value as a whole, or to a wire at a place of it. What is said here names exponents by
``(operand, number)``, with the output last and the numbers of :class:`parasym.find.structure.Structure`;
``None`` is the exponent that is always zero.
"""

from collections.abc import Sequence
from fractions import Fraction

from parasym.find.structure import Cell, TooManyCells
from parasym.find.template import Template
from parasym.rules.program import (
    Cat,
    Contract,
    Expand,
    Fixed,
    Fn,
    Normalize,
    Permute,
    Pointwise,
    Reduce,
    Reshape,
    Rotary,
    Slice,
)

Ref = tuple[int, int]


class Relations:
    """What the instructions of one form say about exponents.

    Over the rationals an exponent ``e`` means that a scaling ``s`` of the wire multiplies the value by
    ``s ** e``; over GF(2) it says whether a sign flip reaches the value.

    Attributes:
        zeros: Exponents that vanish.
        same: Pairs that are equal.
        products: Exponents that, times their degrees, add up to another one.
        lost: Whether the instruction cannot be followed, so that all of them vanish.

    Args:
        template: The form.
        sign: Whether signs are meant, rather than scales.
    """

    def __init__(self, template: Template, *, sign: bool) -> None:
        self.zeros: list[Ref] = []
        self.same: list[tuple[Ref, Ref]] = []
        self.products: list[tuple[tuple[tuple[Ref, int | Fraction], ...], Ref | None]] = []
        self.lost = False
        self._template = template
        self._sign = sign
        try:
            if template.lettered:
                self._by_letters()
            elif isinstance(template.step, (Reshape, Slice, Cat)):
                self._structural()
            else:
                raise TooManyCells
        except TooManyCells:  # nothing may act on what cannot be followed
            self.same, self.products, self.lost = [], [], True
            self.zeros = [(k, n) for k, structure in enumerate(template.structures) for n in range(structure.size)]

    def equals(self, a: Ref, b: Ref) -> bool:
        """Return whether two exponents are said to be equal, directly or because both vanish."""
        return (a, b) in self.same or (b, a) in self.same or (a in self.zeros and b in self.zeros)

    # -- exponents --------------------------------------------------------------------------------

    def _whole(self, operand: int, cell: Cell) -> Ref | None:
        structure = self._template.structures[operand]
        if not structure.real:
            return None
        if cell not in structure.wholes:
            raise TooManyCells
        return operand, structure.wholes[cell]

    def _slot(self, operand: int, axis: int, term: int, k: int) -> Ref | None:
        number = self._template.structures[operand].slots.get((axis, term, k))
        return None if number is None else (operand, number)

    # -- what can be said ---------------------------------------------------------------------------

    def _vanish(self, *refs: Ref | None) -> None:
        self.zeros += [ref for ref in refs if ref is not None]

    def _equal(self, a: Ref | None, b: Ref | None) -> None:
        if a is None or b is None:
            self._vanish(a, b)
        elif a != b:
            self.same.append((a, b))

    def _product(self, xs: Sequence[Ref | None], out: Ref | None, degrees: Sequence[int | Fraction] = (1, 1)) -> None:
        terms: list[tuple[Ref, int | Fraction]] = []
        for x, degree in zip(xs, degrees, strict=True):
            if x is not None and self._sign and degree.denominator != 1:
                self._vanish(x)
            elif x is not None and not (self._sign and degree % 2 == 0):
                terms.append((x, degree))
        if not terms:
            self._vanish(out)
        elif len(terms) == 1 and out is not None and (self._sign or terms[0][1] == 1):
            self._equal(terms[0][0], out)
        else:
            self.products.append((tuple(terms), out))

    # -- instructions -----------------------------------------------------------------------------

    def _structural(self) -> None:
        template, out = self._template, len(self._template.structures) - 1
        links = [template.links(operand) for operand in range(out)]
        for operand, mine in enumerate(links):
            if not isinstance(template.step, Slice) and {k.x_cell for k in mine} != set(template.structures[operand].cells):
                raise TooManyCells
        if {k.out_cell for mine in links for k in mine} != set(template.out.cells):
            raise TooManyCells
        for operand, mine in enumerate(links):
            for link in mine:
                self._equal(self._whole(operand, link.x_cell), self._whole(out, link.out_cell))
                for (a, k), (b, m) in link.places.items():
                    self._equal(self._slot(operand, a, link.x_cell[a], k), self._slot(out, b, link.out_cell[b], m))

    def _by_letters(self) -> None:
        template, step = self._template, self._template.step
        for cells in template.rows:
            *xs, out = [self._whole(operand, cell) for operand, cell in enumerate(cells)]
            self._relate(xs, out)
            if isinstance(step, (Normalize, Rotary)):
                self._tie(step, cells)
        if isinstance(step, Rotary):
            self._tie_planes(step)
        for letter, bearing in template.bearing.items():
            operand, axis = next((k, a) for k, a in enumerate(bearing) if a is not None)
            for t, wires in enumerate(template.structures[operand].axes[axis]):
                for k, may_move in enumerate(wires):
                    if may_move:
                        refs = [None if a is None else self._slot(n, a, t, k) for n, a in enumerate(bearing)]
                        self._relate_slot(letter, bearing, refs[:-1], refs[-1])

    def _tie(self, step: Normalize | Rotary, cells: tuple[Cell, ...]) -> None:
        """Give the blocks over which an instruction takes joint statistics, or rotates planes, one exponent."""
        dims = step.dims if isinstance(step, Normalize) else (len(step.x.shape) - 1,)
        for operand, cell in enumerate(cells):
            first = tuple(0 if a in dims else t for a, t in enumerate(cell))
            self._equal(self._whole(operand, cell), self._whole(operand, first))

    def _tie_planes(self, step: Rotary) -> None:
        axis = len(step.x.shape) - 1
        wires = self._template.structures[0].axes[axis]
        for first, second in plane_pairs(len(wires), interleaved=step.interleaved):
            for k in range(len(wires[first])):
                self._equal(self._slot(0, axis, first, k), self._slot(0, axis, second, k))

    def _relate_slot(self, letter: int, bearing: list[int | None], xs: list[Ref | None], out: Ref | None) -> None:
        step = self._template.step
        gone = bearing[-1] is None
        new = all(axis is None for axis in bearing[:-1])
        if isinstance(step, Contract) and gone:
            self._product(xs, None)
        elif gone or new or (isinstance(step, Normalize) and letter in step.dims):
            self._vanish(*xs, out)
        else:
            self._relate(xs, out)

    def _relate(self, xs: list[Ref | None], out: Ref | None) -> None:
        step = self._template.step
        if isinstance(step, Pointwise):
            self._pointwise(step, xs, out)
        elif isinstance(step, Contract):
            self._product(xs, out)
        elif isinstance(step, Normalize):
            self._normalize(step, xs[0], out)
        elif isinstance(step, Reduce):
            self._maybe(step.fn in ("sum", "mean", "homogeneous"), step.fn != "generic", xs[0], out)
        elif isinstance(step, Fixed):
            self._maybe(step.fn == "linear", step.fn != "generic", xs[0], out)
        elif isinstance(step, (Expand, Rotary, Reshape, Permute)):
            self._equal(xs[0], out)

    def _maybe(self, signs: bool, scales: bool, x: Ref | None, out: Ref | None) -> None:
        if signs if self._sign else scales:
            self._equal(x, out)
        else:
            self._vanish(x, out)

    def _normalize(self, step: Normalize, x: Ref | None, out: Ref | None) -> None:
        if self._sign and step.odd:
            self._equal(x, out)
            return
        self._vanish(out)
        if self._sign or not step.scale_free:
            self._vanish(x)

    def _pointwise(self, step: Pointwise, xs: list[Ref | None], out: Ref | None) -> None:
        fn = step.fn
        zero = [structure.zero for structure in self._template.structures[:-1]]
        if fn is Fn.MUL:
            self._product(xs, out, step.degrees)
        elif fn is Fn.ADD:
            for is_zero, x in zip(zero, xs, strict=True):
                if not is_zero:
                    self._equal(x, out)
        elif fn is Fn.LINEAR:
            self._equal(xs[0], out)
        elif fn in (Fn.ORDER, Fn.EQUALITY):
            sides = [x for is_zero, x in zip(zero, xs, strict=True) if not is_zero]
            if self._sign and fn is Fn.ORDER:
                self._vanish(*sides)
            for side in sides[1:]:
                self._equal(sides[0], side)
        elif fn is Fn.EVEN or (fn is Fn.ABS and self._sign):
            self._vanish(out)
            if not self._sign:
                self._vanish(xs[0])
        else:
            keeps = fn is Fn.ODD if self._sign else fn in (Fn.HOMOGENEOUS, Fn.ABS)
            for is_zero, x in zip(zero, xs, strict=True):
                if keeps and not is_zero:
                    self._equal(x, out)
                elif not keeps:
                    self._vanish(x)
            if not keeps:
                self._vanish(out)


def alike(template: Template, *relations: Relations) -> int | None:
    """Return an operand whose exponents are those of the output one by one, in all relations, ``None`` if there is none.

    Args:
        template: The form of an instruction.
        relations: What it says.
    """
    last = len(template.structures) - 1
    for operand, structure in enumerate(template.structures[:-1]):
        numbers = range(structure.size)
        if structure.size == template.out.size and all(
            said.equals((operand, n), (last, n)) for said in relations for n in numbers
        ):
            return operand
    return None


def plane_pairs(count: int, *, interleaved: bool) -> list[tuple[int, int]]:
    """Return which terms of an axis are the real and imaginary parts of the same planes."""
    if interleaved:
        return [(2 * k, 2 * k + 1) for k in range(count // 2)]
    return [(k, k + count // 2) for k in range(count // 2)]
