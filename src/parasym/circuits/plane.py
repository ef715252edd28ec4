r"""The planes in which a Pauli rotation turns a vector of Pauli coefficients.

With :math:`U = e^{-iaP/2}` a word that commutes with :math:`P` stays, and one that does not goes to
:math:`U^\dagger Q U = \cos a\, Q + \sin a\,(iPQ)`: in every plane of :math:`Q` and :math:`Q' = iPQ` the vector turns by
:math:`a`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parasym.circuits.pauli import Pauli
from parasym.circuits.pauli_vector import product_phase, words_of

DIGITS = {"X": (2, 3), "Y": (1, 2), "Z": (3, 1)}
"""For a rotation of one qubit about X, Y or Z the base-4 digits of Q and iPQ."""


@dataclass(frozen=True, eq=False)
class Planes:
    """All planes of one generator.

    Attributes:
        shape: How the words are read, without the batch.
        first: Where the words Q are.
        second: Where the words iPQ are, in the same order.
    """

    shape: tuple[int, ...]
    first: Any
    second: Any

    def parts(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Return both coefficients of every plane, each of shape ``[..., batch]``.

        Args:
            state: Of shape ``[4**n, batch]``.
        """
        view = state.view(*self.shape, -1)
        return view[self.first], view[self.second]

    def turned(self, state: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Return the state turned by an angle.

        Args:
            state: Of shape ``[4**n, batch]``.
            cos: Cosine of the angle, of shape ``[batch]``.
            sin: Sine of the angle, of shape ``[batch]``.
        """
        out = state.clone()
        view = out.view(*self.shape, -1)
        a, b = self.parts(state)
        view[self.first] = cos * a + sin * b
        view[self.second] = cos * b - sin * a
        return out


def planes_of(word: Pauli, num_qubits: int) -> Planes:
    """Return the planes of a generator.

    Args:
        word: The generator.
        num_qubits: Number of qubits.

    Example:
        >>> planes = planes_of(Pauli.from_label("Y"), 1)  # I, X, Z, Y: about Y, Z turns to X
        >>> planes.turned(torch.tensor([[1.0], [0.0], [1.0], [0.0]]), torch.tensor([0.0]), torch.tensor([1.0])).T
        tensor([[1., 1., 0., 0.]])
    """
    if len(word.qubits) == 1:
        q = word.qubits[0]
        first, second = DIGITS[word.label(num_qubits)[q]]
        return Planes((4**q, 4, 4 ** (num_qubits - q - 1)), (slice(None), first), (slice(None), second))
    x, z = words_of(num_qubits)
    odd = np.bitwise_count((x & word.z).astype(np.uint64)) + np.bitwise_count((z & word.x).astype(np.uint64))
    place = {(int(a), int(b)): k for k, (a, b) in enumerate(zip(x, z, strict=True))}
    first, second = [], []
    for k in np.flatnonzero(odd % 2):
        phase, other = product_phase(word, Pauli(int(x[k]), int(z[k])))
        if phase == 3:  # i P Q is + the other word; of each pair one direction has that sign
            first.append(int(k))
            second.append(place[other.x, other.z])
    return Planes((4**num_qubits,), torch.tensor(first), torch.tensor(second))
