"""Parametrized quantum circuits as plain data."""

from parasym.circuits.angle import Angle, angle_of
from parasym.circuits.ansatz import alternating, heisenberg_ring, ising_ring, layered
from parasym.circuits.character import NoiseCharacters, noise_characters, without_noise
from parasym.circuits.circuit import Circuit, describe, parameters_of
from parasym.circuits.gates import operation_matrix, pauli_matrix
from parasym.circuits.noise import (
    NoiseModel,
    amplitude_damping,
    bit_flip,
    dephasing,
    depolarizing,
    generalized_amplitude_damping,
    pauli_channel,
    with_noise,
)
from parasym.circuits.observable import Observable, PauliSum, StabilizerProjector, StateProjector
from parasym.circuits.operation import (
    Channel,
    Clifford,
    Opaque,
    Operation,
    Rotation,
    Tableau,
    Unitary,
    controlled_rotation,
    gate,
    rotation,
)
from parasym.circuits.pauli import Pauli
from parasym.circuits.search import angle_group, find_circuit
from parasym.circuits.shots import CircuitCost, sampled
from parasym.circuits.spread import Spread, orbit_spread
from parasym.circuits.state import InitialState, ProductState, StabilizerState, ZeroState
from parasym.circuits.transfer import Transfer, transfer

__all__ = [
    # The circuit
    "Circuit",
    "Angle",
    "Pauli",
    # Operations
    "Operation",
    "Rotation",
    "Clifford",
    "Tableau",
    "Unitary",
    "Channel",
    "Opaque",
    "angle_of",
    "rotation",
    "gate",
    "controlled_rotation",
    "describe",
    "parameters_of",
    # Initial states
    "InitialState",
    "ZeroState",
    "StabilizerState",
    "ProductState",
    # Observables
    "Observable",
    "PauliSum",
    "StabilizerProjector",
    "StateProjector",
    # Find
    "find_circuit",
    "angle_group",
    "Spread",
    "orbit_spread",
    # Noise
    "NoiseModel",
    "with_noise",
    "pauli_channel",
    "depolarizing",
    "dephasing",
    "bit_flip",
    "amplitude_damping",
    "generalized_amplitude_damping",
    "without_noise",
    "NoiseCharacters",
    "noise_characters",
    # Simulate
    "Transfer",
    "transfer",
    "CircuitCost",
    "sampled",
    # Circuits in use
    "layered",
    "alternating",
    "ising_ring",
    "heisenberg_ring",
    # Matrices
    "pauli_matrix",
    "operation_matrix",
]
