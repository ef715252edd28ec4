"""Noise channels by name, and noise models that put them into circuits."""

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from parasym.circuits.circuit import Circuit
from parasym.circuits.gates import pauli_matrix
from parasym.circuits.operation import Channel, Operation, matrix_of
from parasym.circuits.pauli import Pauli
from parasym.core import BadInputError


def pauli_channel(probabilities: dict[str, float], *qubits: int) -> Channel:
    """Return the channel that applies Pauli words at random.

    It preserves every symmetry at any strength.

    Args:
        probabilities: The probability of each label; the rest is the identity's.
        *qubits: One per letter.

    Raises:
        BadInputError: If the probabilities are negative or sum to more than 1.
    """
    total = sum(probabilities.values())
    if min(probabilities.values(), default=0.0) < 0 or total > 1 + 1e-12:
        raise BadInputError(f"Argument `probabilities` must be positive with a sum of at most 1, but is {probabilities}.")
    weights = {label: p for label, p in probabilities.items() if p > 0}
    identity = "I" * len(qubits)
    weights[identity] = weights.get(identity, 0.0) + max(0.0, 1 - total)
    kraus = tuple(matrix_of(sqrt(p) * pauli_matrix(Pauli.from_label(s), len(s))) for s, p in weights.items())
    return Channel(qubits, kraus, "pauli_channel")


def depolarizing(p: float, qubit: int) -> Channel:
    """Return the channel that applies X, Y or Z with probability ``p / 3`` each.

    Args:
        p: Probability of an error.
        qubit: The qubit.
    """
    return replace(pauli_channel(dict.fromkeys("XYZ", p / 3), qubit), name="depolarizing")


def dephasing(p: float, qubit: int) -> Channel:
    """Return the channel that applies Z with probability ``p``.

    Args:
        p: Probability of an error.
        qubit: The qubit.
    """
    return replace(pauli_channel({"Z": p}, qubit), name="dephasing")


def bit_flip(p: float, qubit: int) -> Channel:
    """Return the channel that applies X with probability ``p``.

    Args:
        p: Probability of an error.
        qubit: The qubit.
    """
    return replace(pauli_channel({"X": p}, qubit), name="bit_flip")


def amplitude_damping(gamma: float, qubit: int) -> Channel:
    """Return the decay of 1 to 0 with probability ``gamma``: it breaks symmetries with an X on its qubit.

    Args:
        gamma: Probability of a decay.
        qubit: The qubit.

    Raises:
        BadInputError: If ``gamma`` is not between 0 and 1.
    """
    return replace(generalized_amplitude_damping(gamma, 1.0, qubit), name="amplitude_damping")


def generalized_amplitude_damping(gamma: float, p: float, qubit: int) -> Channel:
    """Return the relaxation towards the mixture of 0 (probability ``p``) and 1.

    Args:
        gamma: Probability of a relaxation.
        p: Weight of 0 in the state that is reached.
        qubit: The qubit.

    Raises:
        BadInputError: If ``gamma`` or ``p`` is not between 0 and 1.
    """
    if not (0 <= gamma <= 1 and 0 <= p <= 1):
        raise BadInputError(f"Arguments `gamma` and `p` must lie between 0 and 1, but are {gamma} and {p}.")
    stay, decay = np.diag([1, sqrt(1 - gamma)]), np.array([[0, sqrt(gamma)], [0, 0]])
    rise, below = decay.T, np.diag([sqrt(1 - gamma), 1])
    kraus = [sqrt(p) * stay, sqrt(p) * decay] if p else []
    kraus += [sqrt(1 - p) * below, sqrt(1 - p) * rise] if p < 1 else []
    return Channel((qubit,), tuple(matrix_of(k) for k in kraus), "generalized_amplitude_damping")


@dataclass(frozen=True)
class NoiseModel:
    """Which channels follow which operations: each on one qubit at a time.

    Attributes:
        after_one: Channels on one qubit after every operation on one qubit.
        after_many: Channels on one qubit after every operation on more, on each of its qubits.
        at_end: Channels on one qubit on every qubit before the measurement.

    Example:
        >>> from parasym.circuits import Circuit, gate, rotation
        >>> circuit = Circuit(2, (rotation("Y", 0, 0), gate("cx", 0, 1)))
        >>> model = NoiseModel(after_many=(amplitude_damping(0.1, 0),))
        >>> [op.name for op in with_noise(circuit, model).operations[1:]]
        ['cx', 'amplitude_damping', 'amplitude_damping']
    """

    after_one: tuple[Channel, ...] = ()
    after_many: tuple[Channel, ...] = ()
    at_end: tuple[Channel, ...] = ()

    def __post_init__(self) -> None:
        for channel in (*self.after_one, *self.after_many, *self.at_end):
            if len(channel.qubits) != 1:
                raise BadInputError(
                    f"A noise model puts channels on single qubits, but `{channel.name}` acts on {len(channel.qubits)}: "
                    "write that one into the circuit's operations."
                )


def with_noise(circuit: Circuit, model: NoiseModel) -> Circuit:
    """Return the circuit with the channels of a noise model in it: this breaks what the noise does not respect.

    Args:
        circuit: Any circuit; channels that it has already stay.
        model: The noise model.

    Raises:
        BadInputError: If ``model`` is something else.
    """
    if not isinstance(model, NoiseModel):
        raise BadInputError(
            "Argument `noise` must be a NoiseModel, such as NoiseModel(after_many=(amplitude_damping(0.02, 0),)), but is a "
            f"{type(model).__name__}."
        )
    operations: list[Operation] = []
    qubits = range(circuit.num_qubits)
    placed = {
        channel: [replace(channel, qubits=(q,)) for q in qubits]
        for channel in {*model.after_one, *model.after_many, *model.at_end}
    }
    for op in circuit.operations:
        operations.append(op)
        if not isinstance(op, Channel):
            channels = model.after_one if len(op.qubits) == 1 else model.after_many
            operations += [placed[channel][q] for q in op.qubits for channel in channels]
    operations += [placed[channel][q] for q in qubits for channel in model.at_end]
    return replace(circuit, operations=tuple(operations))
