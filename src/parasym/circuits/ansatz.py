"""Circuits that are used again and again: hardware-efficient layers, the alternating operator ansatz, spin rings."""

from typing import Literal

from parasym.circuits.angle import Angle
from parasym.circuits.circuit import Circuit
from parasym.circuits.observable import Observable, PauliSum
from parasym.circuits.operation import Operation, gate, rotation
from parasym.circuits.pauli import Pauli


def layered(
    num_qubits: int,
    layers: int,
    *,
    rotations: str = "Y",
    entangler: Literal["cx", "cz"] = "cx",
    final: bool = False,
    ring: bool = False,
    observables: tuple[Observable, ...] = (),
) -> Circuit:
    """Return the hardware-efficient ansatz: in each layer rotations on every qubit, then a chain of two-qubit gates.

    Parameter ``((layer * num_qubits) + qubit) * len(rotations) + k`` is the angle of rotation ``k``.

    Args:
        num_qubits: Number of qubits.
        layers: Number of layers.
        rotations: Axes of the rotations of a qubit, in the order in which they act, such as ``ZXZ``.
        entangler: The two-qubit gate on neighbours.
        final: Whether a layer of rotations without entanglers follows.
        ring: Whether the last qubit is a neighbour of the first.
        observables: What is measured.

    Example:
        >>> layered(4, 4).num_parameters, len(layered(4, 4).operations)
        (16, 28)
    """
    operations: list[Operation] = []
    index = 0
    for layer in range(layers + final):
        for q in range(num_qubits):
            for letter in rotations:
                operations.append(rotation(letter, q, index))
                index += 1
        if layer < layers:
            pairs = [(q, q + 1) for q in range(num_qubits - 1)] + ([(num_qubits - 1, 0)] if ring and num_qubits > 2 else [])
            operations += [gate(entangler, a, b) for a, b in pairs]
    return Circuit(num_qubits, tuple(operations), observables)


def alternating(num_qubits: int, depth: int) -> Circuit:
    """Return the alternating operator ansatz for the cut of a ring: every layer has two parameters, each shared by all.

    Args:
        num_qubits: Number of qubits, at least 3.
        depth: Number of layers; parameters ``2k`` and ``2k + 1`` are the angles of layer ``k``.

    References:
        Farhi, Goldstone, Gutmann. A quantum approximate optimization algorithm. 2014, https://arxiv.org/abs/1411.4028
    """
    edges = [(q, (q + 1) % num_qubits) for q in range(num_qubits)]
    operations: list[Operation] = [gate("h", q) for q in range(num_qubits)]
    for layer in range(depth):
        operations += [rotation("ZZ", edge, Angle(((2 * layer, 1.0),))) for edge in edges]
        operations += [rotation("X", q, Angle(((2 * layer + 1, 2.0),))) for q in range(num_qubits)]
    cut = PauliSum(tuple((0.5, Pauli.from_label("ZZ", edge)) for edge in edges))
    return Circuit(num_qubits, tuple(operations), (cut,))


def ising_ring(num_qubits: int, *, field: float = 1.0) -> PauliSum:
    r"""Return the transverse-field Ising model on a ring: :math:`-\sum Z_q Z_{q+1} - g \sum X_q`.

    Args:
        num_qubits: Number of spins, at least 3.
        field: The field ``g``.
    """
    bonds = [(-1.0, Pauli.from_label("ZZ", (q, (q + 1) % num_qubits))) for q in range(num_qubits)]
    return PauliSum((*bonds, *((-field, Pauli(x=1 << q)) for q in range(num_qubits))))


def heisenberg_ring(num_qubits: int) -> PauliSum:
    r"""Return the Heisenberg model on a ring: :math:`\sum (XX + YY + ZZ)` over neighbours.

    Args:
        num_qubits: Number of spins, at least 3.
    """
    pairs = [(q, (q + 1) % num_qubits) for q in range(num_qubits)]
    return PauliSum(tuple((1.0, Pauli.from_label(2 * letter, pair)) for pair in pairs for letter in "XYZ"))
