"""Scales and signs as dimensional analysis: one homogeneous linear system over the whole program."""

from collections.abc import Iterable
from fractions import Fraction

from parasym.find.links import Bearing, Cell, Ground, Letters, Place, TooManyCells
from parasym.find.system import ZERO, Expression, LinearSystem
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
    Rotary,
    Slice,
    Value,
    operands,
    result,
)

Slot = tuple[int, int, int, int]  # value, axis, term, place within the term


class Exponents:
    """The exponents of every wire in every value, and of every value as a whole.

    Over the rationals an exponent ``e`` means that a scaling ``s`` of the wire multiplies the value by
    ``s ** e``; over GF(2) it says whether a sign flip reaches the value.

    Args:
        ground: Types and places.
        modulus: 0 for scales, 2 for signs.
    """

    def __init__(self, ground: Ground, modulus: int) -> None:
        self.ground = ground
        self.sign = modulus == 2
        self.system = LinearSystem(modulus)
        self.slots: dict[Slot, int] = {}
        self.wholes: dict[tuple[int, Cell], int] = {}
        for value in ground.types.program.values:
            self._start(value)
        for step in ground.types.program.code:
            self._impose(step)
        for value in ground.types.program.outputs:
            self._still(value)

    # -- unknowns ---------------------------------------------------------------------------------

    def slot(self, value: Value, place: Place, cell: Cell) -> int:
        """Return the exponent of the wire at a place of a cell."""
        axis, k = place
        return self._slot(value, axis, cell[axis], k)

    def _slot(self, value: Value, axis: int, term: int, k: int) -> int:
        key = (value.index, axis, term, k)
        known = self.slots.get(key)
        if known is not None:
            return known
        if not value.real or self.ground.terms(value)[axis][term].wires[k] in self.ground.still:
            return ZERO
        self.slots[key] = self.system.unknown(_rank(value))
        return self.slots[key]

    def whole(self, value: Value, cell: Cell) -> int:
        """Return the exponent of a cell as a whole."""
        key = (value.index, cell)
        known = self.wholes.get(key)
        if known is not None:
            return known
        if not value.real:
            return ZERO
        self.wholes[key] = self.system.unknown(_rank(value))
        return self.wholes[key]

    def _start(self, value: Value) -> None:
        if value.kind is Kind.INPUT or (value.kind is Kind.CONSTANT and not _is_zero(value)):
            self._still(value)

    def _still(self, value: Value) -> None:
        for axis, terms in enumerate(self.ground.terms(value)):
            for t, term in enumerate(terms):
                for k in range(len(term.wires)):
                    self.system.same(self._slot(value, axis, t, k), ZERO)
        try:
            for cell in self.ground.cells(value):
                self.system.same(self.whole(value, cell), ZERO)
        except TooManyCells:
            pass

    # -- equations --------------------------------------------------------------------------------

    def _impose(self, step: Instruction) -> None:
        try:
            spec = self.ground.letters(step)
            if spec is not None:
                self._by_letters(step, spec)
            elif isinstance(step, Reshape | Slice | Cat):
                self._structural(step)
            else:
                raise TooManyCells
        except TooManyCells:
            out = result(step)
            for value in (*operands(step), *(() if out is None else (out,))):
                self._still(value)

    def _structural(self, step: Reshape | Slice | Cat) -> None:
        same = self.system.same
        reached: set[Cell] = set()
        xs = operands(step)
        for operand, x in enumerate(xs):
            links = self.ground.links(step, operand)
            if not isinstance(step, Slice) and {link.x_cell for link in links} != set(self.ground.cells(x)):
                raise TooManyCells
            reached.update(link.out_cell for link in links)
        if reached != set(self.ground.cells(step.out)):
            raise TooManyCells
        for operand, x in enumerate(xs):
            for link in self.ground.links(step, operand):
                same(self.whole(x, link.x_cell), self.whole(step.out, link.out_cell))
                for place, target in link.places.items():
                    same(self.slot(x, place, link.x_cell), self.slot(step.out, target, link.out_cell))

    def _by_letters(self, step: Instruction, spec: Letters) -> None:
        for cells in self.ground.cell_rows(spec):
            *xs, out = [self.whole(value, cell) for value, cell in zip(spec.values, cells, strict=True)]
            self._relate(step, xs, out)
            if isinstance(step, Normalize | Rotary):
                self._tie(step, spec, cells)
        if isinstance(step, Rotary):
            self._tie_planes(step)
        for letter, bearing, t, k in self.ground.moving(spec):
            *xs, out = [ZERO if place is None else self._slot(place[0], place[1], t, k) for place in bearing]
            self._relate_slot(step, letter, bearing, xs, out)

    def _tie(self, step: Normalize | Rotary, spec: Letters, cells: tuple[Cell, ...]) -> None:
        """Give the blocks over which an instruction takes joint statistics, or rotates planes, one exponent."""
        dims = step.dims if isinstance(step, Normalize) else (len(step.x.shape) - 1,)
        for value, cell in zip(spec.values, cells, strict=True):
            first = tuple(0 if a in dims else t for a, t in enumerate(cell))
            if first != cell:
                self.system.same(self.whole(value, cell), self.whole(value, first))

    def _tie_planes(self, step: Rotary) -> None:
        axis = len(step.x.shape) - 1
        for first, second in plane_pairs(self.ground.count(step.x, axis), interleaved=step.interleaved):
            for k in range(len(self.ground.wires(step.x, axis, first))):
                self.system.same(self._slot(step.x, axis, first, k), self._slot(step.x, axis, second, k))

    def _relate_slot(self, step: Instruction, letter: int, bearing: Bearing, xs: list[int], out: int) -> None:
        gone = bearing[-1] is None
        new = all(place is None for place in bearing[:-1])
        if isinstance(step, Contract) and gone:
            self._product(xs, ZERO)
        elif gone or new or (isinstance(step, Normalize) and letter in step.dims):
            self._vanish(*xs, out)
        else:
            self._relate(step, xs, out)

    def _vanish(self, *names: int) -> None:
        for name in names:
            self.system.same(name, ZERO)

    def _product(self, xs: Iterable[int], out: int) -> None:
        """Impose that exponents add up to that of the product."""
        alive = [x for x in xs if not self.system.is_zero(x)]
        if not alive:
            self.system.same(out, ZERO)
        elif len(alive) == 1 and not (out == ZERO and self.system.modulus):
            self.system.same(alive[0], out)
        else:
            total: Expression = {}
            for name, factor in (*((x, 1) for x in alive), *(() if out == ZERO else ((out, -1),))):
                total[name] = total.get(name, 0) + factor
            self.system.equate(total)

    def _relate(self, step: Instruction, xs: list[int], out: int) -> None:
        if isinstance(step, Pointwise):
            self._pointwise(step, xs, out)
        elif isinstance(step, Contract):
            self._product(xs, out)
        elif isinstance(step, Normalize):
            self._normalize(step, xs[0], out)
        elif isinstance(step, Reduce):
            self._maybe(step.fn in ("sum", "mean"), step.fn != "generic", xs[0], out)
        elif isinstance(step, Fixed):
            self._maybe(step.fn == "linear", step.fn != "generic", xs[0], out)
        elif isinstance(step, Expand | Rotary | Reshape | Permute):
            self.system.same(xs[0], out)

    def _maybe(self, signs: bool, scales: bool, x: int, out: int) -> None:
        if signs if self.sign else scales:
            self.system.same(x, out)
        else:
            self._vanish(x, out)

    def _normalize(self, step: Normalize, x: int, out: int) -> None:
        if self.sign and step.odd:
            self.system.same(x, out)
            return
        self._vanish(out)
        if self.sign or not step.scale_free:
            self._vanish(x)

    def _pointwise(self, step: Pointwise, xs: list[int], out: int) -> None:
        fn = step.fn
        if fn is Fn.MUL:
            self._product(xs, out)
        elif fn is Fn.ADD:
            for value, x in zip(step.xs, xs, strict=True):
                if not _is_zero(value):
                    self.system.same(x, out)
        elif fn is Fn.LINEAR:
            self.system.same(xs[0], out)
        elif fn is Fn.POWER:
            self._power(step.degree, xs[0], out)
        elif fn is Fn.EVEN or (fn is Fn.ABS and self.sign):
            self._vanish(out)
            if not self.sign:
                self._vanish(xs[0])
        else:
            keeps = fn is Fn.ODD if self.sign else fn in (Fn.HOMOGENEOUS, Fn.ABS)
            for value, x in zip(step.xs, xs, strict=True):
                if keeps and not _is_zero(value):
                    self.system.same(x, out)
                elif not keeps:
                    self._vanish(x)
            if not keeps:
                self._vanish(out)

    def _power(self, degree: Fraction, x: int, out: int) -> None:
        odd = degree.numerator % 2
        if self.sign and degree.denominator == 1:
            self.system.same(x if odd else ZERO, out)
        elif self.sign or ZERO in (x, out):
            self._vanish(x, out)
        else:
            self.system.equate({x: degree, out: -1})

    # -- solutions --------------------------------------------------------------------------------

    def wire_basis(self, places: list[tuple[Value, Slot]]) -> list[dict[Slot, int | Fraction]]:
        """Return the independent actions on a wire, each as the exponent of every place that bears it.

        Args:
            places: The places of one wire in parameters and buffers.
        """
        return self._basis({slot: self.slots[slot] for _, slot in places if slot in self.slots})

    def whole_basis(self, cells: list[tuple[int, Cell]]) -> list[dict[tuple[int, Cell], int | Fraction]]:
        """Return the independent actions on whole cells of parameters and buffers.

        Args:
            cells: Value index and cell.
        """
        return self._basis({key: self.wholes[key] for key in cells if key in self.wholes})

    def _basis(self, names: dict) -> list[dict]:
        patterns: dict[int, dict] = {}
        for key, name in names.items():
            for base, factor in self.system.reduce({name: 1}).items():
                patterns.setdefault(base, {})[key] = factor
        return [patterns[base] for base in sorted(patterns)]


def plane_pairs(count: int, *, interleaved: bool) -> list[tuple[int, int]]:
    """Return which terms of an axis are the real and imaginary parts of the same planes."""
    if interleaved:
        return [(2 * k, 2 * k + 1) for k in range(count // 2)]
    return [(k, k + count // 2) for k in range(count // 2)]


def _rank(value: Value) -> int:
    return {Kind.PARAMETER: 0, Kind.STATE: 1}.get(value.kind, 2)


def _is_zero(value: Value) -> bool:
    return value.kind is Kind.CONSTANT and value.data is not None and not bool(value.data.any())
