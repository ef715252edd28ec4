"""Pauli words without phase, as two bit masks."""

from dataclasses import dataclass

from parasym.core import BadInputError

_LETTERS = {"I": (0, 0), "X": (1, 0), "Y": (1, 1), "Z": (0, 1)}
_NAMES = {bits: letter for letter, bits in _LETTERS.items()}


@dataclass(frozen=True)
class Pauli:
    r"""The Hermitian Pauli word with letter X, Y or Z on qubit ``q`` where bit ``q`` of ``x``, both, or ``z`` is set.

    Up to phase the words form the vector space :math:`\mathbb{F}_2^{2n}`: products are sums, and two words commute
    if their symplectic product :math:`x \cdot z' + z \cdot x'` is even.

    Attributes:
        x: Bit mask of the letters X and Y.
        z: Bit mask of the letters Z and Y.

    Example:
        >>> a, b = Pauli.from_label("XXI"), Pauli.from_label("IZZ")
        >>> a.commutes(b), (a * b).label(3), (a * b).commutes(a)
        (False, 'XYZ', False)
    """

    x: int = 0
    z: int = 0

    @staticmethod
    def from_label(label: str, qubits: tuple[int, ...] | None = None) -> "Pauli":
        """Return the word with these letters, one per qubit.

        Args:
            label: Letters I, X, Y, Z.
            qubits: The qubit of each letter; 0, 1, 2, ... if ``None``.

        Raises:
            BadInputError: If a letter is none of these, or there are more or fewer letters than qubits.
        """
        where = tuple(range(len(label))) if qubits is None else qubits
        if len(where) != len(label) or len(set(where)) != len(where):
            raise BadInputError(f"Argument `qubits` must name one different qubit per letter of `{label}`, but is {where}.")
        x = z = 0
        for letter, q in zip(label, where, strict=True):
            if letter not in _LETTERS:
                raise BadInputError(f"Argument `label` must consist of the letters I, X, Y and Z, but is `{label}`.")
            x |= _LETTERS[letter][0] << q
            z |= _LETTERS[letter][1] << q
        return Pauli(x, z)

    @property
    def support(self) -> int:
        """Bit mask of the qubits on which the word is not the identity."""
        return self.x | self.z

    @property
    def qubits(self) -> tuple[int, ...]:
        """The qubits on which the word is not the identity, ascending."""
        found, rest = [], self.support
        while rest:
            low = rest & -rest
            found.append(low.bit_length() - 1)
            rest ^= low
        return tuple(found)

    @property
    def num_y(self) -> int:
        """Number of letters Y: the complex conjugate of the word is ``(-1) ** num_y`` times it."""
        return (self.x & self.z).bit_count()

    def letter(self, qubit: int) -> str:
        """Return the letter on one qubit.

        Args:
            qubit: The qubit.
        """
        return _NAMES[self.x >> qubit & 1, self.z >> qubit & 1]

    def label(self, num_qubits: int) -> str:
        """Return all letters, that of qubit 0 first.

        Args:
            num_qubits: How many.
        """
        return "".join(self.letter(q) for q in range(num_qubits))

    def commutes(self, other: "Pauli") -> bool:
        """Return whether the two words commute (otherwise they anticommute).

        Args:
            other: Another word.
        """
        return ((self.x & other.z).bit_count() + (self.z & other.x).bit_count()) % 2 == 0

    def restricted(self, qubits: tuple[int, ...]) -> "Pauli":
        """Return the letters on these qubits, moved to qubits 0, 1, 2, ...

        Args:
            qubits: Which, in which order.
        """
        return Pauli(
            sum((self.x >> q & 1) << k for k, q in enumerate(qubits)), sum((self.z >> q & 1) << k for k, q in enumerate(qubits))
        )

    def placed(self, qubits: tuple[int, ...]) -> "Pauli":
        """Return the word with qubit ``k`` moved to ``qubits[k]``: the opposite of :meth:`restricted`.

        Args:
            qubits: Where the letters go.
        """
        return Pauli(
            sum((self.x >> k & 1) << q for k, q in enumerate(qubits)), sum((self.z >> k & 1) << q for k, q in enumerate(qubits))
        )

    def __mul__(self, other: "Pauli") -> "Pauli":
        """Return the product, without its phase."""
        return Pauli(self.x ^ other.x, self.z ^ other.z)

    def __bool__(self) -> bool:
        """Return whether the word is not the identity."""
        return self.support != 0
