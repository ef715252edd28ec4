r"""States and observables as vectors of Pauli coefficients, for up to 8 qubits.

A state :math:`\rho` is the vector :math:`r_P = \operatorname{Tr}(P\rho)` over all :math:`4^n` words, an observable :math:`O`
the vector
:math:`o_P = \operatorname{Tr}(P\,O)/2^n`, so that :math:`\operatorname{Tr}(O\rho) = \sum_P o_P r_P`.

Index conventions: one base-4 digit per qubit, that of qubit 0 the most significant; a digit is :math:`x + 2z`: I, X, Z, Y.
"""

from functools import cache

import numpy as np

from parasym.circuits.circuit import Circuit
from parasym.circuits.observable import Observable, PauliSum, StabilizerProjector
from parasym.circuits.pauli import Pauli
from parasym.circuits.state import ProductState, StabilizerState, signed_word

PRODUCT_STATE_OF_ZERO = (0.0, 0.0, 1.0)


def index_of(word: Pauli, num_qubits: int) -> int:
    """Return the place of a word in the vector.

    Args:
        word: The word.
        num_qubits: Number of qubits.

    Example:
        >>> index_of(Pauli.from_label("IY"), 2), index_of(Pauli.from_label("ZI"), 2)
        (3, 8)
    """
    out = 0
    for q in range(num_qubits):
        out = 4 * out + (word.x >> q & 1) + 2 * (word.z >> q & 1)
    return out


@cache
def words_of(num_qubits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the bit masks ``x`` and ``z`` of all words, in the order of the vector; each of shape ``[4**n]``.

    Args:
        num_qubits: Number of qubits.
    """
    index = np.arange(4**num_qubits)
    x, z = np.zeros_like(index), np.zeros_like(index)
    for q in range(num_qubits):
        digit = index >> 2 * (num_qubits - 1 - q) & 3
        x |= (digit & 1) << q
        z |= (digit >> 1) << q
    return x, z


def initial_vector(circuit: Circuit) -> np.ndarray:
    """Return the state in which a circuit starts, of shape ``[4**n]``.

    Args:
        circuit: The circuit.
    """
    n, initial = circuit.num_qubits, circuit.initial
    if isinstance(initial, StabilizerState):
        return 2.0**n * _projector(tuple(map(signed_word, initial.stabilizers)), n) * 2.0 ** (len(initial.stabilizers) - n)
    out = np.ones(1)
    for bloch in initial.bloch if isinstance(initial, ProductState) else (PRODUCT_STATE_OF_ZERO,) * n:
        out = np.kron(out, [1.0, bloch[0], bloch[2], bloch[1]])
    return out


def observable_vector(observable: Observable, num_qubits: int) -> np.ndarray:
    """Return an observable, of shape ``[4**n]``.

    Args:
        observable: The observable.
        num_qubits: Number of qubits.
    """
    if isinstance(observable, PauliSum):
        out = np.zeros(4**num_qubits)
        for coefficient, word in observable.terms:
            out[index_of(word, num_qubits)] += coefficient
        return out
    if isinstance(observable, StabilizerProjector):
        return _projector(observable.stabilizers, num_qubits)
    return _pure_state(np.array(observable.vector), num_qubits) / 2**num_qubits


def product_phase(a: Pauli, b: Pauli) -> tuple[int, Pauli]:
    r"""Return the power of :math:`i` and the word of the product of two words: :math:`P_a P_b = i^k P_{ab}`.

    A word is :math:`i^y X^x Z^z` with :math:`y` letters Y, and moving :math:`Z^{z_a}` past :math:`X^{x_b}` costs a sign per
    common qubit.

    Args:
        a: The left factor.
        b: The right factor.

    Example:
        >>> product_phase(Pauli.from_label("X"), Pauli.from_label("Y")) == (1, Pauli.from_label("Z"))  # XY = iZ
        True
    """
    word = a * b
    return (a.num_y + b.num_y - word.num_y + 2 * (a.z & b.x).bit_count()) % 4, word


def _projector(stabilizers: tuple[tuple[int, Pauli], ...], num_qubits: int) -> np.ndarray:
    """Return the coefficients of the product of (1 + S)/2 over commuting signed words."""
    terms: dict[Pauli, float] = {Pauli(): 1.0}
    for sign, word in stabilizers:
        more = dict.fromkeys(terms, 0.0)
        for old, value in terms.items():
            phase, new = product_phase(old, word)
            more[old] += value / 2
            more[new] = more.get(new, 0.0) + sign * (1 - phase) * value / 2  # commuting words: the phase is 0 or 2
        terms = more
    out = np.zeros(4**num_qubits)
    for word, value in terms.items():
        out[index_of(word, num_qubits)] = value
    return out


def _pure_state(psi: np.ndarray, num_qubits: int) -> np.ndarray:
    """Return the expectation value of every word in a pure state; qubit 0 is the most significant bit of a basis state."""
    basis = np.arange(2**num_qubits)
    reverse = np.zeros_like(basis)
    for q in range(num_qubits):
        reverse |= (basis >> q & 1) << num_qubits - 1 - q
    signs = 1.0 - 2.0 * (np.bitwise_count((reverse[:, None] & basis).astype(np.uint64)) % 2)  # [z mask, basis state]
    x, z = words_of(num_qubits)
    out = np.zeros(4**num_qubits)
    for mask in range(2**num_qubits):
        moved = signs @ (psi[basis ^ reverse[mask]].conj() * psi)
        here = x == mask
        count = np.bitwise_count((z[here] & mask).astype(np.uint64)).astype(int)
        out[here] = ((1j**count) * moved[z[here]]).real
    return out
