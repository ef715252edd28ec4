"""`verify` for circuits: right claims pass, planted faults do not, continuous directions are counted."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from parasym.circuits import (
    Circuit,
    NoiseModel,
    Opaque,
    PauliSum,
    ZeroState,
    amplitude_damping,
    angle_group,
    depolarizing,
    find_circuit,
    gate,
    ising_ring,
    layered,
    rotation,
    with_noise,
)
from parasym.circuits.simulate import state_vector
from parasym.find import find
from parasym.groups import SignedShift
from parasym.symmetry import Factor, Flat, Symmetry, Wire
from parasym.verify import verify
from parasym.verify.circuit_completeness import _state_jacobian
from tests.circuits.random_circuit import random_angles, random_circuit

CIRCUIT = layered(3, 2, final=True, observables=(ising_ring(3),))


def claim(size: int, *rows: int) -> Symmetry:
    group = SignedShift(size, tuple(hex(row) for row in rows))
    return Symmetry((Factor(group, Wire("angles", size), (), (Flat((("angles", (size,)),)),)),), (("angles", (size,)),))


def test_what_find_says_is_true():
    report = verify(CIRCUIT, find(CIRCUIT))
    assert report.holds == "yes"
    assert report.error < 1e-12
    assert {row.name for row in report.rows} == {"all together", "Z2^7 on angles", "under Pauli noise"}
    assert report.completeness is not None
    assert report.completeness.complete == "yes"


@pytest.mark.parametrize("fault", ["one more generator", "a sign forgotten", "another circuit"])
def test_planted_faults_are_seen(fault: str):
    right = angle_group(find(CIRCUIT))
    if fault == "one more generator":
        wrong = claim(9, *right.rows, 1)
    elif fault == "a sign forgotten":
        wrong = claim(9, *(row & ~0b11 for row in right.rows))
    else:
        wrong = find(replace(CIRCUIT, observables=(PauliSum.from_labels({"XXX": 1.0}),)))
    report = verify(CIRCUIT, wrong, complete=False)
    assert report.holds == "no"
    assert report.error > 1e-3
    assert "the cost changes" in {row.reason for row in report.rows}


def test_a_symmetry_that_does_nothing_fails():
    report = verify(CIRCUIT, claim(9), complete=False)
    assert report.holds == "no"
    assert "does nothing" in str(report)


def test_under_noise():
    noise = NoiseModel(after_many=(amplitude_damping(0.1, 0),))
    assert verify(CIRCUIT, find(CIRCUIT), noise=noise, complete=False).holds == "no"
    assert verify(CIRCUIT, find(CIRCUIT, noise=noise), noise=noise, complete=False).holds == "yes"
    assert verify(with_noise(CIRCUIT, noise), find(CIRCUIT, noise=noise)).holds == "yes"
    pauli = NoiseModel(after_one=(depolarizing(0.02, 0),))
    assert verify(CIRCUIT, find(CIRCUIT), noise=pauli, complete=False).holds == "yes"


def test_the_whole_state():
    circuit = layered(3, 2)
    symmetry = find(circuit)
    report = verify(circuit, symmetry)
    assert (symmetry.order, report.holds) == (2**3, "yes")
    assert verify(circuit, claim(6, 1), complete=False).holds == "no"


def test_directions_without_effect_are_counted():
    operations = (rotation("Z", 0, 0), rotation("Y", 0, 1), rotation("Y", 0, 2), gate("cx", 0, 1), rotation("X", 1, 3))
    circuit = Circuit(2, operations, (PauliSum.from_labels({"ZI": 1.0, "IZ": 0.5}),))
    report = verify(circuit, find(circuit))
    found = report.completeness
    assert found is not None
    assert (found.parameters, found.rank, found.nullity, found.complete) == (4, 2, 2, "no")
    kinds = {rest.kind: (rest.dimension, set(rest.tensors)) for rest in found.rest}
    assert kinds == {"unused parameter": (1, {"angles[0]"}), "unexplained": (1, {"angles[1]", "angles[2]"})}
    assert "over-parametrized" in str(report)


@pytest.mark.parametrize("seed", range(4))
def test_the_jacobian_of_the_state_is_its_slope(seed: int):
    circuit = random_circuit(seed, n=2)
    circuit = replace(circuit, initial=ZeroState())
    theta, step = random_angles(circuit, seed), 1e-5
    slopes = []
    for j in range(circuit.num_parameters):
        shift = torch.eye(circuit.num_parameters, dtype=torch.float64)[j] * step
        slope = (state_vector(circuit, theta + shift) - state_vector(circuit, theta - shift)) / (2 * step)
        psi = state_vector(circuit, theta)
        slopes.append(torch.view_as_real(slope - (psi.conj() @ slope) * psi).flatten())
    found = _state_jacobian(circuit, theta)
    assert (found - torch.stack(slopes, dim=1)).abs().max() < 1e-8
    assert found.abs().max() > 1e-3


def test_what_cannot_be_simulated_is_unsure():
    opaque = replace(CIRCUIT, operations=(Opaque("what", (0,), (), None, "nobody knows"), *CIRCUIT.operations))
    symmetry = find(opaque)
    assert symmetry.uncovered[0].operation == "what"
    assert verify(opaque, symmetry).holds == "unsure"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: find(Circuit(1, (gate("h", 0),), (PauliSum.from_labels({"Z": 1.0}),))), "has none"),
        (lambda: verify(CIRCUIT, claim(5, 1)), "shape"),
        (lambda: verify(CIRCUIT, find(CIRCUIT), params={"angles": torch.zeros(4)}), "shape"),
        (lambda: verify(CIRCUIT, find(CIRCUIT), samples=0), "at least 1"),
        (lambda: verify(CIRCUIT, find(CIRCUIT), dtype=torch.float32), "float64 only"),
        (lambda: find(torch.nn.Linear(2, 2), (torch.zeros(1, 2),), noise=NoiseModel()), "Options of circuits"),
        (lambda: find(CIRCUIT).act(find(CIRCUIT).sample(), {"angles": torch.zeros(8)}), "shape"),
        (lambda: NoiseModel(after_one=(with_noise(CIRCUIT, NoiseModel()).operations[3],)), "single qubits"),  # pyright: ignore
    ],
)
def test_bad_input(make, words: str):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_symmetry_of_angles_as_text_and_json():
    symmetry = find(CIRCUIT)
    assert Symmetry.from_json(symmetry.to_json()) == symmetry
    assert "order 128" in str(symmetry)
    assert symmetry.order == 128 == len({tuple(e.moves[0].value.flatten().tolist()) for e in symmetry.elements()})
    assert np.isclose(float(angle_group(find_circuit(CIRCUIT)).identity(dtype=torch.float64).sum() % 1), 0)
