"""The circuits of the study of minima hopping: spin rings under amplitude damping, and the circuit of degenerate points."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from parasym.circuits import (
    Channel,
    Circuit,
    NoiseModel,
    Operation,
    PauliSum,
    StateProjector,
    amplitude_damping,
    dephasing,
    depolarizing,
    gate,
    heisenberg_ring,
    ising_ring,
    layered,
    pauli_matrix,
    rotation,
)
from parasym.core import BadInputError, child_generator
from parasym.hopping import NoisyOrbit, noisy_orbit

RINGS = {"ising": ising_ring, "heisenberg": heisenberg_ring}
ANSATZE = {"ry-cx": ("Y", "cx"), "ryrz-cz": ("YZ", "cz")}
CHANNELS = {"amplitude damping": amplitude_damping, "dephasing": dephasing, "depolarizing": depolarizing}


@dataclass(frozen=True)
class Problem:
    """A ground-state problem on a noisy circuit.

    Attributes:
        ring: ``ising`` or ``heisenberg``.
        qubits: Number of spins.
        layers: Layers of the ansatz, before a last one of rotations.
        ansatz: ``ry-cx`` or ``ryrz-cz``.
        gamma: Of the amplitude damping on both qubits after every two-qubit gate.
    """

    ring: str
    qubits: int
    layers: int
    ansatz: str
    gamma: float

    def orbit(self) -> NoisyOrbit:
        """Return the circuit with its noise and symmetry."""
        return _orbit(self)

    def ground_energy(self) -> float:
        """Return the lowest eigenvalue."""
        terms = self._observable().terms
        return float(np.linalg.eigvalsh(sum(c * pauli_matrix(word, self.qubits) for c, word in terms))[0])

    def _observable(self) -> PauliSum:
        return RINGS[self.ring](self.qubits)

    def check(self) -> None:
        """Check the names.

        Raises:
            BadInputError: If one is unknown.
        """
        for value, known in ((self.ring, RINGS), (self.ansatz, ANSATZE)):
            if value not in known:
                raise BadInputError(f"`{value}` is unknown. Known are {', '.join(known)}.")


@lru_cache(maxsize=4)
def _orbit(problem: Problem) -> NoisyOrbit:
    problem.check()
    rotations, entangler = ANSATZE[problem.ansatz]
    circuit = layered(
        problem.qubits,
        problem.layers,
        rotations=rotations,
        entangler=entangler,  # pyright: ignore[reportArgumentType]
        final=True,
        observables=(problem._observable(),),
    )
    return noisy_orbit(circuit, noise=NoiseModel(after_many=(amplitude_damping(problem.gamma, 0),)))


def random_starts(count: int, size: int, *, seed: int, label: str) -> Tensor:
    """Return random angles, of shape ``[count, size]``: row ``k`` belongs to seed ``seed + k``.

    Args:
        count: How many.
        size: Number of angles.
        seed: The first seed.
        label: What they are for.
    """
    rows = [torch.rand(size, generator=child_generator(seed + k, label), dtype=torch.float64) for k in range(count)]
    return 2 * torch.pi * torch.stack(rows)


def degenerate_circuit(layers: int, seed: int) -> Circuit:
    """Return the circuit of 4 qubits whose target fidelity has ``2**(4 (layers - 1))`` degenerate points.

    Each layer has a Y rotation on every qubit, controlled NOTs on 0, 1 and 2, 3 at a time, then one on 1, 2. The target is a
    random real state, so that only the identity frame may arrive at the end.

    Args:
        layers: Number of layers.
        seed: Of the target.
    """
    operations: list[Operation] = []
    for layer in range(layers):
        operations += [rotation("Y", q, 4 * layer + q) for q in range(4)]
        operations += [gate("cx", 0, 1), gate("cx", 2, 3), gate("cx", 1, 2)]
    target = torch.randn(16, generator=child_generator(seed, "target"), dtype=torch.float64)
    return Circuit(4, tuple(operations), (StateProjector(tuple((target / target.norm()).tolist())),))


def with_steps_of_noise(circuit: Circuit, channel: Channel) -> Circuit:
    """Return that circuit with the channel on all qubits after every step of controlled NOTs: two per layer.

    Args:
        circuit: What :func:`degenerate_circuit` returned.
        channel: A channel on one qubit.
    """
    operations: list[Operation] = []
    everywhere = [replace(channel, qubits=(q,)) for q in range(4)]
    for op in circuit.operations:
        operations.append(op)
        if op.qubits in {(2, 3), (1, 2)}:
            operations += everywhere
    return replace(circuit, operations=tuple(operations))
