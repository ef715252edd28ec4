"""What every block of every value is, as a number: equal numbers are equal functions of parameters that are named alike.

A value is cut into cells, and a cell is a tensor of its own. Its fingerprint is made of the instruction that wrote it, with
every attribute, and of the fingerprints of the cells it was made of; sums and contractions over blocks are multisets. It says
nothing of where in its value a cell lies, for whoever reads it may not care: a sum of two halves is the sum of two
tensors. Where an instruction does care, as a window over a sequence does, start, length and stride are part of its name.

Why it is true: by induction over the program equal fingerprints are equal expressions of leaves and inputs, so a renaming of
the leaves that keeps the fingerprints of all outputs keeps the function. What must be refused:
``relu(a(x))[1:-1] + relu(b(x))[2:]``, two windows that are the second block of their sequences.

The state of a recurrence has an expression without end. Two states are the same if they start alike and what is written into them
is the same as long as they are: this is iterated until nothing more is told apart (a bisimulation; Hopcroft 1971).
"""

from collections.abc import Hashable
from typing import NamedTuple

from parasym.find.ground import Ground, Step
from parasym.find.loops import Loops
from parasym.find.slots import slot_of
from parasym.find.structure import Cell, TooManyCells
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
    Pin,
    Pointwise,
    Reduce,
    Reshape,
    Slice,
    Value,
    attributes,
    content,
    operands,
    properties,
)

Node = tuple[int, Cell]

_OWN, _OTHER = "own", "other"
_UPDATED = "updated"

_BY_LINKS = {Slice: {"dim", "start"}, Cat: {"dim"}, Permute: {"order"}, Reshape: set()}
"""Rearrangements, and which of their attributes only say which cell continues where, which the links between cells tell."""

_PER_OPERAND = {"signs", "degrees", "letters"}
"""Attributes of a sum or a product with one entry for every operand: they belong to the operands, which have no order."""

_SAID_BY_ATTRIBUTES = (Contract, Expand)
"""Instructions that are known once their attributes are; of others the operation says more, such as an epsilon."""

_ALIKE_EVERYWHERE = (Pointwise, Contract, Reduce, Normalize, Expand)
"""Instructions that do the same in every cell of their result, wherever it lies."""


class Child(NamedTuple):
    """What a cell was made of.

    Attributes:
        nodes: One cell, or two that are multiplied in a contraction.
        how: How it enters.
    """

    nodes: tuple[Node, ...]
    how: Hashable = None


class Made(NamedTuple):
    """How a cell was made.

    Attributes:
        name: Everything but what it was made of.
        loose: Whether the order of the children does not matter.
        children: What it was made of.
    """

    name: Hashable
    loose: bool
    children: list[Child]


class Fingerprints:
    """The expressions of all cells of a program, and their fingerprints under a naming of the parameters.

    Args:
        ground: Types and structures.

    Raises:
        TooManyCells: If a value has too many cells, or cells that cannot be followed through an instruction.
        ReadStatistics: If statistics that are updated are read too.
    """

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.program = ground.types.program
        self.loops = Loops(ground)
        once = [(s, s.out) for s in ground.steps if s.out is not None and s.out.index not in self.program.loops]
        self.written: dict[int, Instruction] = {out.index: step.code for step, out in once}
        self.made: dict[Node, Made] = {}
        """In the order of the program."""
        self.sums: dict[Node, list[Child]] = {}
        """The summands of every sum, over operands or over blocks."""
        self._numbers: dict[Hashable, int] = {}
        for value in self.program.values:
            if value.index not in self.written:
                for cell in ground.cells(value):
                    self.made[value.index, cell] = self._state(value, cell) or Made(self._leaf(value, cell), False, [])
        for step, out in once:
            for cell in ground.cells(out):
                self.made[out.index, cell] = self._inner(step, out, cell)

    def is_leaf(self, node: Node) -> bool:
        """Whether a node is a parameter, perhaps reshaped."""
        while isinstance(self.written.get(node[0]), Reshape):
            node = self.made[node].children[0].nodes[0]
        return not self.made[node].children

    # -- names ------------------------------------------------------------------------------------

    def _leaf(self, value: Value, cell: Cell) -> Hashable:
        if value.kind is Kind.CONSTANT and value.data is not None:
            part = value.data
            for a, t in enumerate(cell):
                part = part.index_select(a, slot_of(a, self.ground.term(value, a, t), -1).positions().flatten().to(part.device))
            return "constant", self._sizes(value, cell), content(part)
        if value.leaf:
            return "leaf", self._sizes(value, cell), *properties(value).items()
        return "value", value.index, cell

    def _state(self, value: Value, cell: Cell) -> Made | None:
        """A cell of the state of a recurrence: what it starts from, and what each step leaves."""
        updates = [update for update in self.loops.recurrences.get(value.index, ()) if update.into == (value.index, cell)]
        children = [Child((update.source,), k + 1) for k, update in enumerate(updates)]
        return Made(("state", self._sizes(value, cell)), False, children) if children else None

    def _inner(self, made: Step, out: Value, cell: Cell) -> Made:
        step = made.code
        if type(step) in _BY_LINKS:
            return self._rearranged(made, cell)
        rows = self._rows(made, cell)
        if isinstance(step, Pointwise) and step.fn in (Fn.ADD, Fn.MUL):
            return self._combined(step, rows[0], (out.index, cell))
        name = (*self._name(step, out), *self._windows(step, out, cell))
        if isinstance(step, Contract):
            products = [Child(row) for row in rows]
            if len(products) > 1:
                self.sums[out.index, cell] = products
            return Made(name, True, products)
        children = [Child((node,), k or None) for row in rows for k, node in enumerate(row)]
        if isinstance(step, Reduce):
            if len(rows) > 1 and step.fn in ("sum", "mean"):
                self.sums[out.index, cell] = children
            return Made(name, True, children)
        if isinstance(step, Normalize):
            along = [Child((node,), _OWN if node[1] == cell else _OTHER) for node in self._along(step, cell)]
            beside = self.loops.beside.get((out.index, cell), ())
            return Made(name, True, [*along, *(Child((node,), (_UPDATED, k)) for k, node in enumerate(beside))])
        return Made(name, False, children)

    def _name(self, step: Instruction, out: Value) -> tuple[Hashable, ...]:
        """Return what an instruction is, whatever it is done to: its attributes, and the operation that it is part of."""
        said = isinstance(step, _SAID_BY_ATTRIBUTES) or (isinstance(step, Reduce) and step.fn in ("sum", "mean"))
        return type(step).__name__, *attributes(step).items(), *(() if said else (self.program.tag(out),))

    def _rearranged(self, made: Step, cell: Cell) -> Made:
        """A cell that is a cell of an operand, with its wires on other axes."""
        step = made.code
        found = [(x, link) for k, x in enumerate(made.xs) for link in made.template.links(k) if link.out_cell == cell]
        if len(found) != 1:
            raise TooManyCells
        x, link = found[0]
        more = tuple((name, value) for name, value in attributes(step).items() if name not in _BY_LINKS[type(step)])
        name = type(step).__name__, len(cell), *sorted(link.places.items()), *more
        return Made(name, False, [Child(((x.index, link.x_cell),))])

    def _rows(self, made: Step, cell: Cell) -> list[tuple[Node, ...]]:
        """Return which cells of the operands meet in a cell of the result."""
        template = made.template
        if not template.lettered:
            raise TooManyCells
        *mine, last = template.letters
        want = {c: t for c, t in zip(last, cell, strict=True) if c is not None}
        chosen = [choice for choice in template.choices if all(choice[c] == t for c, t in want.items() if c in choice)]
        rows = [
            tuple(
                (x.index, tuple(0 if c is None else choice[c] for c in letters)) for x, letters in zip(made.xs, mine, strict=True)
            )
            for choice in chosen
        ]
        return list(dict.fromkeys(rows))

    def _combined(self, step: Pointwise, row: tuple[Node, ...], here: Node) -> Made:
        """A sum or a product: its operands have no order. A sum of sums is one sum."""
        every = attributes(step)
        name = type(step).__name__, *((k, v) for k, v in every.items() if k not in _PER_OPERAND)
        entries = [every[k] for k in sorted(_PER_OPERAND) if every[k]]
        children: list[Child] = []
        for node, x, *how in zip(row, step.xs, *entries, strict=True):  # pyright: ignore[reportArgumentType]
            inner = self.made[node]
            nested = step.fn is Fn.ADD and inner.name == name and x.shape == step.out.shape and how == [_axes(x), 1]
            children += inner.children if nested else [Child((node,), tuple(how))]
        if step.fn is Fn.ADD:
            self.sums[here] = children
        return Made(name, True, children)

    def _along(self, step: Normalize, cell: Cell) -> list[Node]:
        """Return the cells over which an instruction takes joint statistics."""
        kept = [a for a in range(len(cell)) if a not in step.dims]
        return [(step.x.index, c) for c in self.ground.cells(step.x) if all(c[a] == cell[a] for a in kept)]

    # -- where a cell lies, and how large it is -------------------------------------------------------

    def _sizes(self, value: Value, cell: Cell) -> Hashable:
        return tuple([self._size(value, a, t) for a, t in enumerate(cell)])

    def _size(self, value: Value, axis: int, term: int) -> tuple[int, ...]:
        return tuple([wire.size for wire in self.ground.wires(value, axis, term)])

    def _windows(self, step: Instruction, out: Value, cell: Cell) -> tuple[Hashable, ...]:
        """Return what cells of the operands do not tell: where a cell lies, if that matters, and lengths that are made anew."""
        if isinstance(step, (Reduce, Normalize)):
            return (tuple(step.x.shape[d] for d in step.dims),)  # a mean of two halves is divided by the whole length
        if isinstance(step, Expand):
            return (self._sizes(out, cell),)
        if isinstance(step, _ALIKE_EVERYWHERE):
            return ()
        kept = dict(step.kept) if isinstance(step, Fixed) else {}
        seen = [(a, self.ground.term(out, a, t)) for a, t in enumerate(cell) if a not in kept.values()]
        shapes = [*((x.shape, kept.keys()) for x in operands(step)), (out.shape, kept.values())]
        lengths = [tuple(n for a, n in enumerate(shape) if a not in axes) for shape, axes in shapes]
        return (*((term.start, self._size(out, a, cell[a]), term.strides) for a, term in seen), *lengths)

    # -- fingerprints -----------------------------------------------------------------------------

    def compute(self, names: dict[Node, Hashable]) -> dict[Node, int]:
        """Return the fingerprint of every cell: the number of its expression among all that were ever asked for.

        Args:
            names: Names of parameter cells; a cell that is not named counts by its shape alone.
        """
        prints: dict[Node, int] = {}
        for _ in range(self.loops.rounds):  # of states the fingerprint of the round before, in the first one none
            for node, (name, loose, children) in self.made.items():
                parts = [self.of_child(child, prints) for child in children]
                own = () if children else (names.get(node),)
                prints[node] = self._number((name, *own, *(sorted(parts) if loose else parts)))
        return prints

    def of_child(self, child: Child, prints: dict[Node, int]) -> int:
        """Return the fingerprint of a child as it enters.

        Args:
            child: What some cell was made of.
            prints: The fingerprints of all cells.
        """
        nodes, how = child
        parts = [prints.get(node, -1) for node in nodes]
        return self._number((how, *parts)) if how or len(parts) > 1 else parts[0]

    def _number(self, key: Hashable) -> int:
        """Return a number that stands for this key alone: Python's hashes of -1 and -2 are the same."""
        return self._numbers.setdefault(key, len(self._numbers))

    def outputs(self, prints: dict[Node, int]) -> list[int]:
        """Return the fingerprints of all outputs, and of all that an operation without a rule sees, in order.

        Behind them come those of statistics together with what they are updated by, which have no order.
        """
        seen = [v for step in self.program.code if isinstance(step, Pin) for v in step.xs]
        shown = [prints[v.index, cell] for v in (*self.program.outputs, *seen) for cell in self.ground.cells(v)]
        return shown + sorted(self._number((_UPDATED, prints[into], prints[source])) for into, source in self.loops.updates)

    def walk(self, root: Child, prints: dict[Node, int]) -> list[Node]:
        """Return the parameter cells below a summand, in an order that two equal summands share.

        Args:
            root: The summand.
            prints: Fingerprints without names.
        """
        out: list[Node] = []
        seen: set[Node] = set()
        stack = list(reversed(root.nodes))
        while stack:
            node = stack.pop()
            if node in seen:
                continue
            seen.add(node)
            _, loose, children = self.made[node]
            if not children and self.program.values[node[0]].leaf:
                out.append(node)
            # What statistics are taken with belongs to other branches.
            below = [child for child in children if child.how is not _OTHER]
            if loose:
                below.sort(key=lambda child: self.of_child(child, prints))
            stack += [n for child in reversed(below) for n in reversed(child.nodes)]
        return out


def _axes(value: Value) -> tuple[int, ...]:
    return tuple(range(len(value.shape)))
