"""Straight directions without effect: hand-derived cases, exactness on random circuits, completeness, planted faults."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from parasym.circuits import (
    Angle,
    Circuit,
    Clifford,
    NoiseModel,
    Pauli,
    PauliSum,
    amplitude_damping,
    controlled_rotation,
    gate,
    operation_matrix,
    pauli_matrix,
    rotation,
)
from parasym.circuits import drift as module
from parasym.circuits._table import CLIFFORDS
from parasym.circuits.conjugate import conjugate
from parasym.circuits.drift import _inverse, drift_directions
from parasym.circuits.simulate import expectations
from parasym.find import find
from parasym.symmetry import Symmetry
from parasym.verify import verify
from tests.circuits.random_circuit import random_angles, random_circuit

Z = (PauliSum.from_labels({"ZI": 1.0}), PauliSum.from_labels({"IZ": 0.5}))


@pytest.mark.parametrize("name", CLIFFORDS)
def test_conjugation_has_the_sign_of_the_matrices(name: str):
    k = len(CLIFFORDS[name][0])
    op = Clifford(name, tuple(range(k)))
    u = operation_matrix(op)
    for letters in product("IXYZ", repeat=k):
        word = Pauli.from_label("".join(letters))
        sign, image = conjugate(op, -1, word)
        assert np.allclose(u @ -pauli_matrix(word, k) @ u.conj().T, sign * pauli_matrix(image, k))
        assert conjugate(_inverse(op), sign, image) == (-1, word)


def error(circuit: Circuit, directions, seed: int = 0) -> float:
    theta = random_angles(circuit, seed)
    moved = theta + torch.tensor(directions, dtype=torch.float64).reshape(-1, circuit.num_parameters) * 0.83
    return float((expectations(circuit, moved) - expectations(circuit, theta)).abs().max()) if len(directions) else 0.0


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ((rotation("Z", 0, 0), rotation("Y", 0, 1)), [(1, 0)]),  # nothing happens to the zero state
        ((rotation("Y", 0, 0), rotation("Z", 0, 1)), [(0, 1)]),  # nothing that Z sees
        ((rotation("Y", 0, 0), rotation("Y", 0, 1)), [(1, -1)]),  # only the sum counts
        ((rotation("Y", 0, 0), gate("z", 0), rotation("Y", 0, 1)), [(1, 1)]),  # the difference: Z turns Y round
        ((rotation("Y", 0, 0), gate("h", 1), gate("cx", 1, 0), rotation("Y", 0, 1)), []),
        ((rotation("X", 0, 0), gate("cx", 0, 1), rotation("XX", (0, 1), 1)), [(1, -1)]),
        ((rotation("Y", 0, 0), rotation("Y", 0, Angle(((1, 2.0),)))), [(1, -0.5)]),
        ((rotation("Y", 0, 0), rotation("X", 0, 1), rotation("Y", 0, 0)), []),  # shared
        ((rotation("Y", 0, 0), rotation("Y", 0, 0), rotation("Y", 0, 1)), [(1, -2)]),
        ((*controlled_rotation("X", 0, 1, 0), *controlled_rotation("X", 0, 1, 1)), [(1, -1)]),  # each would do, unseen
        ((rotation("Y", 0, 1),), [(1, 0)]),  # the first parameter is not used
    ],
)
def test_by_hand(operations, expected):
    circuit = Circuit(2, operations, Z, tensors=(("angles", (2,)),))
    found = drift_directions(circuit)
    both = np.array([*found, *expected]).reshape(-1, 2)
    assert len(found) == len(expected) == (np.linalg.matrix_rank(both) if len(both) else 0)
    assert error(circuit, found) < 1e-12


@pytest.mark.parametrize("seed", range(40))
def test_random_circuits_do_not_change_along_them(seed: int):
    circuit = random_circuit(seed, n=2 + seed % 2, count=10, parameters=8)
    assert error(circuit, drift_directions(circuit), seed) < 1e-12


def test_explained_against_found():
    operations = (rotation("Z", 0, 0), rotation("Y", 0, 1), rotation("Y", 0, 2), gate("cx", 0, 1), rotation("X", 1, 3))
    circuit = Circuit(2, operations, Z)
    symmetry = find(circuit, continuous=True)
    assert symmetry.dimension == 2
    assert Symmetry.from_json(symmetry.to_json()) == symmetry
    assert "drift(2)" in str(symmetry)
    report = verify(circuit, symmetry)
    assert report.holds == "yes"
    assert report.completeness is not None
    assert (report.completeness.explained, report.completeness.nullity) == (2, 2)
    without = verify(circuit, find(circuit)).completeness
    assert without is not None
    assert (without.explained, without.complete) == (0, "no")
    assert symmetry.cosets(symmetry).order == 1


def test_noise_between_stops_them():
    circuit = Circuit(1, (rotation("Y", 0, 0), rotation("Y", 0, 1)), (PauliSum.from_labels({"Z": 1.0}),))
    noise = NoiseModel(after_one=(amplitude_damping(0.2, 0),))
    assert len(drift_directions(circuit)) == 1
    assert find(circuit, noise=noise, continuous=True).dimension == 0
    assert verify(circuit, find(circuit, continuous=True), noise=noise).holds == "no"


def test_planted_forgotten_sign_is_seen(monkeypatch: pytest.MonkeyPatch):
    circuit = Circuit(1, (rotation("Y", 0, 0), gate("z", 0), rotation("Y", 0, 1)), (PauliSum.from_labels({"Z": 1.0}),))
    monkeypatch.setattr(module, "conjugate", lambda op, sign, word: (sign, conjugate(op, sign, word)[1]))
    assert error(circuit, drift_directions(circuit)) > 1e-2


def test_frozen_parameters_do_not_drift():
    circuit = Circuit(1, (rotation("Y", 0, 0), rotation("Y", 0, 1)), (PauliSum.from_labels({"Z": 1.0}),), frozen=(0,))
    assert drift_directions(circuit) == ()
    assert len(drift_directions(replace(circuit, frozen=()))) == 1
