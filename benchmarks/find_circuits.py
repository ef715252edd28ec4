"""``find`` on large circuits beside the same linear algebra in plain numpy: one byte per bit, rows reduced one by one."""

from dataclasses import dataclass

import numpy as np

from benchmarks.measure import Row, side_by_side
from parasym.circuits import (
    Circuit,
    Clifford,
    NoiseModel,
    PauliSum,
    Rotation,
    amplitude_damping,
    find_circuit,
    ising_ring,
    layered,
)

OURS, NOISY, PLAIN = "parasym.find", "parasym.find, with amplitude damping", "plain numpy, uint8"


@dataclass(frozen=True)
class Task:
    """What to measure.

    Attributes:
        sizes: Qubits and layers of the circuits: two rotations per qubit and layer, a chain of CX, an Ising ring.
        n: Repetitions after one run to warm up.
        limit: Seconds that each run may take.
    """

    sizes: tuple[tuple[int, int], ...] = ((20, 21), (50, 21), (100, 21))
    n: int = 3
    limit: float | None = 120.0


TINY = Task(sizes=((4, 3),), n=1, limit=None)


def run(task: Task) -> list[Row]:
    """Return times; both must find groups of the same order."""
    rows: list[Row] = []
    noise = NoiseModel(after_many=(amplitude_damping(0.05, 0),))
    for qubits, layers in task.sizes:
        circuit = layered(qubits, layers, rotations="YZ", observables=(ising_ring(qubits),))
        case = f"{qubits} qubits, {circuit.num_parameters} parameters"
        if qubits <= 20:
            assert find_circuit(circuit).order == 2 ** len(plain_generators(circuit)), "the two do not agree"
        contenders = {
            OURS: lambda c=circuit: find_circuit(c),
            NOISY: lambda c=circuit: find_circuit(c, noise=noise),
            PLAIN: lambda c=circuit: plain_generators(c),
        }
        rows += side_by_side(case, contenders, n=task.n, limit=task.limit, patience=5.0)
    return rows


def plain_generators(circuit: Circuit) -> np.ndarray:
    """Return independent action rows ``(shift | sign)`` of a circuit of rotations and CX that starts in the zero state."""
    n, size = circuit.num_qubits, circuit.num_parameters
    x, z = (np.zeros((n, n + size), dtype=np.uint8) for _ in range(2))
    z[:, :n] = np.eye(n, dtype=np.uint8)
    signs = np.zeros((size, n + size), dtype=np.uint8)
    for op in circuit.operations:
        if isinstance(op, Rotation):
            (q,), ((k, _),) = op.qubits, op.angle.terms
            signs[k] = (op.pauli.x >> q & 1) * z[q] ^ (op.pauli.z >> q & 1) * x[q]
            x[q, n + k] ^= op.pauli.x >> q & 1
            z[q, n + k] ^= op.pauli.z >> q & 1
        elif isinstance(op, Clifford):
            control, target = op.qubits
            x[target] ^= x[control]
            z[control] ^= z[target]
    (observable,) = circuit.observables
    assert isinstance(observable, PauliSum)
    words = [word for _, word in observable.terms]
    rows = [sum((w.x >> q & 1) * z[q] + (w.z >> q & 1) * x[q] for q in range(n)) % 2 for w in words]
    basis = _null_space(np.array(rows, dtype=np.uint8))
    return _reduced(
        np.concatenate([basis[:, n:], (basis.astype(np.float32) @ signs.T.astype(np.float32) % 2).astype(np.uint8)], 1)
    )[0]


def _reduced(matrix: np.ndarray) -> tuple[np.ndarray, list[int]]:
    matrix, row, pivots = matrix.copy(), 0, []
    for column in range(matrix.shape[1]):
        hits = np.flatnonzero(matrix[row:, column])
        if len(hits):
            matrix[[row, row + hits[0]]] = matrix[[row + hits[0], row]]
            others = np.flatnonzero(matrix[:, column])
            matrix[others[others != row]] ^= matrix[row]
            pivots.append(column)
            row += 1
        if row == len(matrix):
            break
    return matrix[:row], pivots


def _null_space(matrix: np.ndarray) -> np.ndarray:
    reduced, pivots = _reduced(matrix)
    free = [k for k in range(matrix.shape[1]) if k not in set(pivots)]
    basis = np.zeros((len(free), matrix.shape[1]), dtype=np.uint8)
    basis[np.arange(len(free)), free] = 1
    basis[:, pivots] = reduced[:, free].T
    return basis
