"""What all instructions of one form have in common: models repeat themselves, and each form is looked at once.

The form of an instruction is what it does, how its operands and its result are cut into cells, and which operands are the
same value. Lengths of axes and names of wires do not enter, except where a reshape, a slice or a concatenation cuts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product as cartesian
from math import prod
from typing import Any

from parasym.find.axis import Leaf
from parasym.find.structure import CELL_LIMIT, Cell, Place, Structure, TooManyCells
from parasym.find.terms import Term
from parasym.rules.program import (
    Cat,
    Contract,
    Fixed,
    Instruction,
    Normalize,
    Permute,
    Pin,
    Pointwise,
    Reduce,
    Reshape,
    Rotary,
    Slice,
    Value,
    attributes,
    operands,
    segments,
)

Letter = int | None
Letters = tuple[tuple[Letter, ...], ...]
Terms = tuple[tuple[Term, ...], ...]
Pairing = tuple[dict[int, int], dict[int, int], dict[Place, Place]]


@dataclass(frozen=True)
class Link:
    """A cell of an operand that continues in a cell of the output, and which place becomes which."""

    x_cell: Cell
    out_cell: Cell
    places: dict[Place, Place]
    passages: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    """How shifts along places pass it, as far as that was asked."""


def letters_of(step: Instruction) -> Letters | None:
    """Return an instruction as letters: one tuple per operand, then the output's; ``None`` in a tuple is a broadcast axis.

    Slices, concatenations, pins, and reshapes that split or merge axes have no letters.

    Args:
        step: Any instruction.
    """
    if isinstance(step, Pointwise):
        return (*step.letters, tuple(range(len(step.out.shape))))
    if isinstance(step, Contract):
        return step.x_letters, step.y_letters, step.out_letters
    if isinstance(step, Reshape):
        return _unit_letters(step.x.shape, step.out.shape)
    if isinstance(step, (Slice, Cat, Pin)):
        return None
    axes = tuple(range(len(step.x.shape)))
    if isinstance(step, Reduce):
        return axes, tuple(k for k in axes if k not in step.dims)
    if isinstance(step, (Normalize, Rotary)):
        return axes, axes
    if isinstance(step, Fixed):
        kept = {out: x for x, out in step.kept}
        return axes, tuple(kept.get(k, len(axes) + k) for k in range(len(step.out.shape)))
    if isinstance(step, Permute):
        return axes, step.order
    n = len(step.out.shape)
    lead = n - len(axes)
    return tuple(k + lead if m == step.out.shape[k + lead] else None for k, m in enumerate(step.x.shape)), tuple(range(n))


def _unit_letters(before: tuple[int, ...], after: tuple[int, ...]) -> Letters | None:
    """Return the letters of a reshape that only adds or drops axes of length one."""
    if [n for n in before if n > 1] != [n for n in after if n > 1]:
        return None
    return tuple(_wide(before)), tuple(_wide(after))


def _wide(shape: tuple[int, ...]) -> list[Letter]:
    out: list[Letter] = []
    k = 0
    for n in shape:
        out.append(k if n > 1 else None)
        k += n > 1
    return out


def form_of(step: Instruction, letters: Letters | None) -> tuple[Any, ...]:
    """Return what an instruction does, apart from the values it does it to: every attribute that it has.

    Args:
        step: Any instruction.
        letters: Its letters.
    """
    shapes = () if letters or isinstance(step, Pin) else tuple([v.shape for v in (*operands(step), step.out)])
    return type(step), *attributes(step).values(), letters, shapes


def cuts(terms: Sequence[Terms]) -> tuple[Any, ...]:
    """Return where terms start and which wires are the same, apart from which they are.

    Args:
        terms: The terms of every axis of several values.
    """
    number: dict[Leaf, int] = {}
    return tuple(
        (t.start, tuple((number.setdefault(w, len(number)), w.size) for w in t.wires), t.strides)
        for value in terms
        for axis in value
        for t in axis
    )


def template_of(
    step: Instruction, letters: Letters | None, structures: tuple[Structure, ...], same: tuple[int, ...], terms: tuple[Terms, ...]
) -> "Template":
    """Return the template of all instructions of one form; it outlives the program, as models resemble each other.

    Args:
        step: The instruction.
        letters: Its letters.
        structures: How its operands, and its output last, are cut.
        same: For every operand the first one that is the same value; empty if there is only one.
        terms: The terms of the same values, for instructions without letters.
    """
    key = (form_of(step, letters), structures, same, cuts(terms))
    known = _TEMPLATES.get(key)
    if known is None:
        if len(_TEMPLATES) >= _MOST:
            _TEMPLATES.clear()
        known = _TEMPLATES[key] = Template(_bare(step), letters, structures, terms)
    return known


def _bare(step: Instruction) -> Instruction:
    """Return an instruction on values of the same shapes, without names and numbers."""
    bare: dict[int, Value] = {}

    def of(x: Value) -> Value:
        return bare.setdefault(x.index, Value(x.index, x.shape, x.kind, x.real))

    parts: dict[str, Any] = (
        {"xs": tuple(of(x) for x in step.xs)} if isinstance(step, (Pointwise, Cat, Pin)) else {"x": of(step.x)}
    )
    if isinstance(step, Contract):
        parts["y"] = of(step.y)
    if not isinstance(step, Pin):
        parts["out"] = of(step.out)
    return replace(step, **parts)


class Template:
    """An instruction of some form, and what has been worked out for all of this form.

    Args:
        step: An instruction of the form; only what the form says about it may be used.
        letters: Its letters.
        structures: How its operands, and its output last, are cut.
        terms: The terms of the same values, for instructions without letters; their wires stand for any.
    """

    def __init__(
        self, step: Instruction, letters: Letters | None, structures: tuple[Structure, ...], terms: tuple[Terms, ...]
    ) -> None:
        self.step = step
        self.structures = structures
        self._letters = letters
        self._terms = terms
        self._links: dict[int, list[Link] | None] = {}
        self.known: dict[Any, Any] = {}
        """Answers of later passes, by question."""

    @property
    def lettered(self) -> bool:
        """Whether the instruction can be written in letters."""
        return self._letters is not None

    @property
    def letters(self) -> Letters:
        """One tuple of letters per operand, then the output's."""
        assert self._letters is not None
        return self._letters

    @property
    def out(self) -> Structure:
        """How the output is cut."""
        return self.structures[-1]

    @cached_property
    def bearing(self) -> dict[int, list[int | None]]:
        """For every letter, the axis of every operand, and of the output last, that bears it."""
        out: dict[int, list[int | None]] = {}
        for k, letters in enumerate(self.letters):
            for axis, letter in enumerate(letters):
                if letter is not None:
                    out.setdefault(letter, [None] * len(self.letters))[k] = axis
        return out

    @cached_property
    def choices(self) -> list[dict[int, int]]:
        """Every choice of one term per letter.

        Raises:
            TooManyCells: If there are more than the limit.
        """
        counts: dict[int, int] = {}
        for structure, letters in zip(self.structures, self.letters, strict=True):
            counts.update((c, n) for c, n in zip(letters, structure.counts, strict=True) if c is not None)
        if prod(counts.values()) > CELL_LIMIT:
            raise TooManyCells
        return [dict(zip(counts, choice, strict=True)) for choice in cartesian(*map(range, counts.values()))]

    @cached_property
    def rows(self) -> list[tuple[Cell, ...]]:
        """For every choice of one term per letter the cell of every operand and of the output.

        Raises:
            TooManyCells: If there are more than the limit.
        """
        if all(structure.single for structure in self.structures):
            return [tuple(structure.first for structure in self.structures)]
        choices = self.choices
        return [tuple(tuple(0 if c is None else choice[c] for c in mine) for mine in self.letters) for choice in choices]

    def links(self, operand: int) -> list[Link]:
        """Return how the cells of an operand continue in the output.

        Raises:
            TooManyCells: If there are more than the limit.
        """
        if operand not in self._links:
            try:
                self._links[operand] = self._made(operand)
            except TooManyCells:
                self._links[operand] = None
        known = self._links[operand]
        if known is None:
            raise TooManyCells
        return known

    def _made(self, operand: int) -> list[Link]:
        step = self.step
        if isinstance(step, Pin):
            return []
        if isinstance(step, (Slice, Cat)):
            start = -step.start if isinstance(step, Slice) else sum(v.shape[step.dim] for v in step.xs[:operand])
            return self._shifted(operand, step.dim, start)
        if not self.lettered:
            return self._reshaped()
        mine = self.letters[operand]
        where = {c: a for a, c in enumerate(self.letters[-1])}
        seen: dict[tuple[Cell, Cell], Link] = {}
        for cells in self.rows:
            x_cell, out_cell = cells[operand], cells[-1]
            if (x_cell, out_cell) not in seen:
                places = {
                    (a, k): (where[c], k)
                    for a, c in enumerate(mine)
                    if c is not None and c in where
                    for k in range(len(self.structures[operand].axes[a][x_cell[a]]))
                }
                seen[x_cell, out_cell] = Link(x_cell, out_cell, places)
        return list(seen.values())

    # -- instructions that cut ---------------------------------------------------------------------

    def _shifted(self, operand: int, dim: int, shift: int) -> list[Link]:
        x, out = self.structures[operand], self.out
        gone: set[Place] = set()
        if x.whole[dim] or out.whole[dim]:
            if x.counts[dim] > 1 or out.counts[dim] > 1:
                return []
            match = {0: 0}
            n, m = (v.shape[dim] for v in (self._value(operand), self._value(-1)))
            gone = {(dim, 0)} if n < m or m == 1 else set()
        else:
            after = {term.start: (j, term.wires) for j, term in enumerate(self._terms[-1][dim])}
            match = {}
            for i, term in enumerate(self._terms[operand][dim]):
                j, wires = after.get(term.start + shift, (0, None))
                if wires == term.wires:
                    match[i] = j
        links = []
        for cell in x.cells:
            if cell[dim] in match:
                places = {place: place for place in x.places(cell) if place not in gone}
                links.append(Link(cell, (*cell[:dim], match[cell[dim]], *cell[dim + 1 :]), places))
        return links

    def _value(self, operand: int) -> Any:
        step = self.step
        assert isinstance(step, (Slice, Cat))
        return step.out if operand < 0 else step.xs[operand] if isinstance(step, Cat) else step.x

    def _reshaped(self) -> list[Link]:
        step = self.step
        assert isinstance(step, Reshape)
        per_segment = [self._segment(step, ins, outs) for ins, outs in segments(step.x.shape, step.out.shape)]
        if prod(len(p) for p in per_segment) > CELL_LIMIT:
            raise TooManyCells
        links = []
        for combo in cartesian(*per_segment):
            x_cell, out_cell, places = [0] * len(step.x.shape), [0] * len(step.out.shape), {}
            for before, behind, moved in combo:
                for axis, term in before.items():
                    x_cell[axis] = term
                for axis, term in behind.items():
                    out_cell[axis] = term
                places.update(moved)
            links.append(Link(tuple(x_cell), tuple(out_cell), places))
        return links

    def _segment(self, step: Reshape, ins: list[int], outs: list[int]) -> list[Pairing]:
        """Return the pairs of terms of one run of axes before and behind a reshape, and which place becomes which."""
        x, out = self.structures
        if any(x.whole[a] for a in ins) or any(out.whole[a] for a in outs):
            if any(x.counts[a] > 1 for a in ins) or any(out.counts[a] > 1 for a in outs):
                return []
            one = [a for a in ins if step.x.shape[a] > 1]
            two = [a for a in outs if step.out.shape[a] > 1]
            both = len(one) == len(two) == 1 and x.whole[one[0]] and out.whole[two[0]]
            return [(dict.fromkeys(ins, 0), dict.fromkeys(outs, 0), {(one[0], 0): (two[0], 0)} if both else {})]
        after = {key: (choice, places) for key, choice, places in _flat(self._terms[1], step.out.shape, outs)}
        pairs = []
        for key, choice, places in _flat(self._terms[0], step.x.shape, ins):
            if key in after:
                other, targets = after[key]
                pairs.append((choice, other, dict(zip(places, targets, strict=True))))
        return pairs


def _flat(terms: Terms, shape: tuple[int, ...], axes: list[int]) -> list[tuple[tuple, dict[int, int], list[Place]]]:
    """Return the terms of several axes flattened: a key, the chosen terms, and the places in order."""
    out: list[tuple[int, tuple, dict[int, int], list[Place]]] = [(0, (), {}, [])]
    inner = prod(shape[a] for a in axes)
    for a in axes:
        inner //= shape[a]
        out = [
            (
                start + term.start * inner,
                wires + tuple((leaf, s * inner) for leaf, s in zip(term.wires, term.strides, strict=True)),
                choice | {a: t},
                places + [(a, k) for k in range(len(term.wires))],
            )
            for start, wires, choice, places in out
            for t, term in enumerate(terms[a])
        ]
        if len(out) > CELL_LIMIT:
            raise TooManyCells
    return [((start, wires), choice, places) for start, wires, choice, places in out]


_MOST = 4096
_TEMPLATES: dict[tuple[Any, ...], Template] = {}
