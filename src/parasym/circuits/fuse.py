"""Multiply neighbouring operations without parameters into Pauli transfer matrices on one or two qubits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from parasym.circuits.operation import Opaque, Operation, Rotation
from parasym.circuits.relation import transfer_matrix
from parasym.core import BadInputError

WIDEST, MOST_QUBITS = 2, 4


@dataclass(frozen=True, eq=False)
class Block:
    """A Pauli transfer matrix on some qubits.

    Attributes:
        qubits: In ascending order.
        matrix: Of shape ``[4**k, 4**k]``; one base-4 digit ``x + 2z`` per qubit, the first the most significant.
    """

    qubits: tuple[int, ...]
    matrix: Tensor

    def apply(self, state: Tensor, num_qubits: int, *, transpose: bool = False) -> Tensor:
        """Return the matrix, or its transpose, times a state of shape ``[4**n, batch]``.

        Args:
            state: The state.
            num_qubits: Number of qubits ``n``.
            transpose: Whether to pull an observable back instead of pushing a state on.
        """
        matrix = self.matrix.T if transpose else self.matrix
        first, k = self.qubits[0], len(self.qubits)
        if self.qubits[-1] - first == k - 1:  # neighbours: a view is enough
            return (matrix @ state.reshape(4**first, 4**k, -1)).reshape(state.shape)
        axes = state.reshape(*(4,) * num_qubits, -1).movedim(self.qubits, tuple(range(k)))
        moved = (matrix @ axes.reshape(4**k, -1)).reshape(axes.shape)
        return moved.movedim(tuple(range(k)), self.qubits).reshape(state.shape)


def fuse(operations: Sequence[Operation]) -> tuple[Rotation | Block, ...]:
    """Return rotations and blocks that do the same as the operations.

    An operation joins the last block that it meets on its way to the front if the two have at most two qubits together.

    Args:
        operations: First to last.

    Raises:
        BadInputError: If one cannot be simulated: it is unknown, or has more than 4 qubits.

    Example:
        >>> from parasym.circuits import amplitude_damping, gate, rotation
        >>> operations = (rotation("Y", 0, 0), gate("cx", 0, 1), amplitude_damping(0.1, 0), amplitude_damping(0.1, 1))
        >>> [step.qubits for step in fuse(operations)]
        [(0,), (0, 1)]
    """
    steps: list[Rotation | Block] = []
    for op in operations:
        if isinstance(op, Rotation):
            steps.append(op)
            continue
        block = _block(op)
        at = len(steps) - 1
        while at >= 0 and not set(steps[at].qubits) & set(block.qubits):
            at -= 1
        last = steps[at] if at >= 0 else None
        if isinstance(last, Block) and len({*last.qubits, *block.qubits}) <= WIDEST:
            steps[at] = _product(block, last)
        else:
            steps.append(block)
    return tuple(steps)


def _block(op: Operation) -> Block:
    assert not isinstance(op, Rotation)
    k = len(op.qubits)
    if isinstance(op, Opaque):
        raise BadInputError(f"Operation `{op.name}` on qubits {op.qubits} cannot be simulated: {op.reason or 'it is unknown'}.")
    if k > MOST_QUBITS:
        raise BadInputError(f"Operation `{op.name}` has {k} qubits; this simulator takes operations on at most {MOST_QUBITS}.")
    order = tuple(sorted(op.qubits))
    # `transfer_matrix` numbers words by masks x + 2**k z, bit j for qubits[j].
    number = np.zeros(4**k, dtype=int)
    for place, q in enumerate(order):
        digit, bit = np.arange(4**k) >> 2 * (k - 1 - place) & 3, op.qubits.index(q)
        number += ((digit & 1) << bit) + ((digit >> 1) << k + bit)
    return Block(order, torch.from_numpy(transfer_matrix(op)[np.ix_(number, number)]))


def _product(second: Block, first: Block) -> Block:
    qubits = tuple(sorted({*first.qubits, *second.qubits}))
    return Block(qubits, widened(second, qubits) @ widened(first, qubits))


def widened(block: Block, qubits: tuple[int, ...]) -> Tensor:
    """Return the matrix of a block as one on more qubits.

    Args:
        block: On one or two qubits.
        qubits: The same ones, or two in ascending order with the block's among them.
    """
    if block.qubits == qubits:
        return block.matrix
    other = torch.eye(4, dtype=torch.float64)
    return torch.kron(block.matrix, other) if block.qubits[0] == qubits[0] else torch.kron(other, block.matrix)
