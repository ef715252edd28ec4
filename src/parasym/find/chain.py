"""Ways through a program: the shortest to an instruction that forbids something, and the least that forces an exponent to vanish.

A wire is one set of axes that instructions tie together, so that the shortest way from a parameter over values that bear it to
what pins it is the chain that forbids a group there: each tie on it would have to be cut.

An exponent vanishes by several equations together. Instructions are added in the order of their distance from the parameter
until it does. The last one is needed; it is kept, and the search begins anew among the others, until those that were kept are
enough. None of them can be left out, and as each was the first to suffice none lies farther than it must. With `n`
instructions and `k` in the chain that takes `O(k n)` steps of the linear system.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterator, Sequence

from parasym.find.exponent import Exponents, Slot
from parasym.find.ground import Ground, Step
from parasym.find.structure import Cell
from parasym.rules.program import Value

Way = tuple[list[Step], str]
Target = Slot | tuple[int, Cell]


class Chains:
    """The instructions of a program by the values that they touch.

    Args:
        ground: Types and structures.
    """

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._outputs = {value.index for value in ground.types.program.outputs}
        self._touching: dict[int, list[Step]] = defaultdict(list)
        for step in ground.steps:
            for value in {v.index: v for v in touched(step)}.values():
                self._touching[value.index].append(step)

    def touching(self, value: Value) -> Sequence[Step]:
        """Return the instructions that read or write a value, in order."""
        return self._touching[value.index]

    def is_output(self, value: Value) -> bool:
        """Whether the model returns a value."""
        return value.index in self._outputs

    def shortest(
        self, start: Value, bearing: Collection[int], at_step: Callable[[Step], str], at_value: Callable[[Value], str]
    ) -> Way | None:
        """Return the shortest way from a value to an instruction, or to one that touches a value, that forbids something.

        Args:
            start: Where it begins.
            bearing: Indices of the values that it may pass.
            at_step: Says why an instruction forbids it, or nothing.
            at_value: Says why it must not reach a value, or nothing.

        Returns:
            The instructions, and why; ``None`` if there is no such way.
        """
        if at_value(start):
            return [], at_value(start)
        way: dict[int, list[Step]] = {start.index: []}
        todo = deque([start])
        while todo:
            value = todo.popleft()
            for step in self.touching(value):
                because = at_step(step)
                if because:
                    return [*way[value.index], step], because
                for other in touched(step):
                    if other.index in bearing and other.index not in way:
                        way[other.index] = [*way[value.index], step]
                        if at_value(other):
                            return way[other.index], at_value(other)
                        todo.append(other)
        return None

    def by_distance(self, start: Value) -> list[Step]:
        """Return all instructions that a value has to do with, the nearest first."""
        seen, order, known = {start.index}, [], set()
        todo = deque([start])
        while todo:
            for step in self.touching(todo.popleft()):
                if id(step.code) not in known:
                    known.add(id(step.code))
                    order.append(step)
                    for other in touched(step):
                        if other.index not in seen:
                            seen.add(other.index)
                            todo.append(other)
        return order

    def forcing(self, start: Value, target: Target, *, sign: bool) -> list[Step] | None:
        """Return instructions that force an exponent to vanish, none of which can be left out, the nearest first.

        Args:
            start: The parameter.
            target: The place of a wire in it, or one of its cells.
            sign: Whether signs are meant, rather than scales.

        Returns:
            The instructions; ``None`` if the exponent does not vanish.
        """
        order = self.by_distance(start)
        kept: list[Step] = []
        candidates = order
        while True:
            last = self.sufficient([*kept, *candidates], target, sign=sign)
            if last is None:
                return None
            if last <= len(kept):
                break
            kept, candidates = [candidates[last - len(kept) - 1], *kept], candidates[: last - len(kept) - 1]
        place = {id(step.code): k for k, step in enumerate(order)}
        return sorted(kept, key=lambda step: place[id(step.code)])

    def sufficient(self, steps: Sequence[Step], target: Target, *, sign: bool) -> int | None:
        """Return how many of some instructions, from the first on, force an exponent to vanish; ``None`` if all do not.

        Args:
            steps: The instructions.
            target: The place of a wire in a parameter, or one of its cells.
            sign: Whether signs are meant, rather than scales.
        """
        exponents = Exponents(self.ground, empty=True)
        held: set[int] = set()
        for count, step in enumerate(steps, start=1):
            exponents.impose(step)
            for value in touched(step):
                if value.index not in held and (self.is_output(value) or exponents.is_still(value)):
                    held.add(value.index)
                    exponents.hold(value)
            if exponents.vanishes(target, sign=sign):
                return count
        return None


def touched(step: Step) -> Iterator[Value]:
    """Yield the operands of an instruction and its result.

    Args:
        step: Any instruction.
    """
    yield from step.xs
    if step.out is not None:
        yield step.out
