"""Quantum circuits with the number of symmetries each is known to have."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from parasym.circuits import (
    Circuit,
    NoiseModel,
    PauliSum,
    Unitary,
    alternating,
    amplitude_damping,
    controlled_rotation,
    dephasing,
    gate,
    heisenberg_ring,
    ising_ring,
    layered,
    rotation,
    with_noise,
)


@dataclass(frozen=True)
class CircuitEntry:
    """A small circuit, and the rank of its group as derived by hand.

    Attributes:
        name: Unique name.
        build: Returns the circuit.
        rank: The order is ``2 ** rank``.
        note: The derivation.
    """

    name: str
    build: Callable[[], Circuit]
    rank: int
    note: str

    @property
    def order(self) -> int:
        """Number of equivalent points."""
        return 2**self.rank


_DAMPED = NoiseModel(after_many=(amplitude_damping(0.1, 0),))
_DEPHASED = NoiseModel(after_many=(dephasing(0.1, 0),))


def _ising(rotations: str = "Y") -> Circuit:
    return layered(
        4, 3, rotations=rotations, entangler="cx" if rotations == "Y" else "cz", final=True, observables=(ising_ring(4),)
    )


def _encoded() -> Circuit:
    """Data angles between trainable ones."""
    circuit = layered(3, 3, observables=(PauliSum.from_labels({"ZII": 1.0}),))
    return replace(circuit, frozen=(3, 4, 5))


def _controlled() -> Circuit:
    first = [rotation("Y", q, q) for q in range(2)]
    last = [rotation("Y", q, 3 + q) for q in range(2)]
    return Circuit(2, (*first, *controlled_rotation("X", 0, 1, 2), *last), (PauliSum.from_labels({"ZZ": 1.0}),))


def _with_t_gate() -> Circuit:
    t = Unitary((0,), ((1, 0), (0, 2**-0.5 * (1 + 1j))), "t")
    operations = (rotation("Y", 0, 0), t, rotation("Y", 0, 1), gate("h", 0), rotation("Z", 0, 2))
    return Circuit(1, operations, (PauliSum.from_labels({"X": 1.0}),))


CIRCUITS: tuple[CircuitEntry, ...] = (
    CircuitEntry(
        "rx",
        lambda: Circuit(1, (rotation("X", 0, 0),), (PauliSum.from_labels({"Z": 1.0}),)),
        1,
        "The cost is the cosine of the angle: its sign may flip.",
    ),
    CircuitEntry(
        "ry_cx_state",
        lambda: layered(4, 4),
        12,
        "16 shifts and 4 words Z on the input, less the 8 bits of the final frame, which must vanish: 2^(n(L-1)).",
    ),
    CircuitEntry(
        "ry_cx_ising",
        _ising,
        13,
        "16 shifts and 4 input words, less 8 bits, plus 1: the product of all X commutes with the transverse-field Ising model.",
    ),
    CircuitEntry(
        "ryrz_cz_ising",
        lambda: layered(4, 3, rotations="YZ", entangler="cz", final=True, observables=(ising_ring(4),)),
        29,
        "32 shifts and 4 input words, less 8 bits, plus the product of all X.",
    ),
    CircuitEntry(
        "ry_cx_ising_dephased",
        lambda: with_noise(_ising(), _DEPHASED),
        13,
        "Pauli channels preserve every frame.",
    ),
    CircuitEntry(
        "ry_cx_ising_damped",
        lambda: with_noise(_ising(), _DAMPED),
        1,
        "Damping demands frames without X after every CX: no half turn in the first three layers. In the last one a half turn on "
        "every qubit makes of the product of all Z, which the input does not see, that of all X.",
    ),
    CircuitEntry(
        "ry_cx_heisenberg",
        lambda: layered(4, 3, final=True, observables=(heisenberg_ring(4),)),
        14,
        "As for the Ising model, but the products of all X and of all Z commute with the Heisenberg model.",
    ),
    CircuitEntry(
        "alternating_ring",
        lambda: alternating(4, 2),
        4,
        "A half turn of a ZZ layer multiplies by ZZ on every edge, which is the identity: free, twice. One of an X layer "
        "multiplies by the product of all X, which commutes with everything: free, twice. A flip would need a word that "
        "anticommutes with all X, or with all edges, and that the plus states do not see: there is none.",
    ),
    CircuitEntry(
        "encoded",
        _encoded,
        5,
        "9 angles of which the middle 3 are data: before them 3 shifts and 3 input words, less 3 bits so that the frame commutes "
        "with every Y; after them 3 shifts, less 1 bit so that it commutes with Z on the first qubit.",
    ),
    CircuitEntry(
        "controlled_rotation",
        _controlled,
        5,
        "5 shifts (that of the controlled rotation by 2 pi) and 2 input words, less 1 bit so that both halves of the rotation "
        "flip together, less 1 bit for the observable.",
    ),
    CircuitEntry(
        "t_gate",
        _with_t_gate,
        2,
        "3 shifts and 1 input word, less 1 bit because only 1 and Z pass the T gate, less 1 bit for the observable.",
    ),
)
