"""Values whose entries sum to a known number along some places: to one after a softmax, to zero after a centred normalization."""

from parasym.find.ground import Ground, Step
from parasym.find.structure import Place, TooManyCells
from parasym.rules.program import Expand, Fn, Instruction, Normalize, Permute, Pointwise, Reduce, Reshape, Slice, Value

Places = frozenset[Place]


class Sums:
    """Which values sum to one and which to zero, and along which places together; only of axes that are not cut.

    Args:
        ground: Types and places.
    """

    def __init__(self, ground: Ground) -> None:
        self._known: dict[int, dict[Places, int]] = {}
        loops = ground.types.program.loops
        for step in ground.steps:
            if step.out is not None and step.out.index not in loops:  # what a state starts from says nothing of what it becomes
                self._step(step, step.out)

    @property
    def known(self) -> bool:
        """Whether any value sums to a known number."""
        return bool(self._known)

    def of(self, index: int, total: int) -> list[Places]:
        """Return the sets of places along which a value sums to a number.

        Args:
            index: Index of the value.
            total: The number: 0 or 1.
        """
        return [places for places, number in self._known.get(index, {}).items() if number == total]

    def _step(self, step: Step, out: Value) -> None:
        code = step.code
        if isinstance(code, Normalize) and code.sums_to is not None:
            structure = step.template.out
            places = structure.everywhere(structure.first, set(code.dims))
            if places and all(structure.counts[a] == 1 for a in code.dims):
                self._known[out.index] = {places: code.sums_to}
        elif self._known:
            for operand, x in enumerate(step.xs):
                for places, total in self._known.get(x.index, {}).items():
                    passed = self._passed(step, operand, places, total)
                    if passed:
                        self._known.setdefault(out.index, {})[passed] = total

    def _passed(self, step: Step, operand: int, places: Places, total: int) -> Places | None:
        """Return the places along which the result sums to the same number."""
        axes = {axis for axis, _ in places}
        code = step.code
        if total and isinstance(code, (Pointwise, Reduce)):
            return None
        if not (multiplies(code, operand, axes) if isinstance(code, Pointwise) else keeps(code, axes)):
            return None
        moved = where_to(step, operand, tuple(places))
        return None if moved is None else frozenset(moved)


def multiplies(code: Pointwise, operand: int, axes: set[int]) -> bool:
    """Return whether a function only multiplies an operand, by what is constant along some of its axes.

    Args:
        code: The function.
        operand: Which operand.
        axes: Axes of it.
    """
    if code.fn is Fn.LINEAR:
        return True
    if code.fn is not Fn.MUL or code.degrees[operand] != 1:
        return False
    mine = {code.letters[operand][a] for a in axes}
    return all(k == operand or not mine & set(letters) for k, letters in enumerate(code.letters))


def keeps(code: Instruction, axes: set[int]) -> bool:
    """Return whether an instruction leaves sums over some axes as they are: it rearranges, or takes part or averages of others.

    Args:
        code: The instruction.
        axes: Axes of its operand.
    """
    if isinstance(code, Slice):
        return code.dim not in axes
    if isinstance(code, Reduce):
        return code.fn in ("sum", "mean") and not axes & set(code.dims)
    return isinstance(code, (Reshape, Permute, Expand))


def where_to(step: Step, operand: int, places: tuple[Place, ...]) -> tuple[Place, ...] | None:
    """Return where places went, if in every cell all of them went to the same and they are told from others there.

    Args:
        step: An instruction.
        operand: Which operand.
        places: Places of it, on axes that are not cut.
    """
    try:
        links = step.template.links(operand)
    except TooManyCells:
        return None
    if not links or any(not {*places} <= link.places.keys() for link in links):
        return None
    moved = {tuple(link.places[p] for p in places) for link in links}
    (one, *others) = moved
    structure = step.template.out
    cut = any(structure.counts[axis] > 1 for axis, _ in one)
    return None if others or cut else one
