r"""The cost of a noisy circuit at one parameter vector, and its gradient by the adjoint method, in few large operations.

What happens to the same two qubits until others come in is one matrix :math:`M` of side 16. The state is read as a matrix of 16
rows and multiplied by it. With :math:`r` the state before it and :math:`\lambda` the observable pulled back to behind it, read in
the same way,

.. math:: \frac{\partial C}{\partial M} = \lambda\, r^\top,

and the rest of the chain rule concerns matrices of side 16 only (:mod:`parasym.circuits.product`).

Index conventions: see :mod:`parasym.circuits.pauli_vector`; there is no batch. Everything is numpy in float64: on so few numbers
an operation of torch takes longer to start than to finish.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from parasym.circuits.fuse import WIDEST, Block
from parasym.circuits.operation import Rotation
from parasym.circuits.plane import Planes, planes_of
from parasym.circuits.product import Evaluated, fixed_matrix, products_of
from parasym.circuits.window import Window, windows_of

ALONE = 2**18
"""Products of more multiplications are cut. OpenBLAS shares those among threads, whose waiting takes longer than the product, and
very long where other work holds a core. A power of 4, so that no rest is left."""


@dataclass(frozen=True)
class Reorder:
    """Another order of the qubits of a state. Qubits that stay neighbours are moved as one.

    Attributes:
        shape: How to read the state.
        axes: The new order of these axes.
        target: How to read the result.
    """

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    target: tuple[int, ...]

    @staticmethod
    def of(old: tuple[int, ...], new: tuple[int, ...]) -> "Reorder":
        """Return the change from one order of the qubits to another.

        Args:
            old: The qubits in the order in which a state has them.
            new: The qubits in the order in which it shall have them.

        Example:
            >>> Reorder.of((0, 1, 2, 3), (2, 0, 1, 3))
            Reorder(shape=(16, 4, 4), axes=(1, 0, 2), target=(4, 16, 4))
        """
        place = {q: k for k, q in enumerate(new)}
        starts = [k for k, q in enumerate(old) if k == 0 or place[q] != place[old[k - 1]] + 1]
        sizes = [b - a for a, b in zip(starts, [*starts[1:], len(old)], strict=True)]
        axes = sorted(range(len(starts)), key=lambda k: place[old[starts[k]]])
        return Reorder(tuple(4**k for k in sizes), tuple(axes), tuple(4 ** sizes[k] for k in axes))

    def __call__(self, state: np.ndarray, out: np.ndarray) -> None:
        """Write the state in the new order.

        Args:
            state: Of shape ``[4**n]``.
            out: Where to; of shape ``[4**n]``.
        """
        out.reshape(self.target)[...] = state.reshape(self.shape).transpose(self.axes)


@dataclass(frozen=True, eq=False)
class Stage:
    """One change of the state.

    Attributes:
        gather: How to bring the qubits of the stage to the front.
        scatter: How to bring them back.
        side: Side of the matrix.
        change: A fixed matrix; or the number of one that depends on angles; or the number of a rotation on more than two qubits,
            with its planes.
    """

    gather: Reorder
    scatter: Reorder
    side: int
    change: np.ndarray | int | tuple[int, Planes]


class PointSimulator:
    """A circuit that takes one parameter vector at a time.

    Args:
        steps: Rotations and transfer matrices, first to last.
        num_qubits: Number of qubits.
        initial: The state in which it starts, of shape ``[4**n]``.
        observable: What is measured, of shape ``[4**n]``.

    Example:
        >>> from parasym.circuits import rotation
        >>> simulator = PointSimulator((rotation("Y", 0, 0),), 1, np.array([1.0, 0, 1, 0]), np.array([0.0, 0, 1, 0]))
        >>> value, slopes = simulator.cost_and_slopes(np.array([0.3]))
        >>> print(f"{value:.4f} {slopes[0]:.4f}, cos {np.cos(0.3):.4f}, -sin {-np.sin(0.3):.4f}")
        0.9553 -0.2955, cos 0.9553, -sin -0.2955
    """

    def __init__(self, steps: Sequence[Rotation | Block], num_qubits: int, initial: np.ndarray, observable: np.ndarray) -> None:
        windows = [_at_least_two(window, num_qubits) for window in windows_of(steps)]
        moving = sorted((w for w in windows if _turns(w) and len(w.qubits) <= WIDEST), key=_turns, reverse=True)
        numbers = {window: k for k, window in enumerate(moving)}
        self._products = products_of(moving)
        self._rotations = sum(map(_turns, windows))
        order = natural = tuple(range(num_qubits))
        stages: list[Stage] = []
        for window in windows:
            change = numbers[window] if window in numbers else _change(window, num_qubits)
            rest = tuple(q for q in order if q not in window.qubits)  # long pieces of the state stay together
            wanted = natural if isinstance(change, tuple) else window.qubits + rest
            stages.append(Stage(Reorder.of(order, wanted), Reorder.of(wanted, order), 4 ** len(window.qubits), change))
            order = wanted
        self._stages = tuple(stages)
        self._home = Reorder.of(order, natural)
        self._initial, self._observable = initial, np.empty_like(observable)
        Reorder.of(natural, order)(observable, self._observable)

    def state(self, angles: np.ndarray) -> np.ndarray:
        """Return the final state, of shape ``[4**n]``.

        Args:
            angles: Of every rotation, of shape ``[rotations]``.
        """
        out = np.empty_like(self._initial)
        self._home(self._forward(angles, self._products.evaluated(angles), out[None].copy()), out)
        return out

    def cost(self, angles: np.ndarray) -> float:
        """Return the cost.

        Args:
            angles: Of every rotation, of shape ``[rotations]``.
        """
        room = np.empty((1, len(self._initial)))
        return _inner(self._observable, self._forward(angles, self._products.evaluated(angles), room))

    def cost_and_slopes(self, angles: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the cost, and its derivatives by the angles, of shape ``[rotations]``.

        Args:
            angles: Of every rotation, of shape ``[rotations]``.
        """
        at, kept = self._products.evaluated(angles), np.empty((len(self._stages), len(self._initial)))
        value = _inner(self._observable, self._forward(angles, at, kept))
        slopes, by_matrix = np.empty(self._rotations), np.empty_like(at.matrices)
        behind, here = self._observable.copy(), np.empty_like(self._observable)
        for stage, before in zip(reversed(self._stages), kept[::-1], strict=True):
            change = stage.change
            if isinstance(change, tuple):
                here[:] = _turned(behind, change, -angles)
                slopes[change[0]] = _slope(here, before, change[1])
            else:
                rows = behind.reshape(stage.side, -1)
                if isinstance(change, int):
                    by_matrix[change] = _outer(rows, before.reshape(stage.side, -1))
                    change = at.matrices[change]
                _multiply(change.T, rows, here.reshape(stage.side, -1))
            stage.scatter(here, behind)
        slopes[self._products.rotations] = self._products.pull_back(by_matrix, at)
        return value, slopes

    def _forward(self, angles: np.ndarray, at: Evaluated, room: np.ndarray) -> np.ndarray:
        """Return the final state. Those before the last stages are written to ``room``, as many as it has rows."""
        state, behind = self._initial, np.empty_like(self._initial)
        for k, stage in enumerate(self._stages):
            change, before = stage.change, room[k % len(room)]
            stage.gather(state, before)
            if isinstance(change, tuple):
                behind[:] = _turned(before, change, angles)
            else:
                matrix = at.matrices[change] if isinstance(change, int) else change
                _multiply(matrix, before.reshape(stage.side, -1), behind.reshape(stage.side, -1))
            state = behind
        return state


def _multiply(matrix: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    """Write a matrix times a state to ``out``."""
    side, columns = rows.shape
    most = ALONE // side**2
    if columns <= most:
        np.dot(matrix, rows, out=out)
    else:
        parts = (side, columns // most, most)
        np.matmul(matrix, rows.reshape(parts).swapaxes(0, 1), out=out.reshape(parts).swapaxes(0, 1))


def _outer(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return a state times the transpose of another, both as matrices."""
    side, columns = rows.shape
    most = ALONE // side**2
    if columns <= most:
        return np.dot(rows, others.T)
    parts = (x.reshape(side, columns // most, most).swapaxes(0, 1) for x in (rows, others))
    return np.matmul(next(parts), next(parts).swapaxes(1, 2)).sum(0)


def _inner(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.einsum("i,i->", a, b))


def _turns(window: Window) -> int:
    return sum(not isinstance(part, Block) for part in window.parts)


def _at_least_two(window: Window, num_qubits: int) -> Window:
    """Return a window on one qubit as one on two, if there are two."""
    (q, *more) = window.qubits
    if more or num_qubits == 1:
        return window
    return replace(window, qubits=(q, q + 1) if q + 1 < num_qubits else (q - 1, q))


def _change(window: Window, num_qubits: int) -> np.ndarray | tuple[int, Planes]:
    part = window.parts[0]
    if isinstance(part, Block):
        return fixed_matrix(window)
    return part[0], planes_of(part[1].pauli, num_qubits)


def _turned(state: np.ndarray, turn: tuple[int, Planes], angles: np.ndarray) -> np.ndarray:
    number, planes = turn
    angle = torch.tensor(angles[number])
    return planes.turned(torch.from_numpy(state)[:, None], angle.cos(), angle.sin())[:, 0].numpy()


def _slope(back: np.ndarray, before: np.ndarray, planes: Planes) -> float:
    """Return the derivative by a rotation's angle; both vectors stand before it, and its generator commutes with it."""
    (a, b), (r, s) = (planes.parts(torch.from_numpy(x)[:, None]) for x in (back, before))
    return float((a * s - b * r).sum())
