r"""How elements of a circuit's symmetry look to its noise: a sign at every place where the noise tells frames apart.

An element is a Pauli frame that moves through the circuit. At a channel with transfer matrix :math:`R` a frame :math:`Q`
multiplies
:math:`R_{ab}` by :math:`(-1)^{\langle ab, Q\rangle}`. So the noisy cost on the orbit is a polynomial in the signs

.. math:: \varepsilon_{\ell,W}(g) = (-1)^{\langle W, Q_\ell(g)\rangle}, \qquad W = ab \ne 1,\; R_{ab} \ne 0,

and to first order in what is off the diagonal it is linear in them. Pauli channels are diagonal and have none; amplitude
damping has one, :math:`W = Z`: whether the frame has an X there.
"""

from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from parasym.circuits.circuit import Circuit
from parasym.circuits.operation import Channel, Operation, rotation
from parasym.circuits.pauli import Pauli
from parasym.circuits.propagate import propagate
from parasym.circuits.relation import MOST_QUBITS, SMALL, transfer_matrix
from parasym.circuits.search import action_rows
from parasym.core import BadInputError


@dataclass(frozen=True)
class NoiseCharacters:
    """The signs that noise gives to elements of a circuit's symmetry.

    Attributes:
        size: Number of parameters ``M``.
        num: Number of characters: places where the noise tells frames apart.
        rows: Generators of the symmetry without noise: its action (bit ``j`` flips parameter ``j``, bit ``M + j`` shifts it), and
            the characters at which it is -1 (bit ``l``). A generator without action is a frame that nothing but noise could see.
    """

    size: int
    num: int
    rows: tuple[tuple[int, int], ...]

    def of(self, action: int) -> int:
        """Return the characters at which an element is -1, as bits.

        Args:
            action: What the element does, as in ``rows``.

        Raises:
            BadInputError: If the circuit without noise has no such symmetry.
        """
        found = 0
        while action:
            row = self._echelon.get(action.bit_length())
            if row is None:
                raise BadInputError("The element is no symmetry of the circuit without noise: was it found for another circuit?")
            action ^= row[0]
            found ^= row[1]
        return found

    @cached_property
    def unseen(self) -> tuple[int, ...]:
        """Characters of frames without any action: the noisy cost cannot depend on them."""
        return self._reduced[1]

    @property
    def _echelon(self) -> dict[int, tuple[int, int]]:
        return self._reduced[0]

    @cached_property
    def _reduced(self) -> tuple[dict[int, tuple[int, int]], tuple[int, ...]]:
        echelon: dict[int, tuple[int, int]] = {}
        unseen = []
        for action, characters in self.rows:
            while action and action.bit_length() in echelon:
                a, c = echelon[action.bit_length()]
                action ^= a
                characters ^= c
            if action:
                echelon[action.bit_length()] = (action, characters)
            elif characters:
                unseen.append(characters)
        return echelon, tuple(unseen)


def noise_characters(circuit: Circuit) -> NoiseCharacters:
    """Return how the channels of a circuit see the symmetry of the circuit without them.

    Only places and kinds of the channels count, not their strength. Each character is read off a probe: a rotation about
    ``W`` at that place, by an angle of its own that may be flipped but not shifted, is flipped where the character is -1.

    Args:
        circuit: A circuit with channels, each on at most 3 qubits.

    Raises:
        BadInputError: If a channel has more qubits.

    Example:
        >>> from parasym.circuits import NoiseModel, amplitude_damping, dephasing, ising_ring, layered, with_noise
        >>> bare = layered(4, 4, final=True, observables=(ising_ring(4),))
        >>> [noise_characters(with_noise(bare, NoiseModel((), (f(0.1, 0),)))).num for f in (amplitude_damping, dephasing)]
        [24, 0]
    """
    size, operations = circuit.num_parameters, list[Operation]()
    count = size
    for op in circuit.operations:
        if not isinstance(op, Channel):
            operations.append(op)
            continue
        for word in told_apart(op):
            operations.append(rotation(word.label(len(op.qubits)), op.qubits, count))
            count += 1
    probed = replace(circuit, operations=tuple(operations), tensors=(("angles", (count,)),))
    state = propagate(probed)
    for probe in range(size, count):
        state.system.require(1 << probe)
    low = (1 << size) - 1
    rows = tuple((row & low | (row >> count & low) << size, row >> size & (1 << count - size) - 1) for row in action_rows(state))
    return NoiseCharacters(size, count - size, rows)


def without_noise(circuit: Circuit) -> Circuit:
    """Return the circuit without its channels.

    Args:
        circuit: The circuit.
    """
    return replace(circuit, operations=tuple(op for op in circuit.operations if not isinstance(op, Channel)))


@cache
def told_apart(channel: Channel) -> tuple[Pauli, ...]:
    """Return the words with which a frame must commute so that the channel does not see it; letter ``k`` is on its qubit ``k``.

    Args:
        channel: A channel on at most 3 qubits.

    Raises:
        BadInputError: If it has more.

    Example:
        >>> from parasym.circuits import amplitude_damping
        >>> told_apart(amplitude_damping(0.1, 0))
        (Pauli(x=0, z=1),)
    """
    k = len(channel.qubits)
    if k > MOST_QUBITS:
        raise BadInputError(
            f"Channel `{channel.name}` has {k} qubits; the noise that hopping looks at has at most {MOST_QUBITS}."
        )
    entries = np.argwhere(np.abs(transfer_matrix(channel)) > SMALL)
    masks = sorted({int(a) ^ int(b) for a, b in entries} - {0})
    return tuple(Pauli(mask & (1 << k) - 1, mask >> k) for mask in masks)
