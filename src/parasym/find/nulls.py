"""Null directions: shifts of a value that the rest of the model does not see.

For every cell of every value, a list of sets of places: a shift that is constant along all places of one of
the sets is invisible. Softmax does not see a constant over its axis, LayerNorm not the mean, BatchNorm with batch
statistics no constant over the batch; and a weight that reads what sums to zero does not show a constant over its inputs. The
empty set means that every shift is invisible.
"""

from parasym.find.ground import Ground, Step
from parasym.find.structure import Cell, Place, TooManyCells
from parasym.find.sums import Sums
from parasym.find.template import Link, Template
from parasym.rules.program import (
    Cat,
    Contract,
    Expand,
    Fixed,
    Fn,
    Kind,
    Normalize,
    Permute,
    Pointwise,
    Reduce,
    Reshape,
    Slice,
    Value,
    segments,
)

Nulls = list[frozenset[Place]]
MOST = 4
"""Sets of places that are kept of one cell."""


class NullDirections:
    """The null directions of every cell of every value.

    Args:
        ground: Types and places.
        sums: What sums to zero.
    """

    def __init__(self, ground: Ground, sums: Sums) -> None:
        self.ground = ground
        self.sums = sums
        self.given_up: set[int] = set()
        """Values of which not all null directions were kept."""
        self._known: dict[tuple[int, Cell], Nulls] = {}
        self._blocked: set[int] = {v.index for v in ground.types.program.outputs}
        values = ground.types.program.values
        self._blocked |= {k for k in ground.types.program.loops if values[k].kind is not Kind.STATE}
        for step in reversed(ground.steps):
            self._step(step)

    def of(self, value: Value, cell: Cell) -> Nulls | None:
        """Return the null directions of a cell, ``None`` if nothing reads it."""
        if value.index in self._blocked:
            return []
        return self._known.get((value.index, cell))

    def _sees_all(self, value: Value) -> bool:
        """Whether every shift of a value is known to be seen, in its only cell or in all of them."""
        if value.index in self._blocked:
            return True
        structure = self.ground.structure(value)
        return structure.single and self._known.get((value.index, structure.first)) == []

    def _step(self, step: Step) -> None:
        out, code, template = step.out, step.code, step.template
        if out is not None and out.kind is Kind.STATE and out.index in self.ground.types.program.loops:
            return  # an update of running statistics; the caller moves those along
        # A normalization hides shifts of its own, and a slice does not see what it cuts off.
        hides = isinstance(code, (Normalize, Slice)) or (isinstance(code, Contract) and bool(self._sums_to_zero(code)))
        if out is None or (self._sees_all(out) and not hides):
            self._blocked.update([x.index for x in step.xs])
            return
        for operand, x in enumerate(step.xs):
            try:
                links = template.links(operand)
            except TooManyCells:
                self._blocked.add(x.index)
                continue
            if isinstance(code, Slice) and {link.out_cell for link in links} != set(template.out.cells):
                self._blocked.add(x.index)
                continue
            reached = set()
            for link in links:
                reached.add(link.x_cell)
                self._meet((x.index, link.x_cell), self._behind(step, operand, link, out))
            if not isinstance(code, Slice):
                self._block_unreached(x, reached)

    def _behind(self, step: Step, operand: int, link: Link, out: Value) -> Nulls | None:
        """Return the null directions of a cell of an operand as far as one cell of the output tells."""
        template, code = step.template, step.code
        mine = own_nulls(template, link)
        if mine is not None:
            return mine
        behind = self.of(out, link.out_cell)
        if behind is None:
            return None
        pulled = (_pulled(template, operand, link, b) for b in behind)
        vanishing = self._vanishing(code, operand, link) if isinstance(code, Contract) else []
        return [*vanishing, *(k for k in pulled if k is not None)]

    def _sums_to_zero(self, code: Contract) -> list[tuple[int, frozenset[tuple[int, int]]]]:
        """Return letters that are summed over, with places of them, along which an operand sums to zero, and which operand."""
        found = []
        for k, (x, letters) in enumerate(((code.x, code.x_letters), (code.y, code.y_letters))):
            for places in self.sums.of(x.index, 0):
                along = frozenset((letters[axis], place) for axis, place in places)
                if code.x is not code.y and not {letter for letter, _ in along} & set(code.out_letters):
                    found.append((k, along))
        return found

    def _vanishing(self, code: Contract, operand: int, link: Link) -> Nulls:
        """Return along which places an operand may be constant to meet only what sums to zero."""
        x, letters = (code.x, code.x_letters) if operand == 0 else (code.y, code.y_letters)
        structure = self.ground.structure(x)
        found: Nulls = []
        for other, along in self._sums_to_zero(code):
            axes = {a for a, letter in enumerate(letters) if letter in {letter for letter, _ in along}}
            if other != operand and all(structure.counts[a] == 1 for a in axes):
                places = structure.everywhere(link.x_cell, axes)
                found.append(frozenset((a, k) for a, k in places if (letters[a], k) in along))
        return found

    def _block_unreached(self, x: Value, reached: set[Cell]) -> None:
        try:
            rest = set(self.ground.cells(x)) - reached
        except TooManyCells:
            self._blocked.add(x.index)
            return
        for cell in rest:
            self._meet((x.index, cell), [])

    def _meet(self, key: tuple[int, Cell], new: Nulls | None) -> None:
        if new is None:
            return
        old = self._known.get(key)
        both = new if old is None else [a | b for a in old for b in new]
        minimal = [a for a in dict.fromkeys(both) if not any(b < a for b in both)]
        self._known[key] = minimal[:MOST]
        if len(minimal) > MOST:
            self.given_up.add(key[0])


def own_nulls(template: Template, link: Link) -> Nulls | None:
    """Return what a normalization does not see by itself, ``None`` for other instructions."""
    step, x = template.step, template.structures[0]
    if not isinstance(step, Normalize):
        return None
    if any(x.counts[a] > 1 for a in step.dims):
        return []
    return [x.everywhere(link.x_cell, set(step.dims))]


def _pulled(template: Template, operand: int, link: Link, behind: frozenset[Place]) -> frozenset[Place] | None:
    key = (pull, operand, link.x_cell, link.out_cell, behind)
    if key not in template.known:
        template.known[key] = pull(template, operand, link, behind)
    return template.known[key]


def pull(template: Template, operand: int, link: Link, behind: frozenset[Place]) -> frozenset[Place] | None:
    """Return along which places a shift of an operand must be constant to be constant along ``behind`` in the output.

    Args:
        template: The form of the instruction.
        operand: Which operand is shifted.
        link: A cell of the operand and one of the output.
        behind: Places of the output's cell.

    Returns:
        Places of the operand's cell, or ``None`` if no shift will do.
    """
    step = template.step
    back = {target: place for place, target in link.places.items()}
    mine = frozenset(back[p] for p in behind if p in back)
    if isinstance(step, Reshape):
        return mine | _merged(template, link, {axis for axis, _ in behind - set(link.places.values())})
    if isinstance(step, (Slice, Cat)):
        return mine if len(mine) == len(behind) else None
    if not template.lettered:
        return None
    *spec, out = template.letters
    letters = {out[axis] for axis, _ in behind}
    if isinstance(step, (Permute, Expand)):
        return mine
    if isinstance(step, Reduce):
        return mine if step.fn in ("sum", "mean") else None
    if isinstance(step, Contract):
        return mine if step.x is not step.y and not letters & set(spec[1 - operand]) else None
    if isinstance(step, Fixed):
        return _pull_fixed(template, step, link, behind, mine)
    if isinstance(step, Pointwise):
        if step.fn in (Fn.ADD, Fn.LINEAR):
            return mine
        if step.fn is Fn.MUL and step.degrees[operand] == 1 and len({x.index for x in step.xs}) == len(step.xs):
            others = [c for k, c in enumerate(spec) if k != operand]
            return mine if not any(letters & set(c) for c in others) else None
    return None


def _merged(template: Template, link: Link, axes: set[int]) -> frozenset[Place]:
    """Return all places of what a reshape merged into these axes: constant along all of them is constant along each."""
    step = template.step
    if not axes or not isinstance(step, Reshape):
        return frozenset()
    runs = [ins for ins, outs in segments(step.x.shape, step.out.shape) if axes & set(outs)]
    return template.structures[0].everywhere(link.x_cell, {a for ins in runs for a in ins})


def _pull_fixed(
    template: Template, step: Fixed, link: Link, behind: frozenset[Place], mine: frozenset[Place]
) -> frozenset[Place] | None:
    if step.fn != "linear":
        return None
    kept_out = {out for _, out in step.kept}
    if all(axis in kept_out for axis, _ in behind):
        return mine
    x, out = template.structures
    wide = {a for a in range(len(out.axes)) if a not in kept_out}
    if not step.averaging or not behind >= out.everywhere(link.out_cell, wide):
        return None
    if any(out.counts[a] > 1 for a in wide):
        return None
    kept_x = {x for x, _ in step.kept}
    lost = {a for a in range(len(x.axes)) if a not in kept_x}
    if any(x.counts[a] > 1 for a in lost):
        return None
    return mine | x.everywhere(link.x_cell, lost)
