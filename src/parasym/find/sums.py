"""Values whose entries sum to a known number along some places: to one after a softmax, to zero after a centred normalization."""

from parasym.find.ground import Ground, Step
from parasym.find.structure import Place, TooManyCells
from parasym.find.template import Link
from parasym.rules.program import Expand, Fn, Normalize, Permute, Pointwise, Reshape, Value

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
        code = step.code
        if isinstance(code, Pointwise):
            if total or not _multiplies(code, operand, {axis for axis, _ in places}):
                return None
        elif not isinstance(code, (Reshape, Permute, Expand)):
            return None
        try:
            links = step.template.links(operand)
        except TooManyCells:
            return None
        return _moved(links[0], places) if len(links) == 1 else None


def _multiplies(code: Pointwise, operand: int, axes: set[int]) -> bool:
    """Whether a function only multiplies an operand, by what is constant along some of its axes."""
    if code.fn is Fn.LINEAR:
        return True
    if code.fn is not Fn.MUL or code.degrees[operand] != 1:
        return False
    mine = {code.letters[operand][a] for a in axes}
    return all(k == operand or not mine & set(letters) for k, letters in enumerate(code.letters))


def _moved(link: Link, places: Places) -> Places | None:
    """Return where places went, if all of them did and they are told from others there."""
    if not places <= link.places.keys():
        return None
    return frozenset(link.places[p] for p in places)
