"""Collect rotations and transfer matrices into windows: everything that happens to the same two qubits until others come in."""

from collections.abc import Sequence
from dataclasses import dataclass

from parasym.circuits.fuse import WIDEST, Block
from parasym.circuits.operation import Rotation


@dataclass(frozen=True, eq=False)
class Window:
    """Consecutive steps on one or two qubits, or one step on more.

    Attributes:
        qubits: In ascending order.
        parts: First to last; a rotation with its number among all rotations.
    """

    qubits: tuple[int, ...]
    parts: tuple[tuple[int, Rotation] | Block, ...]


def windows_of(steps: Sequence[Rotation | Block]) -> tuple[Window, ...]:
    """Return windows that do the same as the steps.

    A step joins the last window on its qubits if that has them all; otherwise it opens one, and windows that lie within it and
    that nothing has come behind move into it.

    Args:
        steps: First to last.

    Example:
        >>> from parasym.circuits import gate, rotation
        >>> from parasym.circuits.fuse import fuse
        >>> layer = (rotation("Y", 0, 0), rotation("Y", 1, 1), rotation("Y", 2, 2), gate("cx", 0, 1), gate("cx", 1, 2))
        >>> [(window.qubits, len(window.parts)) for window in windows_of(fuse((*layer, rotation("Y", 0, 3))))]
        [((0, 1), 4), ((1, 2), 2)]
    """
    windows: dict[int, Window] = {}  # by time: one that moves gets a new time
    last: dict[int, int] = {}  # the time of the last window on a qubit
    count = 0
    for time, step in enumerate(steps):
        part = step if isinstance(step, Block) else (count, step)
        count += isinstance(step, Rotation)
        touched = {last[q] for q in step.qubits if q in last}
        if len(touched) == 1:
            (home,) = touched
            window = windows[home]
            if set(step.qubits) <= set(window.qubits) and len(window.qubits) <= WIDEST:
                windows[home] = Window(window.qubits, (*window.parts, part))
                continue
        parts: list[tuple[int, Rotation] | Block] = []
        for k in sorted(touched) if len(step.qubits) <= WIDEST else ():
            inner = windows[k].qubits
            if set(inner) <= set(step.qubits) and all(last[q] == k for q in inner):
                parts += windows.pop(k).parts
        windows[time] = Window(step.qubits, (*parts, part))
        last |= dict.fromkeys(step.qubits, time)
    return tuple(windows.values())
