"""The ground on which all later passes stand: how every value is cut, and the form of every instruction."""

from functools import cached_property
from typing import Any

from parasym.find.axis import Axis, Leaf, Term
from parasym.find.structure import Cell, Cut, Place, Structure
from parasym.find.template import Template, Terms, cuts, form_of, letters_of
from parasym.find.typing import Types
from parasym.rules.program import Cat, Instruction, Kind, Reshape, Slice, Value, operands, result


class Ground:
    """Types of a program, with the structure of every value and the template of every instruction.

    Args:
        types: The types.
    """

    def __init__(self, types: Types) -> None:
        self.types = types
        self._cut: dict[Axis, tuple[tuple[Term, ...], Cut]] = {}
        self._seen: dict[int, tuple[Terms, Structure]] = {}
        self._structures: dict[tuple[Any, ...], Structure] = {}
        self._templates: dict[tuple[Any, ...], Template] = {}
        self._of_step: dict[int, Template] = {}

    @cached_property
    def still(self) -> set[Leaf]:
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
        return self._look(value)[0]

    def structure(self, value: Value) -> Structure:
        """Return how a value is cut."""
        return self._look(value)[1]

    def _look(self, value: Value) -> tuple[Terms, Structure]:
        known = self._seen.get(value.index)
        if known is None:
            axes = [self._cut.get(axis) or self._cut_of(axis) for axis in self.types.axes[value.index]]
            key = (tuple([cut for _, cut in axes]), value.real, is_zero(value))
            structure = self._structures.get(key)
            if structure is None:
                structure = self._structures[key] = Structure(key[0], real=key[1], zero=key[2])
            known = self._seen[value.index] = (tuple([terms for terms, _ in axes]), structure)
        return known

    def _cut_of(self, axis: Axis) -> tuple[tuple[Term, ...], Cut]:
        terms = self.types.terms(axis)
        whole = self.takes_whole(terms)
        if whole:
            terms = (Term(0, (), ()) if axis.size == 1 else Term(0, (Leaf(axis.size),), (1,)),)
        still = self.still
        known = self._cut[axis] = (terms, (whole, tuple([tuple([w not in still for w in t.wires]) for t in terms])))
        return known

    def count(self, value: Value, axis: int) -> int:
        """Return the number of terms of an axis."""
        return self.structure(value).counts[axis]

    def single(self, value: Value) -> bool:
        """Whether a value has one cell only."""
        return self.structure(value).single

    def cells(self, value: Value) -> list[Cell]:
        """Return every cell of a value.

        Raises:
            TooManyCells: If there are more than the limit.
        """
        return self.structure(value).cells

    def wires(self, value: Value, axis: int, term: int) -> tuple[Leaf, ...]:
        """Return the wires of a term."""
        return self.terms(value)[axis][term].wires

    def term(self, value: Value, axis: int, term: int) -> Term:
        """Return a term of an axis."""
        return self.terms(value)[axis][term]

    def places(self, value: Value, cell: Cell) -> list[Place]:
        """Return the places of a cell."""
        return self.structure(value).places(cell)

    # -- instructions -----------------------------------------------------------------------------

    def template(self, step: Instruction) -> Template:
        """Return what is known of all instructions of the same form."""
        known = self._of_step.get(id(step))
        if known is None:
            known = self._of_step[id(step)] = self._find(step)
        return known

    def _find(self, step: Instruction) -> Template:
        letters = letters_of(step)
        xs, out = operands(step), result(step)
        values = xs if out is None else (*xs, out)
        looks = [self._look(v) for v in values]
        structures = tuple([structure for _, structure in looks])
        same = () if len(xs) == 1 else tuple([xs.index(x) for x in xs])
        terms = tuple([t for t, _ in looks]) if isinstance(step, Slice | Cat | Reshape) and letters is None else ()
        key = (form_of(step, letters), structures, same, cuts(terms))
        known = self._templates.get(key)
        if known is None:
            known = self._templates[key] = Template(step, letters, structures, terms)
        return known


class PositionsWhole(Ground):
    """The same ground with pinned axes, such as positions in a sequence, taken whole."""

    still: set[Leaf] = set()

    def takes_whole(self, terms: tuple[Term, ...]) -> bool:
        """Whether an axis has several blocks and nothing acts on it."""
        return len(terms) > 1 and all(wire in self.types.pinned for term in terms for wire in term.wires)


class AllWhole(Ground):
    """The same ground with every axis taken whole, for shifts that run through all blocks at once."""

    still: set[Leaf] = set()

    def takes_whole(self, terms: tuple[Term, ...]) -> bool:
        """Return True."""
        return True


def is_zero(value: Value) -> bool:
    """Return whether a value is a constant of zeros."""
    return value.kind is Kind.CONSTANT and value.data is not None and not bool(value.data.any())
