"""Shifts of parameters as they arrive in sums, where they can take others away."""

from collections.abc import Mapping

from parasym.find.carrier import Carrier
from parasym.find.ground import Step
from parasym.find.reading import Reading, Use, adds
from parasym.find.structure import Cell, Place
from parasym.rules.program import Contract, Fn, Instruction, Pointwise, Value


class Arrivals:
    """The shifts that come to every cell without a parameter having multiplied them on the way.

    Args:
        reading: What reads what.
        starts: The shifts of every cell of the parameters.
    """

    def __init__(self, reading: Reading, starts: Mapping[tuple[int, Cell], list[Carrier]]) -> None:
        self._reading = reading
        self._direct = {key: list(runs) for key, runs in starts.items()}
        self._onwards: dict[tuple[int, Cell], list[tuple[Use, list[Carrier]]]] = {}
        carrying = {index for index, _ in self._direct}
        for step in self._towards_sums():
            if any([x.index in carrying for x in step.xs]):
                carrying.update(self._advance(step))

    def at(self, index: int, cell: Cell) -> list[Carrier]:
        """Return the shifts that arrive in a cell.

        Args:
            index: Index of a value.
            cell: A cell of it.
        """
        return self._direct.get((index, cell), [])

    def _towards_sums(self) -> list[Step]:
        """Return the instructions that may carry a shift into a sum."""
        wanted: set[int] = set()
        steps: list[Step] = []
        for step in reversed(self._reading.ground.steps):
            if step.out is not None and (step.out.index in wanted or adds(step.code)) and self._may_carry(step.code):
                wanted.update([x.index for x in step.xs])
                steps.append(step)
        return steps[::-1]

    def _may_carry(self, code: Instruction) -> bool:
        """Whether a shift may come through an instruction without being multiplied by a parameter."""
        if isinstance(code, Contract):
            meets = self._reading.passing.contracting.meets
            return meets(code.x) or meets(code.y)
        return not (isinstance(code, Pointwise) and code.fn is Fn.MUL)

    def _advance(self, step: Step) -> set[int]:
        """Take shifts through an instruction; return the value they arrive in."""
        out = step.out
        if out is None or out.index in self._reading.lost:
            return set()
        arrived = False
        for x in dict.fromkeys(step.xs):
            if x.index in self._reading.ends:
                continue
            for cell in self._reading.cells(x):
                for use, moved in self._onward(x.index, cell):
                    if use.step is step:
                        self._direct.setdefault((out.index, use.link.out_cell), []).extend(moved)
                        arrived = True
        return {out.index} if arrived else set()

    def _onward(self, index: int, cell: Cell) -> list[tuple[Use, list[Carrier]]]:
        """Return what arrives where a cell is read, of the shifts that all readers let through.

        Others must be taken away before.
        """
        known = self._onwards.get((index, cell))
        if known is None:
            uses = self._reading.uses(index, cell)
            moved: list[list[Carrier]] = [[] for _ in uses]
            if all([use.lets for use in uses]):
                for c in self._direct.get((index, cell), ()):
                    arrived = [self._reading.carried(use, c) for use in uses]
                    if all(arrived):
                        for found, forms in zip(moved, arrived, strict=True):
                            found += [form for form in forms if not form.through]
            known = self._onwards[index, cell] = [(use, found) for use, found in zip(uses, moved, strict=True) if found]
        return known


def runs_of(reading: Reading, value: Value, cell: Cell) -> list[Carrier]:
    """Return the shifts of a cell: along all of its places, along one axis, along one place; of single numbers, the number.

    A constant over a whole vector is a shift of its own only where activations are taken from each other: a mean, say.

    Args:
        reading: What reads what.
        value: A parameter.
        cell: A cell of it.
    """
    ground = reading.ground
    structure = ground.structure(value)
    runs = [run for a in range(len(cell)) if (run := structure.run(a, cell))]
    whole = [tuple(place for run in runs for place in run)] if len(runs) > 1 else []
    parts: list[tuple[Place, ...]] = [(place,) for run in runs if len(run) > 1 for place in run]
    parts += [()] if not runs or reading.passing.subtracts else []
    sizes = {(a, k): wire.size for a, t in enumerate(cell) for k, wire in enumerate(ground.wires(value, a, t))}
    return [Carrier(value.index, cell, run, run, tuple(sizes[p] for p in run)) for run in (*whole, *runs, *parts)]
