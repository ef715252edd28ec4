r"""Signed Pauli words conjugated by gates: :math:`C P C^\dagger = \pm P'`."""

from parasym.circuits.operation import Clifford, Tableau
from parasym.circuits.pauli import Pauli
from parasym.circuits.state import signed_word


def conjugate(op: Clifford | Tableau, sign: int, word: Pauli) -> tuple[int, Pauli]:
    r"""Return the sign and the word of :math:`C (\pm P) C^\dagger`.

    Args:
        op: The gate ``C``.
        sign: 1 or -1.
        word: The word ``P``.

    Example:
        >>> from parasym.circuits import gate
        >>> conjugate(gate("s", 0), 1, Pauli.from_label("Y"))
        (-1, Pauli(x=1, z=0))
    """
    local = word.restricted(op.qubits)
    outside = Pauli(word.x & ~_mask(op.qubits), word.z & ~_mask(op.qubits))
    phase, image = local.num_y, Pauli()  # a word is i^y times its X first, then its Z, on every qubit
    for k in range(len(op.qubits)):
        for present, images in ((local.x, op.x_images), (local.z, op.z_images)):
            if present >> k & 1:
                s, factor = signed_word(images[k])
                phase += (0 if s > 0 else 2) + _product_phase(image, factor)
                image = image * factor
    assert phase % 2 == 0, "the image of a Hermitian word is Hermitian; please report"
    return sign * (1 if phase % 4 == 0 else -1), image.placed(op.qubits) * outside


def _product_phase(a: Pauli, b: Pauli) -> int:
    """Return the power of i in ``a b = i^p (a * b)``."""
    return (a.num_y + b.num_y - (a * b).num_y + 2 * (a.z & b.x).bit_count()) % 4


def _mask(qubits: tuple[int, ...]) -> int:
    return sum(1 << q for q in qubits)
