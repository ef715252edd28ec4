"""The matrix of every operation without parameters, from what it makes of Pauli words."""

from functools import cache

import numpy as np

from parasym.circuits.operation import Clifford, Tableau, Unitary
from parasym.circuits.pauli import Pauli
from parasym.circuits.state import signed_word
from parasym.core import BadInputError

_SINGLE = {
    "I": np.eye(2, dtype=complex),
    "X": np.array([[0, 1], [1, 0]], dtype=complex),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1.0 + 0j, -1.0]),
}
MOST_QUBITS = 10


@cache
def pauli_matrix(pauli: Pauli, num_qubits: int) -> np.ndarray:
    """Return the matrix of a word, of side ``2**num_qubits``; qubit 0 is the most significant bit.

    Args:
        pauli: The word.
        num_qubits: Number of qubits.
    """
    out = np.eye(1, dtype=complex)
    for letter in pauli.label(num_qubits):
        out = np.kron(out, _SINGLE[letter])
    return out


def operation_matrix(op: Clifford | Tableau | Unitary) -> np.ndarray:
    r"""Return the matrix of a fixed gate on its own qubits; that of a Clifford gate up to a phase.

    A Clifford gate :math:`C` is fixed by its tableau: :math:`C|0\rangle` is the state that the images of the
    :math:`Z_k` stabilize, and :math:`C|b\rangle = \prod_k (C X_k C^\dagger)^{b_k} C|0\rangle`.

    Args:
        op: The gate.

    Raises:
        BadInputError: If a tableau has more than 10 qubits.
    """
    if isinstance(op, Unitary):
        return np.array(op.matrix, dtype=complex)
    if len(op.qubits) > MOST_QUBITS:
        raise BadInputError(f"Tableau `{op.name}` has {len(op.qubits)} qubits; matrices are built for at most {MOST_QUBITS}.")
    return _clifford_matrix(op.x_images, op.z_images)


@cache
def _clifford_matrix(x_images: tuple[str, ...], z_images: tuple[str, ...]) -> np.ndarray:
    n = len(x_images)
    xs, zs = ([sign * pauli_matrix(word, n) for sign, word in map(signed_word, images)] for images in (x_images, z_images))
    projector = np.eye(2**n, dtype=complex)
    for z in zs:
        projector = (projector + z @ projector) / 2
    column = projector[:, int(np.abs(projector.diagonal()).argmax())]
    columns = [column / np.linalg.norm(column)]
    for x in reversed(xs):  # the last qubit is the least significant bit
        columns += [x @ c for c in columns]
    matrix = np.stack(columns, axis=1)
    pivot = matrix.flat[int(np.abs(matrix).argmax())]
    return matrix * (np.abs(pivot) / pivot)
