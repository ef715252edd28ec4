"""Light cones: what a Pauli word at the end of a circuit can see of it. In a shallow circuit those are few qubits."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from parasym.circuits.circuit import Circuit
from parasym.circuits.observable import PauliSum
from parasym.circuits.operation import Operation, Rotation
from parasym.circuits.pauli import Pauli
from parasym.circuits.simulate import MOST_MIXED, MOST_PURE, expectations, needs_density
from parasym.circuits.state import ProductState, StabilizerState
from parasym.core import BadInputError


def light_cone(circuit: Circuit, word: Pauli) -> Circuit:
    """Return the part of a circuit on which the expectation value of a word depends, on its own qubits.

    From the end to the start an operation counts if it touches a qubit that counts; then all its qubits do. Others drop out with
    their adjoints: they preserve the trace. The parameters stay those of the whole circuit.

    Args:
        circuit: The circuit.
        word: A word; it is the observable of the result.

    Raises:
        BadInputError: If the circuit starts from a stabilizer state, whose qubits cannot be had one by one.

    Example:
        >>> from parasym.circuits import gate, rotation
        >>> circuit = Circuit(9, (*(rotation("Y", q, q) for q in range(9)), gate("cx", 3, 4), gate("cx", 7, 8)))
        >>> cone = light_cone(circuit, Pauli(z=1 << 4))
        >>> cone.num_qubits, len(cone.operations), cone.num_parameters
        (2, 3, 9)
    """
    if isinstance(circuit.initial, StabilizerState):
        raise BadInputError("light cones are for circuits that start from a product state")
    seen, kept = set(word.qubits), []
    for op in reversed(circuit.operations):
        if seen & set(op.qubits):
            seen |= set(op.qubits)
            kept.append(op)
    qubits = tuple(sorted(seen)) or (0,)
    initial = circuit.initial
    if isinstance(initial, ProductState):
        initial = ProductState(tuple(initial.bloch[q] for q in qubits))
    return replace(
        circuit,
        num_qubits=len(qubits),
        operations=tuple(_moved(op, qubits) for op in reversed(kept)),
        observables=(PauliSum(((1.0, word.restricted(qubits)),)),),
        initial=initial,
    )


def cone_expectations(circuit: Circuit) -> Callable[[Tensor], Tensor]:
    """Return the function from parameters ``[*batch, M]`` to expectation values ``[*batch, observables]``, cone by cone.

    Args:
        circuit: A circuit of any number of qubits whose observables are Pauli sums.

    Raises:
        BadInputError: If a cone has more than 12 qubits, 6 with noise, or there are none.
    """
    cones: list[list[tuple[float, Circuit]]] = []
    for observable in circuit.observables:
        if not isinstance(observable, PauliSum):
            raise BadInputError("light cones are those of Pauli words, and a projector has too many")
        cones.append([(coefficient, _small(light_cone(circuit, word), word)) for coefficient, word in observable.terms])
    if not cones:
        raise BadInputError("the whole state has no light cone")

    def run(theta: Tensor) -> Tensor:
        zero = theta.new_zeros(theta.shape[:-1], dtype=torch.float64)
        return torch.stack([sum((c * expectations(cone, theta)[..., 0] for c, cone in terms), zero) for terms in cones], dim=-1)

    return run


def _small(cone: Circuit, word: Pauli) -> Circuit:
    mixed = needs_density(cone) if cone.num_qubits <= MOST_PURE else cone.noisy
    most = MOST_MIXED if mixed else MOST_PURE
    if cone.num_qubits > most:
        letters = "".join(word.letter(q) for q in word.qubits)
        where = ", ".join(map(str, word.qubits))
        raise BadInputError(f"the light cone of {letters} on {where} has {cone.num_qubits} qubits, more than {most}")
    return cone


def _moved(op: Operation, qubits: tuple[int, ...]) -> Operation:
    if isinstance(op, Rotation):
        return replace(op, pauli=op.pauli.restricted(qubits))
    return replace(op, qubits=tuple(qubits.index(q) for q in op.qubits))
