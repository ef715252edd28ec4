"""The exponents of scales and signs: one homogeneous linear system over the whole program."""

from collections.abc import Collection
from fractions import Fraction
from typing import Any

from parasym.find.ground import Ground, Step
from parasym.find.relation import Relations, alike
from parasym.find.structure import Cell
from parasym.find.system import LinearSystem
from parasym.rules.program import Kind, Value

Slot = tuple[int, int, int, int]  # value, axis, term, place within the term
Pattern = dict[Slot, int | Fraction]


class Exponents:
    """The exponents of every wire in every value, and of every value as a whole; see :mod:`parasym.find.relation`.

    Scales and signs have the same unknowns, and equations of their own.

    Args:
        ground: Types and structures.
        empty: Whether to begin with no equations.
        without: Identities of instructions that are left out.
    """

    def __init__(self, ground: Ground, *, empty: bool = False, without: Collection[int] = ()) -> None:
        self.ground = ground
        self.scales, self.signs = LinearSystem(0), LinearSystem(2)
        self._base: dict[int, int] = {}
        """Of every value the number of its first exponent."""
        if empty:
            return
        program = ground.types.program
        for value in program.values:
            if self.is_still(value):
                self.hold(value)
        for step in ground.steps:
            if not without or id(step.code) not in without:
                self.impose(step)
        for value in program.outputs:
            self.hold(value)

    def is_still(self, value: Value) -> bool:
        """Return whether a value is an input or a constant, which nothing moves."""
        return value.kind is Kind.INPUT or (value.kind is Kind.CONSTANT and not self.ground.structure(value).zero)

    def _start(self, value: Value) -> int:
        """Return the number of the first exponent of a value."""
        size, rank = self.ground.structure(value).size, _RANK.get(value.kind, 2)
        self.signs.unknowns(size, rank)
        base = self._base[value.index] = self.scales.unknowns(size, rank)
        return base

    def hold(self, value: Value) -> None:
        """Impose that nothing moves a value."""
        base = self._base.get(value.index)
        if base is None:
            base = self._start(value)
        for k in range(self.ground.structure(value).size):
            self.scales.vanish(base + k)
            self.signs.vanish(base + k)

    def impose(self, step: Step) -> None:
        """Impose what an instruction says."""
        known = step.template.known.get(Relations)
        if known is None:
            scales, signs = [Relations(step.template, sign=sign) for sign in (False, True)]
            known = step.template.known[Relations] = (scales, signs, alike(step.template, scales, signs))
        scales, signs, twin = known
        base = []
        for value in step.xs:
            first = self._base.get(value.index)
            base.append(self._start(value) if first is None else first)
        if step.out is not None:
            first = self._base.get(step.out.index)
            if first is None and twin is not None:  # the output has the exponents of an operand
                first = self._base[step.out.index] = base[twin]
            base.append(self._start(step.out) if first is None else first)
        for system, said in ((self.scales, scales), (self.signs, signs)):
            for k, n in said.zeros:
                system.vanish(base[k] + n)
            for (k, n), (m, i) in said.same:
                a, b = base[k] + n, base[m] + i
                if a != b:
                    system.same(a, b)
            for terms, last in said.products:
                names = [(base[k] + n, degree) for (k, n), degree in terms]
                system.product(names, None if last is None else base[last[0]] + last[1])

    # -- solutions --------------------------------------------------------------------------------

    def of_wire(self, places: list[Slot]) -> tuple[list[Pattern], list[Pattern]]:
        """Return the independent scales and signs of a wire, each as the exponent of every place that bears it.

        Args:
            places: The places of one wire in parameters and buffers.
        """
        names = self.numbers(places)
        return _basis(self.scales, names), _basis(self.signs, names)

    def vanishes(self, target: Slot | tuple[int, Cell], *, sign: bool) -> bool:
        """Return whether the exponent of a place of a wire, or of a cell, is known to be zero.

        Args:
            target: Where it is.
            sign: Whether signs are meant, rather than scales.
        """
        base = self._base.get(target[0])
        structure = self.ground.structure(self.ground.types.program.values[target[0]])
        number = structure.slots.get(target[1:]) if len(target) == 4 else structure.wholes.get(target[1])  # pyright: ignore
        system = self.signs if sign else self.scales
        return base is not None and number is not None and system.is_zero(base + number)

    def numbers(self, places: list[Slot]) -> dict[Slot, int]:
        """Return the number of the exponent of every place that has one.

        Args:
            places: Places of wires in any values.
        """
        out: dict[Slot, int] = {}
        values = self.ground.types.program.values
        for place in places:
            base = self._base.get(place[0])
            number = self.ground.structure(values[place[0]]).slots.get(place[1:])
            if number is not None and base is not None:
                out[place] = base + number
        return out

    def of_cells(self, cells: list[tuple[int, Cell]]) -> tuple[list[dict], list[dict]]:
        """Return the independent scales and signs of whole cells of parameters and buffers.

        Args:
            cells: Value index and cell.
        """
        names: dict[tuple[int, Cell], int] = {}
        values = self.ground.types.program.values
        for index, cell in cells:
            base = self._base.get(index)
            number = self.ground.structure(values[index]).wholes.get(cell)
            if number is not None and base is not None:
                names[index, cell] = base + number
        return _basis(self.scales, names), _basis(self.signs, names)


def _basis(system: LinearSystem, names: dict[Any, int]) -> list[dict]:
    patterns: dict[int, dict] = {}
    for key, name in names.items():
        for base, factor in system.value(name).items():
            patterns.setdefault(base, {})[key] = factor.numerator if factor.denominator == 1 else factor
    return [patterns[base] for base in sorted(patterns)]


_RANK = {Kind.PARAMETER: 0, Kind.STATE: 1}
"""What is removed last: parameters are the unknowns that stay free."""
