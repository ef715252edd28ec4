"""What noise sees of a symmetry: the identity it rests on, the count against `find`, and channels of other kinds."""

from dataclasses import replace

import pytest
import torch

from parasym.circuits import (
    Channel,
    Circuit,
    PauliSum,
    amplitude_damping,
    dephasing,
    depolarizing,
    find_circuit,
    generalized_amplitude_damping,
    noise_characters,
    rotation,
    transfer,
    with_noise,
    without_noise,
)
from parasym.circuits.character import told_apart
from parasym.circuits.operation import matrix_of
from parasym.circuits.simulate import expectations
from parasym.core import BadInputError
from parasym.hopping import OrbitPoints, noisy_orbit
from parasym.hopping.walsh import character_columns
from tests.circuits.random_circuit import dice, random_circuit, random_kraus
from tests.hopping.noisy_circuits import after_gates, angles, bare

GAMMA = 0.1


def flipped(channel: Channel) -> Channel:
    """The channel between two X: what a frame with an X makes of amplitude damping."""
    x = torch.tensor([[0, 1], [1, 0]], dtype=torch.complex128)
    return replace(
        channel, kraus=tuple(matrix_of((x @ torch.tensor(k, dtype=torch.complex128) @ x).numpy()) for k in channel.kraus)
    )


@pytest.mark.parametrize(("rotations", "entangler"), [("Y", "cx"), ("YZ", "cz")])
def test_an_element_turns_the_channels_that_its_characters_say(rotations, entangler):
    """C(g theta) with noise is C(theta) with every channel at a character -1 turned around: exact, on every place at once."""
    found = noisy_orbit(bare(3, 2, rotations, entangler), noise=after_gates(amplitude_damping(GAMMA, 0)))
    theta = angles(found.circuit.num_parameters)
    points = OrbitPoints(found.symmetry, lambda _: 0.0, theta)
    coordinates = torch.randint(2, (6, points.rank), generator=torch.Generator().manual_seed(0))
    moved = transfer(found.circuit).cost(points.at(coordinates))
    assert moved.std() > 1e-3
    for k, row in enumerate(coordinates):
        action = 0
        for generator, bit in zip(points.actions(), row.tolist(), strict=True):
            action ^= generator if bit else 0
        signs, place, operations = found.characters.of(action), 0, []
        for op in found.circuit.operations:
            if isinstance(op, Channel):
                operations.append(flipped(op) if signs >> place & 1 else op)
                place += 1
            else:
                operations.append(op)
        assert abs(float(transfer(replace(found.circuit, operations=tuple(operations))).cost(theta) - moved[k])) < 1e-13


def test_planted_fault_forgotten_places_are_seen():
    """Were the characters of one place dropped, the identity above would fail."""
    found = noisy_orbit(bare(3, 2), noise=after_gates(amplitude_damping(GAMMA, 0)))
    theta = angles(found.circuit.num_parameters)
    operations = list(found.circuit.operations)
    at = next(k for k, op in enumerate(operations) if isinstance(op, Channel))
    channel = operations[at]
    assert isinstance(channel, Channel)
    operations[at] = flipped(channel)
    changed = replace(found.circuit, operations=tuple(operations))
    assert abs(float(transfer(changed).cost(theta) - transfer(found.circuit).cost(theta))) > 1e-5


@pytest.mark.parametrize("channel", [amplitude_damping(0.1, 0), generalized_amplitude_damping(0.1, 0.7, 0), dephasing(0.1, 0)])
@pytest.mark.parametrize("rotations", ["Y", "ZXZ"])
def test_cosets_are_those_of_the_subgroup_that_find_returns(channel, rotations):
    found = noisy_orbit(bare(3, 2, rotations), noise=after_gates(channel))
    assert found.cosets.order == found.symmetry.order // found.surviving.order
    assert found.cosets.order == found.symmetry.cosets(found.surviving).order


@pytest.mark.parametrize("seed", range(12))
def test_elements_that_the_noise_does_not_see_keep_the_cost_in_random_circuits(seed):
    circuit = replace(random_circuit(seed, count=10), observables=(PauliSum.from_labels({"ZZI": 1.0, "IXX": 0.5}),))
    rng = dice(seed)
    operations = list(circuit.operations)
    for _ in range(2):
        operations.insert(int(rng.integers(len(operations))), random_kraus(rng, int(rng.integers(3))))
    found = noisy_orbit(replace(circuit, operations=tuple(operations)))
    theta = angles(circuit.num_parameters, seed)
    points = OrbitPoints(found.symmetry, lambda _: 0.0, theta)
    before = expectations(found.circuit, theta, mixed=True)[0]
    for generator, action in zip(torch.eye(points.rank, dtype=torch.int64), points.actions(), strict=True):
        change = float((expectations(found.circuit, points.at(generator[None])[0], mixed=True)[0] - before).abs())
        if found.characters.of(action) == 0:
            assert change < 1e-12


def test_words_that_tell_frames_apart():
    words = {
        channel.name: told_apart(channel) for channel in (amplitude_damping(0.1, 0), depolarizing(0.1, 0), dephasing(0.1, 0))
    }
    assert [len(w) for w in words.values()] == [1, 0, 0]
    c, s = 0.9, (1 - 0.81) ** 0.5
    coherent = Channel((0,), (matrix_of([[c, -1j * s], [-1j * s, c]]),), "coherent")
    assert [w.label(1) for w in told_apart(coherent)] == ["X"]
    wide = Channel((0, 1, 2, 3), (matrix_of(torch.eye(16).numpy()),))
    with pytest.raises(BadInputError, match="4 qubits"):
        told_apart(wide)


def test_characters_of_another_circuit_are_refused():
    found = noisy_orbit(bare(3, 2), noise=after_gates(amplitude_damping(GAMMA, 0)))
    other = noise_characters(with_noise(bare(3, 3), after_gates(amplitude_damping(GAMMA, 0))))
    with pytest.raises(BadInputError, match="12 parameters"):
        character_columns(OrbitPoints(found.symmetry, lambda _: 0.0, torch.zeros(9)), other)
    with pytest.raises(BadInputError, match="no symmetry"):
        found.characters.of(1)


def test_a_circuit_without_symmetry_has_nothing_to_hop_over():
    circuit = Circuit(1, (rotation("Y", 0, 0), rotation("X", 0, 0.3)), (PauliSum.from_labels({"Z": 1.0, "X": 0.3, "Y": 0.2}),))
    found = noisy_orbit(circuit, noise=after_gates(amplitude_damping(0.1, 0)))
    assert found.cosets.order == found.symmetry.order == find_circuit(without_noise(circuit)).order
