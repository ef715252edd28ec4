r"""States of many qubits as matrix product states: exact as long as little entanglement crosses any cut of the chain.

A state is a chain of tensors, one per qubit, and a gate on several qubits a chain of operators. After a gate, bonds are cut
down to the rank that they have up to rounding, by singular values around a moving center; nothing else is dropped. One layer
of two-qubit gates along the chain at most doubles a bond. A mixed state is the chain of its density matrix, with a row bit and a
column bit per qubit.

Index conventions: a site is ``[left bond, qubit, right bond]``, an operator ``[left bond, out, in, right bond]``; qubit 0 comes
first. Everything is complex128.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from parasym.circuits.gates import pauli_matrix
from parasym.circuits.pauli import Pauli
from parasym.core import BadInputError

ROUNDING = 1e-14
MOST_BOND = 64


@dataclass(frozen=True, eq=False)
class ChainOperator:
    """An operator on neighbouring qubits.

    Attributes:
        first: The first qubit.
        tensors: One per qubit, of shape ``[left bond, out, in, right bond]``.
    """

    first: int
    tensors: tuple[np.ndarray, ...]

    @property
    def mixed(self) -> "ChainOperator":
        """The operator on density matrices that multiplies by this one from the left and by its adjoint from the right."""
        return ChainOperator(self.first, tuple(_paired(t, t.conj()) for t in self.tensors))

    @property
    def from_left(self) -> "ChainOperator":
        """The operator on density matrices that multiplies by this one from the left."""
        one = np.eye(2).reshape(1, 2, 2, 1)
        return ChainOperator(self.first, tuple(_paired(t, one) for t in self.tensors))


@dataclass
class Chain:
    """A state as a chain of tensors.

    Left of the center the sites are isometries from the left, right of it from the right.

    Attributes:
        sites: One tensor per qubit, of shape ``[left bond, 2 or 4, right bond]``.
        center: The site that is no isometry.
    """

    sites: list[np.ndarray]
    center: int = field(default=0)

    def copy(self) -> "Chain":
        """Return a chain that can be changed without this one."""
        return Chain(list(self.sites), self.center)

    def apply(self, operator: ChainOperator) -> None:
        """Multiply the state by an operator.

        Args:
            operator: An operator on sites of this kind.

        Raises:
            BadInputError: If a bond grows beyond 64.
        """
        first, last = operator.first, operator.first + len(operator.tensors) - 1
        self._move(first)
        for k, tensor in enumerate(operator.tensors, first):
            site = self.sites[k]
            moved = np.einsum("aijb,ljr->alibr", tensor, site)
            self.sites[k] = moved.reshape(tensor.shape[0] * site.shape[0], -1, tensor.shape[3] * site.shape[2])
        self._move(last)
        for k in range(last, first, -1):
            left, right = self.sites[k - 1], self.sites[k]
            u, s, vh = np.linalg.svd(right.reshape(len(right), -1), full_matrices=False)
            rank = max(1, int((s > ROUNDING * s[0]).sum()))
            if rank > MOST_BOND:
                raise BadInputError(
                    f"The entanglement across qubits {k - 1} and {k} is too high: it takes bonds of more than {MOST_BOND}."
                )
            self.sites[k] = vh[:rank].reshape(rank, *right.shape[1:])
            self.sites[k - 1] = left @ (u[:, :rank] * s[:rank])
        self.center = first

    def norm(self) -> float:
        """Return the Euclidean norm of the state."""
        return float(np.linalg.norm(self.sites[self.center]))

    def normalize(self) -> None:
        """Give the state the norm 1."""
        self.sites[self.center] = self.sites[self.center] / self.norm()

    def expectations(self, words: Sequence[Pauli]) -> np.ndarray:
        """Return the expectation values of Pauli words in a pure state of norm 1, of shape ``[words]``.

        Args:
            words: The words.
        """
        self._move(0)  # so that what is right of a word cancels
        left = [np.eye(1, dtype=complex)]
        for site in self.sites:
            left.append(_onward(left[-1], site, site))
        values = []
        for word in words:
            qubits = word.qubits or (0,)
            part = left[qubits[0]]
            for q in range(qubits[0], qubits[-1] + 1):
                part = _onward(part, self.sites[q], np.einsum("ij,ljr->lir", _letter(word, q), self.sites[q]))
            values.append(np.trace(part).real)
        return np.array(values)

    def mixed_expectations(self, words: Sequence[Pauli]) -> np.ndarray:
        """Return the traces of Pauli words times a density matrix, of shape ``[words]``.

        Args:
            words: The words.
        """
        traced = [site[:, 0] + site[:, 3] for site in self.sites]
        left, right = [np.eye(1, dtype=complex)], [np.eye(1, dtype=complex)]
        for matrix, backward in zip(traced, reversed(traced), strict=True):
            left.append(left[-1] @ matrix)
            right.append(backward @ right[-1])
        values = []
        for word in words:
            qubits = word.qubits or (0,)
            part = left[qubits[0]]
            for q in range(qubits[0], qubits[-1] + 1):
                part = part @ np.einsum("i,lir->lr", _letter(word, q).T.reshape(-1), self.sites[q])
            values.append((part @ right[len(self.sites) - 1 - qubits[-1]]).item().real)
        return np.array(values)

    def _move(self, target: int) -> None:
        """Make another site the center."""
        while self.center < target:
            site = self.sites[self.center]
            q, r = np.linalg.qr(site.reshape(-1, site.shape[2]))
            self.sites[self.center] = q.reshape(*site.shape[:2], -1)
            self.center += 1
            self.sites[self.center] = np.tensordot(r, self.sites[self.center], 1)
        while self.center > target:
            site = self.sites[self.center]
            q, r = np.linalg.qr(site.reshape(len(site), -1).T)
            self.sites[self.center] = q.T.reshape(-1, *site.shape[1:])
            self.center -= 1
            self.sites[self.center] = self.sites[self.center] @ r.T


def word_operator(constant: complex, factor: complex, word: Pauli) -> ChainOperator:
    r"""Return :math:`c + f P` for a Pauli word :math:`P`.

    Args:
        constant: The number :math:`c`.
        factor: The number :math:`f`.
        word: The word, not the identity.
    """
    qubits = word.qubits
    tensors = []
    for q in range(qubits[0], qubits[-1] + 1):
        tensor = np.zeros((2, 2, 2, 2), dtype=complex)
        tensor[0, :, :, 0], tensor[1, :, :, 1] = np.eye(2), _letter(word, q)
        tensors.append(tensor)
    tensors[0] = np.einsum("a,aijb->ijb", [constant, factor], tensors[0])[None]
    tensors[-1] = tensors[-1].sum(3, keepdims=True)
    return ChainOperator(qubits[0], tuple(tensors))


def matrix_operator(matrices: Sequence[np.ndarray], qubits: tuple[int, ...], *, mixed: bool) -> ChainOperator:
    r"""Return a gate, or the channel :math:`\rho \mapsto \sum_i K_i \rho K_i^\dagger`, as a chain.

    Args:
        matrices: The matrix of the gate, or the Kraus matrices; the first qubit is the most significant bit.
        qubits: Its qubits, in any order.
        mixed: Whether it acts on density matrices.
    """
    k, order = len(qubits), np.argsort(qubits)
    pairs = [(m, m.conj()) for m in matrices] if mixed else [(matrices[0], np.eye(1))]
    side = 4 if mixed else 2
    whole = sum(
        np.einsum("ij,kl->ikjl", a, b).reshape(*(2,) * k, *(side // 2,) * k, *(2,) * k, *(side // 2,) * k) for a, b in pairs
    )
    # Axes of `whole`: rows of a, rows of b, columns of a, columns of b; wanted is one group of four per qubit, ascending.
    axes = [place + int(q) for q in order for place in (0, k, 2 * k, 3 * k)]
    rest = np.transpose(whole, axes).reshape(1, -1)
    tensors: list[np.ndarray] = []
    ascending = [qubits[q] for q in order]
    for at, (q, after) in enumerate(zip(ascending, [*ascending[1:], None], strict=True)):
        if after is None:
            tensors.append(rest.reshape(-1, side, side, 1))
            break
        u, s, vh = np.linalg.svd(rest.reshape(len(rest) * side**2, side ** (2 * (k - 1 - at))), full_matrices=False)
        rank = max(1, int((s > ROUNDING * s[0]).sum()))
        tensors.append(u[:, :rank].reshape(-1, side, side, rank))
        rest = s[:rank, None] * vh[:rank]
        between = np.einsum("ab,ij->aijb", np.eye(rank), np.eye(side))
        tensors += [between] * (after - q - 1)
    return ChainOperator(ascending[0], tuple(tensors))


def _paired(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    both = np.einsum("aijb,ckld->acikjlbd", a, b)
    return both.reshape(prod(both.shape[:2]), 4, 4, prod(both.shape[6:]))


def _onward(part: np.ndarray, below: np.ndarray, above: np.ndarray) -> np.ndarray:
    return np.tensordot(below.conj(), np.tensordot(part, above, 1), axes=((0, 1), (0, 1)))


def _letter(word: Pauli, qubit: int) -> np.ndarray:
    return pauli_matrix(word.restricted((qubit,)), 1)
