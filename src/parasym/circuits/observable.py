"""What is measured at the end of a circuit."""

from dataclasses import dataclass
from math import isfinite

import numpy as np

from parasym.circuits.pauli import Pauli
from parasym.circuits.state import signed_word
from parasym.core import BadInputError


@dataclass(frozen=True)
class PauliSum:
    r"""The observable :math:`O = \sum_j c_j P_j`.

    Attributes:
        terms: Pairs of a coefficient and a word; equal words are added up and zeros dropped.

    Raises:
        BadInputError: If a coefficient is not finite.

    Example:
        >>> PauliSum.from_labels({"ZZI": 1.0, "IXI": -0.5}).terms[1]
        (-0.5, Pauli(x=2, z=0))
    """

    terms: tuple[tuple[float, Pauli], ...]

    def __post_init__(self) -> None:
        sums: dict[Pauli, float] = {}
        for coefficient, word in self.terms:
            if not isfinite(coefficient):
                raise BadInputError(f"The coefficients of an observable must be finite, but one is {coefficient}.")
            sums[word] = sums.get(word, 0.0) + float(coefficient)
        object.__setattr__(self, "terms", tuple((c, p) for p, c in sums.items() if c != 0.0))

    @staticmethod
    def from_labels(coefficients: dict[str, float]) -> "PauliSum":
        """Return the sum with these labels, that of qubit 0 first.

        Args:
            coefficients: The coefficient of each label.
        """
        return PauliSum(tuple((c, Pauli.from_label(label)) for label, c in coefficients.items()))


@dataclass(frozen=True)
class StabilizerProjector:
    r"""The projector :math:`\prod_i (1 + S_i)/2` onto what signed Pauli words fix.

    The projector onto the bit string 0...0 of some qubits has the words Z on each of them.

    Attributes:
        stabilizers: Pairs of a sign (1 or -1) and a word; they commute.

    Raises:
        BadInputError: If two words do not commute.
    """

    stabilizers: tuple[tuple[int, Pauli], ...]

    def __post_init__(self) -> None:
        words = [word for _, word in self.stabilizers]
        if any(not a.commutes(b) for a in words for b in words):
            raise BadInputError("The words of a stabilizer projector must commute.")

    @staticmethod
    def from_labels(*labels: str) -> "StabilizerProjector":
        """Return the projector of signed labels.

        Args:
            *labels: Labels such as ``-ZZI``.
        """
        return StabilizerProjector(tuple(signed_word(label) for label in labels))


@dataclass(frozen=True)
class StateProjector:
    r"""The projector :math:`|\psi\rangle\langle\psi|` onto a pure state; qubit 0 is the most significant bit.

    Attributes:
        vector: The ``2**n`` amplitudes.

    Raises:
        BadInputError: If the vector is not normalized.
    """

    vector: tuple[complex, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "vector", tuple(complex(a) for a in self.vector))
        norm = float(np.linalg.norm(self.vector))
        if abs(norm - 1) > 1e-9:
            raise BadInputError(f"The state of a projector must be normalized, but has norm {norm:.6g}.")


Observable = PauliSum | StabilizerProjector | StateProjector
