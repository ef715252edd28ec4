"""What a circuit consists of: rotations, Clifford gates, fixed unitaries, noise channels, and what is not understood."""

from dataclasses import dataclass

import numpy as np

from parasym.circuits._table import CLIFFORDS
from parasym.circuits.angle import Angle, angle_of
from parasym.circuits.pauli import Pauli
from parasym.core import BadInputError

Matrix = tuple[tuple[complex, ...], ...]
TRACE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Rotation:
    r"""The Pauli rotation :math:`R_P(a) = \exp(-i a P / 2)`.

    Attributes:
        pauli: The generator :math:`P`, not the identity.
        angle: The angle :math:`a` as a function of the parameters.
    """

    pauli: Pauli
    angle: Angle

    @property
    def qubits(self) -> tuple[int, ...]:
        """The qubits of the generator, ascending."""
        return self.pauli.qubits


@dataclass(frozen=True)
class Clifford:
    """A Clifford gate by name.

    Attributes:
        name: A name of the table, such as ``cx``; first qubits are controls.
        qubits: Its qubits, in order.

    Raises:
        BadInputError: If the name is unknown or the number of qubits is wrong.
    """

    name: str
    qubits: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.name not in CLIFFORDS:
            raise BadInputError(f"Argument `name` must be one of {', '.join(CLIFFORDS)}, but is `{self.name}`.")
        if len(self.qubits) != len(self.x_images):
            raise BadInputError(f"Gate `{self.name}` acts on {len(self.x_images)} qubits, but got {self.qubits}.")

    @property
    def x_images(self) -> tuple[str, ...]:
        """What the gate makes of X on each of its qubits, as signed labels."""
        return CLIFFORDS[self.name][0]

    @property
    def z_images(self) -> tuple[str, ...]:
        """What the gate makes of Z on each of its qubits, as signed labels."""
        return CLIFFORDS[self.name][1]


@dataclass(frozen=True)
class Tableau:
    r"""A Clifford block by its tableau: the signed labels of :math:`C X_k C^\dagger` and :math:`C Z_k C^\dagger`.

    Attributes:
        qubits: Its qubits, in order; letter ``k`` of a label belongs to ``qubits[k]``.
        x_images: Labels such as ``-XIZ``, one per qubit.
        z_images: The same for Z.
        name: What to call it.

    Raises:
        BadInputError: If the images do not commute and anticommute like X and Z.
    """

    qubits: tuple[int, ...]
    x_images: tuple[str, ...]
    z_images: tuple[str, ...]
    name: str = "tableau"

    def __post_init__(self) -> None:
        k = len(self.qubits)
        images = [*self.x_images, *self.z_images]
        if len(self.x_images) != k or len(self.z_images) != k or any(len(s) != k + 1 or s[0] not in "+-" for s in images):
            raise BadInputError(f"Tableau `{self.name}` must have {k} images of X and {k} of Z, each a sign and {k} letters.")
        words = [Pauli.from_label(s[1:]) for s in images]
        for i, a in enumerate(words):
            for j, b in enumerate(words):
                if a.commutes(b) != (abs(i - j) != k):
                    raise BadInputError(f"Tableau `{self.name}` is not Clifford: images {images[i]} and {images[j]} do not fit.")


@dataclass(frozen=True)
class Unitary:
    """A fixed unitary by its matrix; the first qubit is the most significant bit of an index.

    Attributes:
        qubits: Its qubits, in order.
        matrix: Rows of complex numbers, ``2**k`` by ``2**k``.
        name: What to call it.

    Raises:
        BadInputError: If the matrix is not unitary or has the wrong size.
    """

    qubits: tuple[int, ...]
    matrix: Matrix
    name: str = "unitary"

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix", matrix_of(self.matrix))
        u = _checked_size(self.matrix, self.qubits, self.name)
        if not np.abs(u @ u.conj().T - np.eye(len(u))).max() <= TRACE_TOLERANCE:
            raise BadInputError(f"Gate `{self.name}` on qubits {self.qubits} must be unitary, but its matrix is not.")


@dataclass(frozen=True)
class Channel:
    r"""A noise channel :math:`\rho \mapsto \sum_i K_i \rho K_i^\dagger`.

    Attributes:
        qubits: Its qubits, in order.
        kraus: The Kraus matrices, each as rows of complex numbers.
        name: What to call it.

    Raises:
        BadInputError: If it does not preserve the trace.
    """

    qubits: tuple[int, ...]
    kraus: tuple[Matrix, ...]
    name: str = "channel"

    def __post_init__(self) -> None:
        object.__setattr__(self, "kraus", tuple(matrix_of(k) for k in self.kraus))
        stack = [_checked_size(k, self.qubits, self.name) for k in self.kraus]
        total = sum((k.conj().T @ k for k in stack), np.zeros((2 ** len(self.qubits),) * 2, dtype=complex))
        error = float(np.abs(total - np.eye(len(total))).max())
        if not error <= TRACE_TOLERANCE:
            raise BadInputError(
                f"Channel `{self.name}` on qubits {self.qubits} must preserve the trace, but the sum of K^H K differs "
                f"from the identity by {error:.2g}. Give all of its Kraus matrices."
            )


@dataclass(frozen=True)
class Opaque:
    """An operation about which only this much is known; it cannot be simulated, and what it touches is pinned.

    Attributes:
        name: What it is.
        qubits: The qubits it acts on.
        parameters: Indices of the parameters on which it depends in an unknown way.
        pauli: The generator, if it is a Pauli rotation by an unknown angle.
        reason: What is not understood.
    """

    name: str
    qubits: tuple[int, ...]
    parameters: tuple[int, ...] = ()
    pauli: Pauli | None = None
    reason: str = ""


Operation = Rotation | Clifford | Tableau | Unitary | Channel | Opaque


def rotation(label: str, qubits: tuple[int, ...] | int, angle: Angle | int | float) -> Rotation:
    """Return a Pauli rotation by its letters.

    Args:
        label: Letters of the generator, such as ``ZZ``.
        qubits: The qubit of each letter.
        angle: An angle, the index of a parameter (an integer), or a constant (a float).

    Raises:
        BadInputError: If the generator is the identity.

    Example:
        >>> rotation("ZZ", (0, 2), 5).pauli.label(3)
        'ZIZ'
    """
    pauli = Pauli.from_label(label, (qubits,) if isinstance(qubits, int) else qubits)
    if not pauli:
        raise BadInputError(f"Argument `label` must have a letter other than I, but is `{label}`.")
    return Rotation(pauli, angle_of(angle))


def gate(name: str, *qubits: int) -> Clifford:
    """Return a Clifford gate by name.

    Args:
        name: Such as ``cx``.
        *qubits: Its qubits, controls first.

    Raises:
        BadInputError: If the name is unknown or the number of qubits is wrong.
    """
    return Clifford(name, qubits)


def controlled_rotation(letter: str, control: int, target: int, angle: Angle | int | float) -> tuple[Rotation, Rotation]:
    r"""Return a controlled rotation as two tied half-angle rotations: :math:`R_P(a/2)` and :math:`R_{ZP}(-a/2)`.

    Args:
        letter: X, Y or Z.
        control: The control qubit.
        target: The target qubit.
        angle: An angle, the index of a parameter, or a constant.
    """
    half = angle_of(angle).scaled(0.5)
    return rotation(letter, target, half), rotation("Z" + letter, (control, target), half.scaled(-1.0))


def matrix_of(rows: object) -> Matrix:
    """Return a matrix as a tuple of rows of complex numbers.

    Args:
        rows: Anything that numpy reads as a matrix.
    """
    return tuple(tuple(complex(x) for x in row) for row in np.asarray(rows, dtype=complex))


def _checked_size(matrix: Matrix, qubits: tuple[int, ...], name: str) -> np.ndarray:
    array = np.array(matrix, dtype=complex)
    if array.shape != (2 ** len(qubits),) * 2:
        raise BadInputError(f"`{name}` on qubits {qubits} must have matrices of side {2 ** len(qubits)}, but has {array.shape}.")
    return array
