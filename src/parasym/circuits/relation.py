r"""Which Pauli frames pass an operation, and what they become: a linear relation over GF(2).

Let :math:`R_{ab} = \operatorname{Tr}[P_a\, N(P_b)] / 2^k` be the Pauli transfer matrix of an operation :math:`N`. Then
:math:`N(Q \rho Q) = Q' N(\rho) Q'` for all :math:`\rho` if and only if

.. math:: \langle a, Q' \rangle + \langle b, Q \rangle = 0 \quad\text{for all } a, b \text{ with } R_{ab} \ne 0,

which is linear in the pair :math:`(Q, Q')`. A Clifford gate has one :math:`Q'` for every :math:`Q`; amplitude damping demands
:math:`Q' = Q \in \{1, Z\}`; a reset forgets :math:`Q` and lets :math:`Q'` be any of :math:`\{1, Z\}`. With complex conjugation
(:math:`\kappa = 1`) the condition gains :math:`\kappa(y_a + y_b)`, where :math:`y` counts letters Y.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from parasym.circuits.frame import System
from parasym.circuits.gates import operation_matrix, pauli_matrix
from parasym.circuits.operation import Channel, Clifford, Tableau, Unitary
from parasym.circuits.pauli import Pauli
from parasym.circuits.state import signed_word

MOST_QUBITS = 3
SMALL = 1e-13


@dataclass(frozen=True)
class Relation:
    """A linear relation between the frame before an operation on ``k`` qubits and the frame after it.

    A form over the frame before has bit ``q`` for X and bit ``k + q`` for Z on qubit ``q``, and bit ``2k`` for conjugation.

    Attributes:
        conditions: Forms over the frame before that must be zero.
        after: For every bit of the frame after, X then Z, its form over the frame before.
        loose: Which bits of the frame after are free, as forms over them: bit ``i`` of entry ``j`` says whether free
            bit ``i`` is added to bit ``j``.
        num_loose: Number of free bits.
    """

    conditions: tuple[int, ...]
    after: tuple[int, ...]
    loose: tuple[int, ...]
    num_loose: int


@cache
def relation(op: Clifford | Tableau | Unitary | Channel) -> Relation:
    """Return the relation of an operation.

    Args:
        op: A Clifford gate of any size, or another operation on at most 3 qubits.
    """
    if isinstance(op, Clifford | Tableau):
        return _clifford_relation(op.x_images, op.z_images)
    k = len(op.qubits)
    words = _words(k)
    entries = np.argwhere(np.abs(transfer_matrix(op)) > SMALL)
    system = System()
    for a, b in {(int(a), int(b)) for a, b in entries}:
        system.require(
            _functional(words[a], k) << 2 * k + 1 | _functional(words[b], k) | (words[a].num_y + words[b].num_y) % 2 << 2 * k
        )
    system.solve()
    first = 2 * k + 1
    free = [j for j in range(2 * k) if first + j not in system.rows]
    low = (1 << first) - 1
    after, loose = [], []
    for j in range(2 * k):
        row = system.rows.get(first + j)
        after.append(0 if row is None else row & low)
        bits = {j} if row is None else {f for f in free if row >> first + f & 1}
        loose.append(sum(1 << i for i, f in enumerate(free) if f in bits))
    return Relation(tuple(row for p, row in system.rows.items() if p < first), tuple(after), tuple(loose), len(free))


def transfer_matrix(op: Clifford | Tableau | Unitary | Channel) -> np.ndarray:
    """Return the Pauli transfer matrix of an operation, of side ``4**k``; word number ``x + 2**k z`` has these bit masks.

    Args:
        op: An operation on few qubits.
    """
    kraus = [np.array(m) for m in op.kraus] if isinstance(op, Channel) else [operation_matrix(op)]
    k = len(op.qubits)
    basis = np.stack([pauli_matrix(word, k) for word in _words(k)])
    images = sum(m @ basis @ m.conj().T for m in kraus)
    return np.einsum("aij,bji->ab", basis, images).real / 2**k


@cache
def _clifford_relation(x_images: tuple[str, ...], z_images: tuple[str, ...]) -> Relation:
    k = len(x_images)
    xs, zs = ([signed_word(label)[1] for label in images] for images in (x_images, z_images))
    # The conjugate of a Clifford gate is the gate times the word that anticommutes with the images with an odd number of Y.
    twist = Pauli()
    for q in range(k):
        twist = twist * (zs[q] if xs[q].num_y % 2 else Pauli()) * (xs[q] if zs[q].num_y % 2 else Pauli())
    columns = [*xs, *zs, twist]
    after = [sum((word.x >> q & 1) << c for c, word in enumerate(columns)) for q in range(k)]
    after += [sum((word.z >> q & 1) << c for c, word in enumerate(columns)) for q in range(k)]
    return Relation((), tuple(after), (0,) * (2 * k), 0)


def _words(k: int) -> list[Pauli]:
    return [Pauli(x, z) for z in range(2**k) for x in range(2**k)]


def _functional(word: Pauli, k: int) -> int:
    """Return the symplectic product with ``word`` as a form over the bits of a frame."""
    return word.z | word.x << k
