"""The exponents of scales and signs: one homogeneous linear system over the whole program."""

from fractions import Fraction

from parasym.find.ground import Ground, Step
from parasym.find.relation import Relations
from parasym.find.structure import Cell
from parasym.find.system import Expression, LinearSystem
from parasym.rules.program import Kind, Value

Slot = tuple[int, int, int, int]  # value, axis, term, place within the term


class Exponents:
    """The exponents of every wire in every value, and of every value as a whole; see :mod:`parasym.find.relation`.

    Args:
        ground: Types and structures.
        modulus: 0 for scales, 2 for signs.
    """

    def __init__(self, ground: Ground, modulus: int) -> None:
        self.ground = ground
        self.sign = modulus == 2
        self.system = LinearSystem(modulus)
        self._base: dict[int, int] = {}
        """Of every value the number of its first exponent in the system."""
        program = ground.types.program
        for value in program.values:
            if value.kind is Kind.INPUT or (value.kind is Kind.CONSTANT and not ground.structure(value).zero):
                self._still(value)
        for step in ground.steps:
            self._impose(step)
        for value in program.outputs:
            self._still(value)

    def _start(self, value: Value) -> int:
        """Return the number of the first exponent of a value."""
        rank = _RANK.get(value.kind, 2)
        base = self._base[value.index] = self.system.unknowns(self.ground.structure(value).size, rank)
        return base

    def _still(self, value: Value) -> None:
        base = self._base.get(value.index)
        if base is None:
            base = self._start(value)
        for k in range(self.ground.structure(value).size):
            self.system.vanish(base + k)

    def _impose(self, step: Step) -> None:
        template = step.template
        said = template.known.get(self.sign)
        if said is None:
            said = template.known[self.sign] = Relations(template, sign=self.sign)
        known, base = self._base, []
        for value in step.xs if step.out is None else (*step.xs, step.out):
            first = known.get(value.index)
            base.append(self._start(value) if first is None else first)
        system = self.system
        for k, n in said.zeros:
            system.vanish(base[k] + n)
        for (k, n), (m, i) in said.same:
            system.same(base[k] + n, base[m] + i)
        for refs, last in said.products:
            system.product([base[k] + n for k, n in refs], None if last is None else base[last[0]] + last[1])
        for degree, (k, n), (m, i) in said.powers:
            system.product([base[k] + n], base[m] + i, degree)

    # -- solutions --------------------------------------------------------------------------------

    def wire_basis(self, places: list[Slot]) -> list[dict[Slot, int | Fraction]]:
        """Return the independent actions on a wire, each as the exponent of every place that bears it.

        Args:
            places: The places of one wire in parameters and buffers.
        """
        names: dict[Slot, int] = {}
        values = self.ground.types.program.values
        for place in places:
            index, *slot = place
            number = self.ground.structure(values[index]).slots.get(tuple(slot))
            if number is not None and index in self._base:
                names[place] = self._base[index] + number
        return self._basis(names)

    def whole_basis(self, cells: list[tuple[int, Cell]]) -> list[dict[tuple[int, Cell], int | Fraction]]:
        """Return the independent actions on whole cells of parameters and buffers.

        Args:
            cells: Value index and cell.
        """
        values = self.ground.types.program.values
        numbers = {key: self.ground.structure(values[key[0]]).wholes.get(key[1]) for key in cells if key[0] in self._base}
        return self._basis({key: self._base[key[0]] + n for key, n in numbers.items() if n is not None})

    def _basis(self, names: dict) -> list[dict]:
        patterns: dict[int, dict] = {}
        for key, name in names.items():
            found: Expression = self.system.value(name)
            for base, factor in found.items():
                patterns.setdefault(base, {})[key] = factor
        return [patterns[base] for base in sorted(patterns)]


_RANK = {Kind.PARAMETER: 0, Kind.STATE: 1}
"""What is removed last: parameters are the unknowns that stay free."""
