"""The ground on which all later passes stand: how every value is cut, and the form of every instruction."""

from collections.abc import Set
from functools import cached_property
from typing import Any, NamedTuple

from parasym.find.axis import Axis, Leaf
from parasym.find.structure import Cell, Cut, Place, Structure, structure_of
from parasym.find.template import Template, Terms, letters_of, template_of
from parasym.find.terms import Term
from parasym.find.typing import Types
from parasym.rules.program import Cat, Instruction, Kind, Reshape, Slice, Value, operands, result

_FEW = 64


class Step(NamedTuple):
    """An instruction of a program.

    Attributes:
        code: The instruction.
        template: What is known of all instructions of its form.
        xs: Its operands.
        out: Its result, ``None`` for a pin.
    """

    code: Instruction
    template: Template
    xs: tuple[Value, ...]
    out: Value | None


class Ground:
    """Types of a program, with the structure of every value and the template of every instruction.

    Args:
        types: The types.
    """

    def __init__(self, types: Types) -> None:
        self.types = types
        self._cut: dict[int, tuple[tuple[Term, ...], Cut]] = {}
        """By identity: the types keep their axes alive, and to compare them takes longer."""
        self._cuts: dict[Cut, Cut] = {}
        self.axes: list[Axis] = []
        """Every axis that some value has."""
        structures: dict[tuple[Any, ...], Structure] = {}
        self._terms: list[Terms] = []
        self._structures: list[Structure] = []
        for value, kinds in zip(types.program.values, types.axes, strict=True):
            axes = [self._cut.get(id(kind)) or self._cut_of(kind) for kind in kinds]
            zero = value.kind is Kind.CONSTANT and is_zero(value)
            key = (value.real, zero, *[id(cut) for _, cut in axes])
            structure = structures.get(key)
            if structure is None:
                structure = structures[key] = structure_of(tuple([cut for _, cut in axes]), value.real, zero)
            self._terms.append(tuple([terms for terms, _ in axes]))
            self._structures.append(structure)

    @cached_property
    def still(self) -> Set[Leaf]:
        """Pinned wires that no parameter bears: nothing can act on them."""
        types = self.types
        axes = {axis for v in types.program.values if v.leaf for axis in types.axes[v.index]}
        return types.pinned - {wire for axis in axes for term in types.terms(axis) for wire in term.wires}

    def takes_whole(self, terms: tuple[Term, ...]) -> bool:
        """Whether an axis of these terms is taken as one block, whatever it is made of."""
        return False

    # -- values -----------------------------------------------------------------------------------

    def terms(self, value: Value) -> Terms:
        """Return the terms of every axis of a value."""
        return self._terms[value.index]

    def structure(self, value: Value) -> Structure:
        """Return how a value is cut."""
        return self._structures[value.index]

    def _cut_of(self, axis: Axis) -> tuple[tuple[Term, ...], Cut]:
        terms = self.types.terms(axis)
        whole = self.takes_whole(terms)
        if whole:
            terms = (Term(0, (), ()) if axis.size == 1 else Term(0, (Leaf(axis.size),), (1,)),)
        still = self.still
        self.axes.append(axis)
        cut = (whole, tuple([tuple([w not in still for w in t.wires]) for t in terms]))
        known = self._cut[id(axis)] = (terms, self._cuts.setdefault(cut, cut))
        return known

    def count(self, value: Value, axis: int) -> int:
        """Return the number of terms of an axis."""
        return self._structures[value.index].counts[axis]

    def single(self, value: Value) -> bool:
        """Whether a value has one cell only."""
        return self._structures[value.index].single

    def cells(self, value: Value) -> list[Cell]:
        """Return every cell of a value.

        Raises:
            TooManyCells: If there are more than the limit.
        """
        return self._structures[value.index].cells

    def wires(self, value: Value, axis: int, term: int) -> tuple[Leaf, ...]:
        """Return the wires of a term."""
        return self._terms[value.index][axis][term].wires

    def term(self, value: Value, axis: int, term: int) -> Term:
        """Return a term of an axis."""
        return self._terms[value.index][axis][term]

    def places(self, value: Value, cell: Cell) -> list[Place]:
        """Return the places of a cell."""
        return self.structure(value).places(cell)

    # -- instructions -----------------------------------------------------------------------------

    @cached_property
    def steps(self) -> list[Step]:
        """Every instruction with its operands, its result and its template."""
        out: list[Step] = []
        for step in self.types.program.code:
            letters = letters_of(step)
            xs, made = operands(step), result(step)
            values = xs if made is None else (*xs, made)
            same = () if len(xs) == 1 else tuple([xs.index(x) for x in xs])
            cutting = letters is None and isinstance(step, (Slice, Cat, Reshape))
            terms = tuple([self._terms[v.index] for v in values]) if cutting else ()
            structures = tuple([self._structures[v.index] for v in values])
            out.append(Step(step, template_of(step, letters, structures, same, terms), xs, made))
        return out


class PositionsWhole(Ground):
    """The same ground with pinned axes, such as positions in a sequence, taken whole."""

    still: Set[Leaf] = frozenset()

    def takes_whole(self, terms: tuple[Term, ...]) -> bool:
        """Whether an axis has several blocks and nothing acts on it."""
        return len(terms) > 1 and all(wire in self.types.pinned for term in terms for wire in term.wires)


class AllWhole(Ground):
    """The same ground with every axis taken whole, for shifts that run through all blocks at once."""

    still: Set[Leaf] = frozenset()

    def takes_whole(self, terms: tuple[Term, ...]) -> bool:
        """Return True."""
        return True


def is_zero(value: Value) -> bool:
    """Return whether a value is a constant of zeros."""
    if value.kind is not Kind.CONSTANT or value.data is None:
        return False
    first = value.data.reshape(-1)[:_FEW]  # mostly tells
    return not bool(first.any()) and not bool(value.data.any())
