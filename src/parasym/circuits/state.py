"""The state in which a circuit starts."""

from dataclasses import dataclass

import numpy as np

from parasym.circuits.pauli import Pauli
from parasym.core import BadInputError


@dataclass(frozen=True)
class ZeroState:
    """All qubits in the state 0."""


@dataclass(frozen=True)
class StabilizerState:
    """The state fixed by signed Pauli words; with fewer than one per qubit, the evenly mixed state of that subspace.

    Attributes:
        stabilizers: Signed labels such as ``+XXI``; independent and commuting.

    Raises:
        BadInputError: If two do not commute, or they are not independent.
    """

    stabilizers: tuple[str, ...]

    def __post_init__(self) -> None:
        words = [signed_word(s)[1] for s in self.stabilizers]
        if any(not a.commutes(b) for a in words for b in words):
            raise BadInputError(f"Stabilizers must commute, but are {self.stabilizers}.")
        rows: dict[int, int] = {}
        for word in words:
            row = word.x << 4096 | word.z
            while row and row.bit_length() in rows:
                row ^= rows[row.bit_length()]
            if not row:
                raise BadInputError(f"Stabilizers must be independent, but are {self.stabilizers}.")
            rows[row.bit_length()] = row


@dataclass(frozen=True)
class ProductState:
    """A product of single-qubit states, pure or mixed.

    Attributes:
        bloch: The Bloch vector of every qubit: expectation values of X, Y and Z.

    Raises:
        BadInputError: If a Bloch vector is longer than 1.
    """

    bloch: tuple[tuple[float, float, float], ...]

    def __post_init__(self) -> None:
        for q, vector in enumerate(self.bloch):
            if np.linalg.norm(vector) > 1 + 1e-9:
                raise BadInputError(f"The Bloch vector of qubit {q} must have length at most 1, but is {vector}.")


InitialState = ZeroState | StabilizerState | ProductState


def signed_word(label: str) -> tuple[int, Pauli]:
    """Return the sign and the word of a label such as ``-XIZ``; no sign means plus.

    Args:
        label: The label.
    """
    sign = -1 if label.startswith("-") else 1
    return sign, Pauli.from_label(label.lstrip("+-"))
