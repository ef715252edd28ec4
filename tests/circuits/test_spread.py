"""The spread of the cost over an orbit: none without noise and under Pauli noise, some under damping."""

import pytest
import torch

from parasym.circuits import (
    NoiseModel,
    amplitude_damping,
    depolarizing,
    find_circuit,
    ising_ring,
    layered,
    orbit_spread,
    with_noise,
)
from tests.circuits.random_circuit import random_angles

CIRCUIT = layered(3, 2, final=True, observables=(ising_ring(3),))
SYMMETRY = find_circuit(CIRCUIT)


@pytest.mark.parametrize(("channel", "levels"), [(None, 1), (depolarizing(0.1, 0), 1), (amplitude_damping(0.05, 0), 64)])
def test_levels(channel, levels: int):
    circuit = CIRCUIT if channel is None else with_noise(CIRCUIT, NoiseModel(after_many=(channel,)))
    spread = orbit_spread(circuit, SYMMETRY, random_angles(circuit, 0))
    assert (len(spread.costs), spread.exhaustive, spread.levels) == (128, True, levels)
    assert (spread.width < 1e-12) == (levels == 1)
    assert f"{levels} levels" in str(spread)


def test_a_large_orbit_is_sampled_with_the_point_itself_first():
    theta = random_angles(CIRCUIT, 1)
    circuit = with_noise(CIRCUIT, NoiseModel(after_many=(amplitude_damping(0.05, 0),)))
    first, again = (orbit_spread(circuit, SYMMETRY, theta, most=10) for _ in range(2))
    assert torch.equal(first.costs, again.costs)
    assert not first.exhaustive
    assert first.costs[0] == orbit_spread(circuit, SYMMETRY, theta).costs[0]


def test_another_cost():
    spread = orbit_spread(CIRCUIT, SYMMETRY, random_angles(CIRCUIT, 0), cost=lambda x: x[:, 0])
    assert spread.levels > 1
    with pytest.raises(ValueError, match="at least 2"):
        orbit_spread(CIRCUIT, SYMMETRY, random_angles(CIRCUIT, 0), most=1)


def test_a_lone_tensor_moves_like_its_dictionary():
    theta = random_angles(CIRCUIT, 2)
    element = SYMMETRY.sample(generator=torch.Generator().manual_seed(3))
    assert torch.equal(SYMMETRY.act(element, theta), SYMMETRY.act(element, {"angles": theta})["angles"])
