"""Expectation values of circuits of many qubits with little entanglement along the chain of their qubits."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from parasym.circuits.chain import Chain, ChainOperator, matrix_operator, word_operator
from parasym.circuits.circuit import Circuit
from parasym.circuits.gates import operation_matrix
from parasym.circuits.observable import Observable, PauliSum, StabilizerProjector
from parasym.circuits.operation import Channel, Opaque, Operation, Rotation
from parasym.circuits.pauli import Pauli
from parasym.circuits.state import InitialState, ProductState, StabilizerState, signed_word
from parasym.core import BadInputError, ShapeError

MOST_GATE_QUBITS = 4


def chain_expectations(circuit: Circuit, theta: Tensor) -> Tensor:
    r"""Return the expectation values of the observables, of shape ``[*batch, observables]``, by matrix product states.

    They are exact to rounding. The time grows linearly with the number of qubits and with the third power of the bonds.

    Args:
        circuit: A circuit of any number of qubits with observables that are Pauli sums or stabilizer projectors.
        theta: Parameters of shape ``[*batch, M]``.

    Raises:
        BadInputError: If the state is too entangled, or the circuit has something that this cannot do.
        ShapeError: If ``theta`` has another length.

    Example:
        >>> from parasym.circuits import ising_ring, layered
        >>> circuit = layered(30, 2, observables=(ising_ring(30),))
        >>> print(f"{float(chain_expectations(circuit, torch.zeros(60))):.6f}")
        -30.000000
    """
    if theta.shape[-1:] != (circuit.num_parameters,):
        raise ShapeError(
            f"Argument `theta` must have {circuit.num_parameters} angles along its last axis, but has shape {tuple(theta.shape)}."
        )
    if not circuit.observables:
        raise BadInputError("The whole state counts in this circuit, and it is compared as a vector only.")
    mixed = circuit.noisy or not _pure(circuit.initial, circuit.num_qubits)
    start = _initial_chain(circuit, mixed=mixed)
    fixed = [None if isinstance(op, Rotation) else _fixed(op, mixed) for op in circuit.operations]
    rows = [
        [_value(observable, chain, mixed) for observable in circuit.observables]
        for point in theta.reshape(-1, circuit.num_parameters).to(torch.float64).numpy()
        for chain in [_final(circuit, fixed, start, point, mixed)]
    ]
    return torch.tensor(rows, dtype=torch.float64).reshape(*theta.shape[:-1], len(circuit.observables))


def _final(circuit: Circuit, fixed: list[ChainOperator | None], start: Chain, point: np.ndarray, mixed: bool) -> Chain:
    chain = start.copy()
    for op, operator in zip(circuit.operations, fixed, strict=True):
        if operator is None:
            assert isinstance(op, Rotation)
            half = float(op.angle.value(point)) / 2
            turn = word_operator(np.cos(half), -1j * np.sin(half), op.pauli)
            operator = turn.mixed if mixed else turn
        chain.apply(operator)
    return chain


@cache
def _fixed(op: Operation, mixed: bool) -> ChainOperator:
    assert not isinstance(op, Rotation)
    if isinstance(op, Opaque):
        raise BadInputError(f"Operation `{op.name}` on qubits {op.qubits} cannot be simulated: {op.reason or 'it is unknown'}.")
    if len(op.qubits) > MOST_GATE_QUBITS:
        raise BadInputError(
            f"Operation `{op.name}` has {len(op.qubits)} qubits; chains take operations on at most {MOST_GATE_QUBITS}."
        )
    matrices = [np.array(m) for m in op.kraus] if isinstance(op, Channel) else [operation_matrix(op)]
    return matrix_operator(matrices, op.qubits, mixed=mixed)


def _pure(initial: InitialState, num_qubits: int) -> bool:
    if isinstance(initial, StabilizerState):
        return len(initial.stabilizers) == num_qubits
    return not isinstance(initial, ProductState) or all(np.linalg.norm(v) > 1 - 1e-12 for v in initial.bloch)


def _initial_chain(circuit: Circuit, *, mixed: bool) -> Chain:
    n, initial = circuit.num_qubits, circuit.initial
    if isinstance(initial, StabilizerState):
        # What the projectors make of the maximally mixed state, or of a vector that none of them annihilates.
        vector = np.exp(1j * np.arange(1, 2 * n + 1) ** 2).reshape(n, 1, 2, 1) / np.sqrt(2)
        chain = Chain([np.eye(2, dtype=complex).reshape(1, 4, 1) / 2] * n if mixed else list(vector))
        for sign, word in map(signed_word, initial.stabilizers):
            half = word_operator(0.5, 0.5 * sign, word)
            chain.apply(half.from_left if mixed else half)
            chain.normalize()
        if mixed:
            chain.sites[chain.center] = chain.sites[chain.center] / chain.mixed_expectations([Pauli()])[0]
        return chain
    bloch = initial.bloch if isinstance(initial, ProductState) else ((0.0, 0.0, 1.0),) * n
    return Chain([_site(np.array(vector), mixed) for vector in bloch])


def _site(bloch: np.ndarray, mixed: bool) -> np.ndarray:
    x, y, z = bloch
    rho = np.array([[1 + z, x - 1j * y], [x + 1j * y, 1 - z]]) / 2
    return rho.reshape(1, 4, 1) if mixed else np.linalg.eigh(rho)[1][:, 1].reshape(1, 2, 1)


def _value(observable: Observable, chain: Chain, mixed: bool) -> float:
    if isinstance(observable, PauliSum):
        words = [word for _, word in observable.terms]
        values = chain.mixed_expectations(words) if mixed else chain.expectations(words)
        return float(np.dot([c for c, _ in observable.terms], values))
    if not isinstance(observable, StabilizerProjector):
        raise BadInputError("A projector onto a state given by its amplitudes is not measured on chains.")
    chain = chain.copy()
    for sign, word in observable.stabilizers:
        half = word_operator(0.5, 0.5 * sign, word)
        chain.apply(half.from_left if mixed else half)
    return float(chain.mixed_expectations([Pauli()])[0]) if mixed else chain.norm() ** 2
