"""The orbit of a noisy circuit: its symmetry without noise, what survives the noise, and what is worth hopping over."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from parasym.circuits import Circuit, NoiseCharacters, NoiseModel, find_circuit, noise_characters, with_noise, without_noise
from parasym.circuits.source import as_circuit
from parasym.circuits.unit import units_of
from parasym.groups import SignedShift
from parasym.hopping.points import OrbitPoints
from parasym.hopping.walsh import WalshDecode
from parasym.symmetry import Symmetry


@dataclass(frozen=True)
class NoisyOrbit:
    """What is needed to hop.

    Attributes:
        circuit: The circuit with its noise.
        symmetry: The symmetry of the circuit without noise.
        surviving: The subgroup that the noise leaves exact.
        cosets: Representatives of the classes of elements that the noise tells apart.
        characters: What the noise sees of every element.
    """

    circuit: Circuit
    symmetry: Symmetry
    surviving: Symmetry
    cosets: Symmetry
    characters: NoiseCharacters

    @property
    def periods(self) -> tuple[float, ...]:
        """By how much each parameter can be moved without changing anything; 0 where it has no period."""
        units = units_of(self.circuit.num_parameters, [op.angle for op in self.circuit.rotations]).units
        return tuple(2 * unit for unit in units)

    @property
    def decode(self) -> WalshDecode:
        """The selector that pays most."""
        return WalshDecode(self.characters)


def noisy_orbit(
    model: Circuit | Any,
    args: tuple[Any, ...] | Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    noise: NoiseModel | None = None,
) -> NoisyOrbit:
    """Return the orbit of a circuit with noise. All channels in it count as noise.

    Args:
        model: A circuit, a PennyLane QNode or tape, or a Qiskit circuit.
        args: Example arguments of a QNode; the observables of a Qiskit circuit.
        kwargs: Example keyword arguments of a QNode.
        noise: Further channels. Only places and kinds matter for where to hop, so a rough model of a device is enough.

    Raises:
        BadInputError: If the circuit has no parameters or cannot be read.

    Example:
        >>> from parasym.circuits import amplitude_damping, depolarizing, ising_ring, layered
        >>> circuit = layered(4, 4, final=True, observables=(ising_ring(4),))
        >>> [noisy_orbit(circuit, noise=NoiseModel((), (f(0.1, 0),))).cosets.order for f in (amplitude_damping, depolarizing)]
        [65536, 1]
    """
    circuit = as_circuit(model, args if isinstance(args, tuple) else (args,), kwargs)
    noisy = circuit if noise is None else with_noise(circuit, noise)
    symmetry, characters = find_circuit(without_noise(noisy)), noise_characters(noisy)
    return NoisyOrbit(noisy, symmetry, find_circuit(noisy), _told_apart(symmetry, characters), characters)


def _told_apart(symmetry: Symmetry, characters: NoiseCharacters) -> Symmetry:
    """Return generators of the symmetry whose characters are independent: their products represent the cosets."""
    if not symmetry.factors:
        return symmetry
    points = OrbitPoints(symmetry, lambda _: 0.0, torch.zeros(characters.size))
    group = symmetry.groups(SignedShift)[0]
    echelon: dict[int, int] = {}
    kept = []
    for row in characters.unseen:
        _added(row, echelon)
    for generator, action in zip(group.rows, points.actions(), strict=True):
        if _added(characters.of(action), echelon):
            kept.append(hex(generator))
    factors = (replace(symmetry.factors[0], group=replace(group, generators=tuple(kept))),) if kept else ()
    return replace(symmetry, factors=factors)


def _added(row: int, echelon: dict[int, int]) -> bool:
    while row and row.bit_length() in echelon:
        row ^= echelon[row.bit_length()]
    if row:
        echelon[row.bit_length()] = row
    return bool(row)
