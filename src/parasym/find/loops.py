"""What a program writes more than once: states of recurrences, and statistics that a normalization updates.

The state of a recurrence is what it starts from and, from then on, what the step before it has left. Statistics that a
normalization takes of its own batch change nothing in the pass that takes them; they only have to move along with what they are
taken of.
"""

from typing import NamedTuple

from parasym.find.ground import Ground, Step
from parasym.find.structure import Cell
from parasym.rules.program import Kind, Normalize, Value

Node = tuple[int, Cell]


class ReadStatistics(Exception):
    """Statistics that are updated are read in the same pass, so that it matters when."""


class Update(NamedTuple):
    """What is written into a cell of a value that is written more than once.

    Attributes:
        into: The cell.
        source: The cell that is written into it.
    """

    into: Node
    source: Node


class Loops:
    """The recurrences of a program, and the statistics that it updates.

    Args:
        ground: Types and places.

    Raises:
        ReadStatistics: If statistics that are updated are read, or do not belong to a normalization.
        TooManyCells: If a value has too many cells.
    """

    def __init__(self, ground: Ground) -> None:
        program = ground.types.program
        self.recurrences: dict[int, list[Update]] = {}
        """By the index of a state what is written into its cells: first what it starts from."""
        self.updates: list[Update] = []
        """What statistics are updated by."""
        self.beside: dict[Node, list[Node]] = {}
        """By the cell of what a normalization returns the cells of the statistics that it updates, in order."""
        if not program.loops:
            return
        flows = [step for step in ground.steps if step.out is not None and step.out.index in program.loops]
        normalizing = {step.code.call: step for step in ground.steps if isinstance(step.code, Normalize)}
        made = {step.out.index: step for step in ground.steps if step.out is not None and step.out.index not in program.loops}
        for step in flows:
            assert step.out is not None
            found = [Update((step.out.index, link.out_cell), (step.xs[0].index, link.x_cell)) for link in step.template.links(0)]
            if step.out.kind is not Kind.STATE:
                self.recurrences.setdefault(step.out.index, []).extend(found)
                continue
            self.updates += found
            self._attach(found, normalizing.get(step.code.call), made.get(step.xs[0].index))
        updated = {step.out.name for step in flows if step.out is not None and step.out.kind is Kind.STATE}
        read = [*program.outputs, *(x for step in ground.steps for x in step.xs)]
        if any(_is_statistic(x, updated) for x in read):
            raise ReadStatistics

    @property
    def rounds(self) -> int:
        """How often states must be compared until two that are equal so far are equal for ever.

        What tells states apart after one step more depends on what tells them apart now, and each time it must tell some two
        apart that it did not: under two namings there are twice as many of them as there are states.
        """
        states = len({update.into for updates in self.recurrences.values() for update in updates})
        return 2 * states + 1 if states else 1

    def _attach(self, updates: list[Update], normalization: Step | None, statistic: Step | None) -> None:
        if normalization is None or statistic is None or normalization.out is None:
            raise ReadStatistics
        if statistic.xs[0] is not normalization.xs[0]:
            raise ReadStatistics
        taken = {link.out_cell: [] for link in statistic.template.links(0)}
        for link in statistic.template.links(0):
            taken[link.out_cell].append(link.x_cell)
        for update in updates:
            for cell in dict.fromkeys(taken[update.source[1]]):
                self.beside.setdefault((normalization.out.index, cell), []).append(update.into)


def _is_statistic(x: Value, names: set[str]) -> bool:
    return x.kind is Kind.STATE and x.name in names
