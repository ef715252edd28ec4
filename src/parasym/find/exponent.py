"""Scales and signs as dimensional analysis: one homogeneous linear system over the whole program."""

from fractions import Fraction

from parasym.find.axis import Leaf
from parasym.find.links import Cell, Ground, Letters, Place, TooManyCells, letters_of
from parasym.find.system import Expression, LinearSystem
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
ZERO: Expression = {}


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
        # A pinned wire that no parameter bears cannot be scaled by anything: leave it out.
        borne = {w for v in ground.types.program.values if v.leaf for a in range(len(v.shape)) for w in _wires(ground, v, a)}
        self._still_wires = ground.types.pinned - borne
        for value in ground.types.program.values:
            self._start(value)
        for step in ground.types.program.code:
            self._impose(step)
        for value in ground.types.program.outputs:
            self._still(value)

    # -- unknowns ---------------------------------------------------------------------------------

    def slot(self, value: Value, place: Place, cell: Cell) -> Expression:
        """Return the exponent of the wire at a place of a cell."""
        axis, k = place
        return self._slot(value, axis, cell[axis], k)

    def _slot(self, value: Value, axis: int, term: int, k: int) -> Expression:
        key = (value.index, axis, term, k)
        leaf = self.ground.wires(value, axis, term)[k]
        if not value.real or leaf in self._still_wires:
            return ZERO
        if key not in self.slots:
            self.slots[key] = self.system.unknown(_rank(value))
        return {self.slots[key]: 1}

    def whole(self, value: Value, cell: Cell) -> Expression:
        """Return the exponent of a cell as a whole."""
        if not value.real:
            return ZERO
        key = (value.index, cell)
        if key not in self.wholes:
            self.wholes[key] = self.system.unknown(_rank(value))
        return {self.wholes[key]: 1}

    def _everything(self, value: Value) -> list[Expression]:
        out = [
            self._slot(value, axis, term, k)
            for axis in range(len(value.shape))
            for term in range(self.ground.count(value, axis))
            for k in range(len(self.ground.wires(value, axis, term)))
        ]
        try:
            return out + [self.whole(value, cell) for cell in self.ground.cells(value)]
        except TooManyCells:
            return out

    def _start(self, value: Value) -> None:
        if value.kind is Kind.INPUT or (value.kind is Kind.CONSTANT and not _is_zero(value)):
            self._still(value)

    def _still(self, value: Value) -> None:
        for expression in self._everything(value):
            self.system.equate(expression)

    # -- equations --------------------------------------------------------------------------------

    def _impose(self, step: Instruction) -> None:
        try:
            if isinstance(step, Reshape | Slice | Cat | Permute):
                self._structural(step)
            else:
                spec = letters_of(step)
                if spec is None:
                    raise TooManyCells
                self._by_letters(step, spec)
        except TooManyCells:
            out = result(step)
            for value in (*operands(step), *(() if out is None else (out,))):
                self._still(value)

    def _equal(self, a: Expression, b: Expression) -> None:
        self.system.equate(_combine((a, 1), (b, -1)))

    def _structural(self, step: Reshape | Slice | Cat | Permute) -> None:
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
                self._equal(self.whole(x, link.x_cell), self.whole(step.out, link.out_cell))
                for place, target in link.places.items():
                    self._equal(self.slot(x, place, link.x_cell), self.slot(step.out, target, link.out_cell))

    def _by_letters(self, step: Instruction, spec: Letters) -> None:
        for choice in self.ground.letter_cells(spec):
            cells = [tuple(0 if c is None else choice[c] for c in letters) for letters in spec.letters]
            *xs, out = (self.whole(value, cell) for value, cell in zip(spec.values, cells, strict=True))
            self._relate(step, xs, out)
            self._tie(step, spec, cells)
        if isinstance(step, Rotary):
            self._tie_planes(step)
        for letter, count in self.ground.letter_terms(spec).items():
            axes = [letters.index(letter) if letter in letters else None for letters in spec.letters]
            value, axis = next((v, a) for v, a in zip(spec.values, axes, strict=True) if a is not None)
            for term in range(count):
                for k in range(len(self.ground.wires(value, axis, term))):
                    *xs, out = (ZERO if a is None else self._slot(v, a, term, k) for v, a in zip(spec.values, axes, strict=True))
                    self._relate_slot(step, letter, axes, xs, out)

    def _tie(self, step: Instruction, spec: Letters, cells: list[Cell]) -> None:
        """Give the blocks over which an instruction takes joint statistics, or rotates planes, one exponent."""
        dims = step.dims if isinstance(step, Normalize) else (len(step.x.shape) - 1,) if isinstance(step, Rotary) else ()
        for value, cell in zip(spec.values, cells, strict=True):
            first = tuple(0 if a in dims else t for a, t in enumerate(cell))
            if first != cell:
                self._equal(self.whole(value, cell), self.whole(value, first))

    def _tie_planes(self, step: Rotary) -> None:
        axis = len(step.x.shape) - 1
        for first, second in plane_pairs(self.ground.count(step.x, axis), interleaved=step.interleaved):
            for k in range(len(self.ground.wires(step.x, axis, first))):
                self._equal(self._slot(step.x, axis, first, k), self._slot(step.x, axis, second, k))

    def _relate_slot(self, step: Instruction, letter: int, axes: list[int | None], xs: list[Expression], out: Expression) -> None:
        gone = axes[-1] is None
        new = all(a is None for a in axes[:-1])
        if isinstance(step, Contract) and gone:
            self.system.equate(_combine(*((x, 1) for x in xs)))
        elif gone or new or (isinstance(step, Normalize) and letter in step.dims):
            for expression in (*xs, out):
                self.system.equate(expression)
        else:
            self._relate(step, xs, out)

    def _relate(self, step: Instruction, xs: list[Expression], out: Expression) -> None:
        if isinstance(step, Pointwise):
            self._pointwise(step, xs, out)
        elif isinstance(step, Contract):
            self.system.equate(_combine(*((x, 1) for x in xs), (out, -1)))
        elif isinstance(step, Normalize):
            self._normalize(step, xs[0], out)
        elif isinstance(step, Reduce):
            self._maybe(step.fn in ("sum", "mean"), step.fn != "generic", xs[0], out)
        elif isinstance(step, Fixed):
            self._maybe(step.fn == "linear", step.fn != "generic", xs[0], out)
        elif isinstance(step, Expand | Rotary):
            self._equal(xs[0], out)

    def _maybe(self, signs: bool, scales: bool, x: Expression, out: Expression) -> None:
        if signs if self.sign else scales:
            self._equal(x, out)
        else:
            self.system.equate(x)
            self.system.equate(out)

    def _normalize(self, step: Normalize, x: Expression, out: Expression) -> None:
        if self.sign and step.odd:
            self._equal(x, out)
            return
        self.system.equate(out)
        if self.sign or not step.scale_free:
            self.system.equate(x)

    def _pointwise(self, step: Pointwise, xs: list[Expression], out: Expression) -> None:
        fn = step.fn
        if fn is Fn.MUL:
            self.system.equate(_combine(*((x, 1) for x in xs), (out, -1)))
        elif fn is Fn.ADD:
            for value, x in zip(step.xs, xs, strict=True):
                if not _is_zero(value):
                    self._equal(x, out)
        elif fn is Fn.LINEAR:
            self._equal(xs[0], out)
        elif fn is Fn.POWER:
            self._power(step.degree, xs[0], out)
        elif fn is Fn.EVEN or (fn is Fn.ABS and self.sign):
            self.system.equate(out)
            if not self.sign:
                self.system.equate(xs[0])
        else:
            keeps = fn is Fn.ODD if self.sign else fn in (Fn.HOMOGENEOUS, Fn.ABS)
            for value, x in zip(step.xs, xs, strict=True):
                if keeps and not _is_zero(value):
                    self._equal(x, out)
                elif not keeps:
                    self.system.equate(x)
            if not keeps:
                self.system.equate(out)

    def _power(self, degree: Fraction, x: Expression, out: Expression) -> None:
        if not self.sign:
            self.system.equate(_combine((x, degree), (out, -1)))
        elif degree.denominator == 1:
            self.system.equate(_combine((x, int(degree) % 2), (out, 1)))
        else:
            self.system.equate(x)
            self.system.equate(out)

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


def _wires(ground: Ground, value: Value, axis: int) -> list[Leaf]:
    return [wire for term in ground.types.terms(value, axis) for wire in term.wires]


def plane_pairs(count: int, *, interleaved: bool) -> list[tuple[int, int]]:
    """Return which terms of an axis are the real and imaginary parts of the same planes."""
    if interleaved:
        return [(2 * k, 2 * k + 1) for k in range(count // 2)]
    return [(k, k + count // 2) for k in range(count // 2)]


def _rank(value: Value) -> int:
    return {Kind.PARAMETER: 0, Kind.STATE: 1}.get(value.kind, 2)


def _is_zero(value: Value) -> bool:
    return value.kind is Kind.CONSTANT and value.data is not None and not bool(value.data.any())


def _combine(*parts: tuple[Expression, int | Fraction]) -> Expression:
    out: Expression = {}
    for expression, factor in parts:
        for name, c in expression.items():
            out[name] = out.get(name, 0) + c * factor
    return {name: c for name, c in out.items() if c}
