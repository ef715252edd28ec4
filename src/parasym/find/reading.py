"""What reads every cell of a program, and how a shift arrives behind it."""

from collections import defaultdict
from dataclasses import dataclass

from parasym.find.carrier import Carrier
from parasym.find.gains import Gains
from parasym.find.ground import Ground, Step
from parasym.find.passing import Passing
from parasym.find.structure import Cell, TooManyCells
from parasym.find.sums import Sums
from parasym.find.template import Link, Template
from parasym.rules.program import Contract, Fn, Instruction, Pointwise, Value

CUT = "it is cut into so many blocks that their shifts are not followed"


@dataclass(slots=True)
class Use:
    """An operand of an instruction that reads a cell.

    Attributes:
        step: The instruction.
        operand: Which operand.
        link: From the cell to one of the result.
        lets: Whether any shift may come through.
        adds: Whether it is a sum.
    """

    step: Step
    operand: int
    link: Link
    lets: bool
    adds: bool


class Reading:
    """Everything that reads the values of a program.

    Args:
        ground: Types and places.
        sums: What sums to a known number.

    Attributes:
        ground: Types and places.
        values: The values of the program.
        passing: How shifts pass instructions.
        gains: What sums to a known number behind a gain.
        ends: Values in which no shift can be followed any further: outputs, and those that are lost.
        lost: Values that cannot be followed: states of loops, and what is read in a way that is not known.
        cut: Parameters of so many blocks that they are not looked at.
    """

    def __init__(self, ground: Ground, sums: Sums) -> None:
        program = ground.types.program
        self.ground = ground
        self.values = program.values
        self.lost: set[int] = set(program.loops)
        self.cut: dict[int, None] = {}
        self._readers: dict[int, list[tuple[Step, int]]] = defaultdict(list)
        self._uses: dict[tuple[int, Cell], list[Use]] = {}
        for step in ground.steps:
            self._read(step)
        self.ends = self.lost | {value.index for value in program.outputs}
        self.gains = Gains(ground, sums)
        self.passing = Passing(ground, sums, self.lost)

    def cells(self, value: Value) -> list[Cell]:
        """Return the cells of a value; none if there are too many, which is noted of a parameter.

        Args:
            value: Any value.
        """
        try:
            return self.ground.cells(value)
        except TooManyCells:
            if value.leaf:
                self.cut[value.index] = None
            return []

    def uses(self, index: int, cell: Cell) -> list[Use]:
        """Return what reads a cell; sums come last, as they leave a choice.

        Args:
            index: Index of a value.
            cell: A cell of it.
        """
        known = self._uses.get((index, cell))
        if known is None:
            known = [
                Use(step, operand, link, self.passing.lets(step, operand), adds(step.code))
                for step, operand in self._readers[index]
                for link in step.template.links(operand)
                if link.x_cell == cell
            ]
            if len(known) > 1:
                known.sort(key=lambda use: use.adds)
            self._uses[index, cell] = known
        return known

    def carried(self, use: Use, c: Carrier) -> list[Carrier]:
        """Return a shift as it arrives behind what reads it, in every form that is known.

        Args:
            use: What reads it.
            c: The shift.
        """
        if c.gained and isinstance(use.step.code, Contract):
            left = self.gains.met(use.step, use.operand, use.link, c, self.passing.contracting.through)
            return [] if left is None else [left]
        return list(self.passing.carried(use.step, use.operand, use.link, c)) if use.lets else []

    def _read(self, step: Step) -> None:
        for operand, x in enumerate(step.xs):
            links = None if step.out is None else _links(step.template, operand)
            if not links:
                self.lost.add(x.index)
                continue
            self._readers[x.index].append((step, operand))


def adds(code: Instruction) -> bool:
    """Return whether an instruction is a sum.

    Args:
        code: The instruction.
    """
    return isinstance(code, Pointwise) and code.fn is Fn.ADD


def _links(template: Template, operand: int) -> list[Link]:
    try:
        return template.links(operand)
    except TooManyCells:
        return []
