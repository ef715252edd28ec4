r"""Continuous symmetries: directions of the angles along which the cost never changes.

A rotation is pushed forwards through Clifford gates and rotations that commute with it. If it meets a rotation about the same
word, only the sum of the two angles counts; if it reaches the end and commutes with what is measured, its angle does not count;
nor does it if it reaches the start and commutes with the initial state. These straight lines are what single words explain.
Curved directions, as over-parametrized circuits have, are counted by ``verify`` only.
"""

from functools import cache

import numpy as np

from parasym.circuits.circuit import Circuit
from parasym.circuits.conjugate import conjugate
from parasym.circuits.operation import Clifford, Opaque, Operation, Rotation, Tableau
from parasym.circuits.pauli import Pauli
from parasym.circuits.propagate import MOST_PROJECTOR_QUBITS, invariant_words
from parasym.circuits.state import ProductState, StabilizerState, signed_word

SMALL = 1e-12
Freedom = dict[int, float]


def drift_directions(circuit: Circuit) -> tuple[tuple[float, ...], ...]:
    r"""Return independent directions of the parameters that leave the cost unchanged, each of length ``M``.

    A parameter moves the angles of all rotations that share it, so the velocities of the angles must be a
    combination of the freedoms of single rotations: a null space over the real numbers.

    Args:
        circuit: The circuit, with its channels.
    """
    freedoms = rotation_freedoms(circuit)
    loose = {k for freedom in freedoms for k in freedom}
    opaque = {j for op in circuit.operations if isinstance(op, Opaque) for j in op.parameters}
    gates: dict[int, list[tuple[int, float]]] = {}
    for k, op in enumerate(circuit.rotations):
        for j, m in op.angle.terms:
            gates.setdefault(j, []).append((k, m))
    movable = [j for j in gates if j not in circuit.frozen and j not in opaque and all(k in loose for k, _ in gates[j])]
    unused = [j for j in range(circuit.num_parameters) if j not in gates and j not in circuit.frozen and j not in opaque]
    rows = {k: i for i, k in enumerate(sorted(loose))}
    system = np.zeros((len(rows), len(movable) + len(freedoms)))
    for i, j in enumerate(movable):
        for k, m in gates[j]:
            system[rows[k], i] += m
    for i, freedom in enumerate(freedoms):
        for k, weight in freedom.items():
            system[rows[k], len(movable) + i] -= weight
    found = []
    for vector in _null_space(system):
        direction = np.zeros(circuit.num_parameters)
        direction[movable] = vector[: len(movable)]
        found.append(direction)
    found += [np.eye(circuit.num_parameters)[j] for j in unused]
    return tuple(tuple(float(x) for x in row) for row in _independent(np.array(found)))


def rotation_freedoms(circuit: Circuit) -> list[Freedom]:
    """Return what single angles, or pairs of them, may do: the weights of the rotations that move, by their number.

    Args:
        circuit: The circuit.
    """
    forward, backward = list(circuit.operations), list(reversed(circuit.operations))
    number, count = {}, 0
    for place, op in enumerate(forward):
        if isinstance(op, Rotation):
            number[place], count = count, count + 1
    at_end, at_start = _measured_words(circuit), _initial_words(circuit)
    found: list[Freedom] = []
    for place, k in number.items():
        op = forward[place]
        assert isinstance(op, Rotation)
        sign, word, met = _push(forward[place + 1 :], op.pauli, inverse=False)
        if met is not None:
            found.append({k: 1.0, number[place + 1 + met]: -float(sign)})
        elif word is not None and at_end is not None and all(word.commutes(w) for w in at_end):
            found.append({k: 1.0})
        _, word, met = _push(backward[len(forward) - place :], op.pauli, inverse=True)
        if met is None and word is not None and all(word.commutes(w) for w in at_start):
            found.append({k: 1.0})
    return found


def _push(operations: list[Operation], word: Pauli, *, inverse: bool) -> tuple[int, Pauli | None, int | None]:
    """Return the sign and the word at the end, or ``None`` if something stops it; and the place of an equal rotation it met."""
    sign = 1
    for place, op in enumerate(operations):
        if isinstance(op, Rotation):
            if op.pauli == word and not op.angle.constant:
                return sign, None, place
            if not op.pauli.commutes(word):
                return sign, None, None
        elif set(op.qubits).isdisjoint(word.qubits):
            continue
        elif isinstance(op, Clifford | Tableau):
            sign, word = conjugate(_inverse(op) if inverse else op, sign, word)
        else:
            return sign, None, None
    return sign, word, None


@cache
def _inverse(op: Clifford | Tableau) -> Tableau:
    """Return the inverse of a Clifford gate: for every letter the word that the gate turns into it, by linear algebra."""
    k = len(op.qubits)
    columns = [signed_word(label)[1] for label in (*op.x_images, *op.z_images)]

    def image(letter: Pauli) -> str:
        # Up to sign, the inverse is the symplectic adjoint.
        x = sum((0 if letter.commutes(columns[k + q]) else 1) << q for q in range(k))
        z = sum((0 if letter.commutes(columns[q]) else 1) << q for q in range(k))
        word = Pauli(x, z)
        local = Tableau(tuple(range(k)), op.x_images, op.z_images)
        sign, back = conjugate(local, 1, word)
        assert back == letter, "the tableau is not symplectic; please report"
        return ("+" if sign > 0 else "-") + word.label(k)

    xs, zs = ([image(Pauli.from_label(letter, (q,))) for q in range(k)] for letter in "XZ")
    return Tableau(op.qubits, tuple(xs), tuple(zs), op.name)


def _measured_words(circuit: Circuit) -> list[Pauli] | None:
    """Return the words that an angle without effect must commute with, or ``None`` if nothing does."""
    if not circuit.observables or (
        circuit.num_qubits > MOST_PROJECTOR_QUBITS and any(hasattr(o, "vector") for o in circuit.observables)
    ):
        return None
    return [word for o in circuit.observables for word in invariant_words(o, circuit.num_qubits)]


def _initial_words(circuit: Circuit) -> list[Pauli]:
    """Return words whose commutant leaves the initial state unchanged."""
    initial = circuit.initial
    if isinstance(initial, StabilizerState):
        return [signed_word(label)[1] for label in initial.stabilizers]
    if isinstance(initial, ProductState):
        pairs = [(q, letter, c) for q, v in enumerate(initial.bloch) for letter, c in zip("XYZ", v, strict=True)]
        return [Pauli.from_label(letter, (q,)) for q, letter, c in pairs if c]
    return [Pauli(z=1 << q) for q in range(circuit.num_qubits)]


def _null_space(matrix: np.ndarray) -> np.ndarray:
    reduced, pivots = _reduced(matrix)
    free = [k for k in range(matrix.shape[1]) if k not in pivots]
    basis = np.zeros((len(free), matrix.shape[1]))
    for row, k in zip(basis, free, strict=True):
        row[k] = 1.0
        row[pivots] = -reduced[: len(pivots), k]
    return basis


def _independent(rows: np.ndarray) -> np.ndarray:
    if not rows.size:
        return rows
    reduced, pivots = _reduced(rows)
    return reduced[: len(pivots)] + 0.0


def _reduced(matrix: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Return the reduced row echelon form and its pivots; entries are simple multipliers, so a fixed threshold will do."""
    matrix, pivots, row = matrix.astype(float).copy(), [], 0
    for column in range(matrix.shape[1]):
        if row == len(matrix):
            break
        best = row + int(np.abs(matrix[row:, column]).argmax())
        if abs(matrix[best, column]) < SMALL:
            continue
        matrix[[row, best]] = matrix[[best, row]]
        matrix[row] /= matrix[row, column]
        others = np.arange(len(matrix)) != row
        matrix[others] -= np.outer(matrix[others, column], matrix[row])
        matrix[np.abs(matrix) < SMALL] = 0.0
        pivots.append(column)
        row += 1
    return matrix, pivots
