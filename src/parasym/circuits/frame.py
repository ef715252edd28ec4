"""Pauli frames whose bits are linear forms over GF(2), and the linear system that they must satisfy.

A form is an integer: bit ``k`` says whether unknown ``k`` appears in the sum. Python's integers are packed words of any length.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from parasym.circuits.pauli import Pauli


@dataclass
class Frame:
    r"""The Pauli word :math:`F` between a circuit and its transformed copy, up to phase, as it moves through the gates.

    Attributes:
        x: For every qubit the form that says whether the word has a letter X or Y there.
        z: The same for Z or Y.
    """

    x: list[int]
    z: list[int]

    def product(self, word: Pauli) -> int:
        """Return the form that is 1 where the frame anticommutes with ``word``.

        Args:
            word: A fixed word.
        """
        out = 0
        for q in word.qubits:
            out ^= (self.z[q] if word.x >> q & 1 else 0) ^ (self.x[q] if word.z >> q & 1 else 0)
        return out

    def multiply(self, word: Pauli, form: int) -> None:
        """Multiply the frame by ``word`` where ``form`` is 1.

        Args:
            word: A fixed word.
            form: When.
        """
        for q in word.qubits if form else ():
            if word.x >> q & 1:
                self.x[q] ^= form
            if word.z >> q & 1:
                self.z[q] ^= form


@dataclass
class System:
    """Linear equations over GF(2): forms that must be zero, kept in echelon form by their highest unknown.

    Attributes:
        rows: The equations by the position of their highest unknown, which is the one they determine.
    """

    rows: dict[int, int] = field(default_factory=dict)

    def require(self, form: int) -> None:
        """Add the equation that ``form`` is zero.

        Args:
            form: The form.
        """
        while form:
            pivot = form.bit_length() - 1
            row = self.rows.get(pivot)
            if row is None:
                self.rows[pivot] = form
                return
            form ^= row

    def solve(self) -> None:
        """Bring the equations into reduced form: every determined unknown appears in one equation only."""
        mask, reduced = 0, {}
        for pivot in sorted(self.rows):
            reduced[pivot] = _substituted(self.rows[pivot], mask, reduced)
            mask |= 1 << pivot
        self.rows = reduced

    def substitute(self, forms: Iterable[int]) -> list[int]:
        """Return forms in terms of undetermined unknowns; to be called after :meth:`solve`.

        Args:
            forms: Any forms.
        """
        mask = sum(1 << pivot for pivot in self.rows)
        return [_substituted(form, mask, self.rows) for form in forms]


def _substituted(form: int, mask: int, rows: dict[int, int]) -> int:
    hits = form & mask
    while hits:
        pivot = hits.bit_length() - 1
        form ^= rows[pivot]
        hits ^= 1 << pivot
    return form
