"""Slow, obvious simulators: a state vector for up to 12 qubits, a density matrix for up to 6. They are the judge of symmetries.

Index conventions: the last axis of a state is the basis state, qubit 0 its most significant bit; the last two of a density matrix
are row and column. Leading axes are a batch of parameter vectors. Everything is complex128 and differentiable.
"""

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor

from parasym.circuits.circuit import Circuit
from parasym.circuits.gates import operation_matrix, pauli_matrix
from parasym.circuits.observable import Observable, PauliSum, StabilizerProjector
from parasym.circuits.operation import Channel, Opaque, Operation, Rotation
from parasym.circuits.pauli import Pauli
from parasym.circuits.state import ProductState, StabilizerState, signed_word
from parasym.core import BadInputError, ShapeError

MOST_PURE, MOST_MIXED = 12, 6


def expectations(circuit: Circuit, theta: Tensor, *, mixed: bool | None = None) -> Tensor:
    r"""Return the expectation values of the observables, of shape ``[*batch, observables]``.

    Args:
        circuit: The circuit.
        theta: Parameters of shape ``[*batch, M]``.
        mixed: Whether to use a density matrix; only where one is needed if ``None``.

    Raises:
        BadInputError: If the circuit is too large, or cannot be simulated.
        ShapeError: If ``theta`` has another length.

    Example:
        >>> from parasym.circuits import Circuit, PauliSum, rotation
        >>> circuit = Circuit(1, (rotation("Y", 0, 0),), (PauliSum.from_labels({"Z": 1.0}),))
        >>> expectations(circuit, torch.tensor([0.3])), torch.tensor(0.3).cos()
        (tensor([0.9553], dtype=torch.float64), tensor(0.9553))
    """
    dense = needs_density(circuit) if mixed is None else mixed
    state = density_matrix(circuit, theta) if dense else state_vector(circuit, theta)
    values = []
    for observable in circuit.observables:
        if dense:
            image = observed(observable, state.mT, circuit.num_qubits)
            values.append(image.diagonal(dim1=-2, dim2=-1).sum(-1).real)
        else:
            image = observed(observable, state, circuit.num_qubits)
            values.append((state.conj() * image).sum(-1).real)
    return torch.stack(values, dim=-1)


def needs_density(circuit: Circuit) -> bool:
    """Return whether the state is mixed: there are channels, or the initial state is.

    Args:
        circuit: The circuit.
    """
    return circuit.noisy or _initial_vector(circuit) is None


def state_vector(circuit: Circuit, theta: Tensor) -> Tensor:
    """Return the final state, of shape ``[*batch, 2**n]``.

    Args:
        circuit: The circuit, without channels.
        theta: Parameters of shape ``[*batch, M]``.

    Raises:
        BadInputError: If the circuit is too large, or its state is mixed.
        ShapeError: If ``theta`` has another length.
    """
    theta = _checked(circuit, theta, MOST_PURE)
    start = _initial_vector(circuit)
    if start is None or circuit.noisy:
        raise BadInputError("The state of this circuit is mixed: use density_matrix.")
    psi = start.expand(*theta.shape[:-1], -1)
    for op in circuit.operations:
        psi = _apply(op, psi, theta.unbind(-1), circuit.num_qubits)
    return psi


def density_matrix(circuit: Circuit, theta: Tensor) -> Tensor:
    """Return the final density matrix, of shape ``[*batch, 2**n, 2**n]``.

    Args:
        circuit: The circuit.
        theta: Parameters of shape ``[*batch, M]``.

    Raises:
        BadInputError: If the circuit is too large.
        ShapeError: If ``theta`` has another length.
    """
    theta = _checked(circuit, theta, MOST_MIXED)
    n = circuit.num_qubits
    rho = _initial_density(circuit).expand(*theta.shape[:-1], -1, -1)
    angles = theta.unsqueeze(-2).unbind(-1)
    for op in circuit.operations:
        if isinstance(op, Channel):
            kraus = [torch.tensor(k, dtype=torch.complex128) for k in op.kraus]
            rho = torch.stack([_sandwich(partial(_matrix, k, op.qubits, num_qubits=n), rho) for k in kraus]).sum(0)
        else:
            rho = _sandwich(lambda x, op=op: _apply(op, x, angles, n), rho)
    return rho


def observed(observable: Observable, x: Tensor, num_qubits: int) -> Tensor:
    """Return the observable times a vector, along the last axis.

    Args:
        observable: The observable.
        x: A tensor of shape ``[..., 2**n]``.
        num_qubits: Number of qubits.
    """
    if isinstance(observable, PauliSum):
        parts = [c * _word(word, x, num_qubits) for c, word in observable.terms]
        return torch.stack(parts).sum(0) if parts else torch.zeros_like(x)
    if isinstance(observable, StabilizerProjector):
        for sign, word in observable.stabilizers:
            x = (x + sign * _word(word, x, num_qubits)) / 2
        return x
    psi = torch.tensor(observable.vector, dtype=torch.complex128)
    return (x @ psi.conj()).unsqueeze(-1) * psi


def _checked(circuit: Circuit, theta: Tensor, most: int) -> Tensor:
    if circuit.num_qubits > most:
        raise BadInputError(f"The circuit has {circuit.num_qubits} qubits, but this simulator takes at most {most}.")
    if theta.shape[-1:] != (circuit.num_parameters,):
        raise ShapeError(
            f"Argument `theta` must have {circuit.num_parameters} angles along its last axis, but has shape {tuple(theta.shape)}."
        )
    return theta.to(torch.float64)


def _apply(op: Operation, x: Tensor, theta: tuple[Tensor, ...], n: int) -> Tensor:
    """Return a gate times a vector, along the last axis."""
    if isinstance(op, Rotation):
        half = torch.as_tensor(op.angle.value(theta), dtype=torch.float64).unsqueeze(-1) / 2
        return half.cos() * x - 1j * half.sin() * _word(op.pauli, x, n)
    if isinstance(op, Opaque):
        raise BadInputError(f"Operation `{op.name}` on qubits {op.qubits} cannot be simulated: {op.reason or 'it is unknown'}.")
    if isinstance(op, Channel):
        raise BadInputError(f"Channel `{op.name}` needs a density matrix.")
    return _matrix(torch.tensor(operation_matrix(op)), op.qubits, x, num_qubits=n)


def _sandwich(gate: Callable[[Tensor], Tensor], rho: Tensor) -> Tensor:
    return gate(gate(rho.mT).mT.conj()).conj().resolve_conj()


def _matrix(matrix: Tensor, qubits: tuple[int, ...], x: Tensor, *, num_qubits: int) -> Tensor:
    batch, k = x.ndim - 1, len(qubits)
    axes = tuple(batch + q for q in qubits)
    front = x.reshape(*x.shape[:-1], *(2,) * num_qubits).movedim(axes, tuple(range(k)))
    shape = front.shape
    moved = matrix.to(torch.complex128) @ front.reshape(2**k, -1)
    return moved.reshape(shape).movedim(tuple(range(k)), axes).reshape(x.shape)


def _word(word: Pauli, x: Tensor, num_qubits: int) -> Tensor:
    index, phase = _word_action(word, num_qubits)
    return x[..., index] * phase


@cache
def _word_action(word: Pauli, num_qubits: int) -> tuple[Tensor, Tensor]:
    """Return for every basis state the one it comes from, and the phase: a word is i^y X^x Z^z."""
    flip, signs = (sum((mask >> q & 1) << num_qubits - 1 - q for q in range(num_qubits)) for mask in (word.x, word.z))
    source = np.arange(2**num_qubits) ^ flip
    parity = np.bitwise_count((source & signs).astype(np.uint64)) % 2
    return torch.from_numpy(source), torch.from_numpy((1j**word.num_y) * (1.0 - 2.0 * parity))


def _initial_vector(circuit: Circuit) -> Tensor | None:
    """Return the initial state, or ``None`` if it is mixed."""
    n, initial = circuit.num_qubits, circuit.initial
    if isinstance(initial, StabilizerState):
        if len(initial.stabilizers) < n:
            return None
        x = torch.exp(1j * torch.arange(2**n, dtype=torch.float64) ** 2)  # any vector that no projector annihilates
        for sign, word in map(signed_word, initial.stabilizers):
            x = (x + sign * _word(word, x, n)) / 2
        return x / torch.linalg.vector_norm(x)
    x = torch.ones(1, dtype=torch.complex128)
    for vector in initial.bloch if isinstance(initial, ProductState) else ((0.0, 0.0, 1.0),) * n:
        if np.linalg.norm(vector) < 1 - 1e-12:
            return None
        values, vectors = np.linalg.eigh(_bloch_matrix(vector))
        x = torch.kron(x, torch.from_numpy(vectors[:, int(values.argmax())]))
    return x


def _initial_density(circuit: Circuit) -> Tensor:
    n, initial = circuit.num_qubits, circuit.initial
    psi = _initial_vector(circuit)
    if psi is not None:
        return torch.outer(psi, psi.conj())
    if isinstance(initial, StabilizerState):
        rho = torch.eye(2**n, dtype=torch.complex128)
        for sign, word in map(signed_word, initial.stabilizers):
            rho = (rho + sign * _word(word, rho.mT, n).mT) / 2
        return rho / rho.diagonal().sum()
    rho = torch.ones(1, 1, dtype=torch.complex128)
    for vector in initial.bloch if isinstance(initial, ProductState) else ():
        rho = torch.kron(rho, torch.from_numpy(_bloch_matrix(vector)))
    return rho


def _bloch_matrix(vector: tuple[float, float, float]) -> np.ndarray:
    paulis = (pauli_matrix(Pauli.from_label(letter), 1) for letter in "XYZ")
    return (np.eye(2) + sum(c * p for c, p in zip(vector, paulis, strict=True))) / 2
