"""Words, gates, states, JSON and simulators against slow definitions and other libraries."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch

from parasym.circuits import (
    Channel,
    Circuit,
    Clifford,
    Opaque,
    Pauli,
    PauliSum,
    ProductState,
    StabilizerState,
    StateProjector,
    Tableau,
    amplitude_damping,
    gate,
    layered,
    operation_matrix,
    pauli_matrix,
    rotation,
)
from parasym.circuits._table import CLIFFORDS
from parasym.circuits.from_stim import from_stim
from parasym.circuits.relation import relation, transfer_matrix
from parasym.circuits.simulate import density_matrix, expectations, state_vector
from parasym.circuits.state import signed_word
from tests.circuits.random_circuit import dice, random_angles, random_circuit, random_kraus, sprinkled
from tests.needs import needs

WORDS = [Pauli.from_label("".join(letters)) for letters in product("IXYZ", repeat=2)]


def test_words_multiply_and_commute_like_their_matrices():
    for a, b in product(WORDS, WORDS):
        p, q = pauli_matrix(a, 2), pauli_matrix(b, 2)
        assert a.commutes(b) == bool(np.allclose(p @ q, q @ p))
        overlap = np.trace(pauli_matrix(a * b, 2).conj().T @ p @ q) / 4
        assert abs(overlap) == pytest.approx(1)
        assert np.allclose(p.conj(), (-1) ** a.num_y * p)


def test_words_are_placed_and_restricted():
    word = Pauli.from_label("XYZ")
    assert word.placed((4, 0, 2)).label(5) == "YIZIX"
    assert word.placed((4, 0, 2)).restricted((4, 0, 2)) == word
    assert word.qubits == (0, 1, 2)
    assert not Pauli.from_label("II")


@pytest.mark.parametrize("name", CLIFFORDS)
def test_the_table_of_gates_agrees_with_the_matrices(name: str):
    op = Clifford(name, tuple(range(len(CLIFFORDS[name][0]))))
    u, k = operation_matrix(op), len(op.qubits)
    assert np.allclose(u @ u.conj().T, np.eye(2**k))
    for letter, images in (("X", op.x_images), ("Z", op.z_images)):
        for q, image in enumerate(images):
            sign, word = signed_word(image)
            start = pauli_matrix(Pauli.from_label(letter, (q,)), k)
            assert np.allclose(u @ start @ u.conj().T, sign * pauli_matrix(word, k))


def test_the_table_of_gates_agrees_with_pennylane():
    qml = needs("pennylane")
    theirs = {
        "h": qml.Hadamard(0), "s": qml.S(0), "sdg": qml.adjoint(qml.S(0)), "sx": qml.SX(0), "sxdg": qml.adjoint(qml.SX(0)),
        "sy": qml.RY(math.pi / 2, 0), "sydg": qml.RY(-math.pi / 2, 0), "cx": qml.CNOT([0, 1]), "cy": qml.CY([0, 1]),
        "cz": qml.CZ([0, 1]), "swap": qml.SWAP([0, 1]), "iswap": qml.ISWAP([0, 1]), "iswapdg": qml.adjoint(qml.ISWAP([0, 1])),
        "ecr": qml.ECR([0, 1]), "x": qml.X(0), "y": qml.Y(0), "z": qml.Z(0),
    }  # fmt: skip
    for name, op in theirs.items():
        ours = operation_matrix(gate(name, *range(len(op.wires))))
        assert abs(np.trace(ours.conj().T @ op.matrix())) == pytest.approx(len(ours)), name


@pytest.mark.parametrize("name", CLIFFORDS)
def test_a_clifford_relation_is_that_of_its_matrix(name: str):
    """The fast rule of tableaux and the general one of transfer matrices are the same, conjugation included."""
    op = Clifford(name, tuple(range(len(CLIFFORDS[name][0]))))
    from parasym.circuits import Unitary

    general = relation(Unitary(op.qubits, operation_matrix(op).tolist()))
    assert relation(op) == general
    assert general.conditions == ()


def test_relations_of_channels():
    assert relation(amplitude_damping(0.1, 0)).conditions == (1,)  # no X on its qubit
    reset = relation(amplitude_damping(1.0, 0))
    assert (reset.conditions, reset.num_loose, reset.after) == ((), 1, (0, 0))
    assert relation(Channel((0,), (tuple(map(tuple, np.eye(2))),))).conditions == ()  # pyright: ignore[reportArgumentType]
    assert len(relation(random_kraus(dice(0), 0)).conditions) == 3  # nothing passes, conjugation neither
    transfer = transfer_matrix(amplitude_damping(0.19, 0))
    assert np.allclose(transfer.diagonal(), [1, 0.9, 0.81, 0.9])  # order: I, X, Z, Y
    assert transfer[2, 0] == pytest.approx(0.19)


def test_tableaux_from_stim():
    stim = needs("stim")
    tableau = stim.Tableau.random(3)
    op = from_stim(tableau, (2, 0, 1))
    theirs = tableau.to_unitary_matrix(endian="big")
    assert abs(np.trace(operation_matrix(op).conj().T @ theirs)) == pytest.approx(8, abs=1e-4)
    with pytest.raises(ValueError, match="3 qubits"):
        from_stim(tableau, (0, 1))


@pytest.mark.parametrize("seed", range(12))
def test_json_round_trip(seed: int):
    circuit = random_circuit(seed)
    circuit = sprinkled(circuit, dice(seed), lambda r: random_kraus(r, int(r.integers(3))), every=0.2)
    circuit = replace(circuit, operations=(*circuit.operations, Opaque("what", (1,), (0,), Pauli(1, 1), "why")))
    assert Circuit.from_json(circuit.to_json()) == circuit
    assert f"{circuit.num_qubits} qubits" in str(circuit)


@pytest.mark.parametrize("text", ["{", '{"format": 7}', '{"format": 1}', "[]"])
def test_json_of_something_else_is_refused(text: str):
    with pytest.raises(ValueError, match="circuit"):
        Circuit.from_json(text)


@pytest.mark.parametrize("seed", range(6))
def test_state_vector_and_density_matrix_agree(seed: int):
    circuit = random_circuit(seed, n=3)
    theta = random_angles(circuit, seed, (2,))
    mixed = expectations(circuit, theta, mixed=True)
    rho = density_matrix(circuit, theta)
    assert torch.allclose(rho.diagonal(dim1=-2, dim2=-1).sum(-1).real, torch.ones(2, dtype=torch.float64))
    if not isinstance(circuit.initial, ProductState):
        assert (mixed - expectations(circuit, theta)).abs().max() < 1e-13


def test_a_rotation_is_the_exponential_of_its_generator():
    word, angle = Pauli.from_label("XYZ"), 0.7
    circuit = Circuit(3, (rotation("YZX", (1, 2, 0), 0),), initial=ProductState(((0.6, 0, 0.8), (0, 1, 0), (1, 0, 0))))
    start = state_vector(replace(circuit, operations=(), tensors=circuit.tensors), torch.zeros(1))
    expected = torch.matrix_exp(torch.from_numpy(-0.5j * angle * pauli_matrix(word, 3))) @ start
    assert (state_vector(circuit, torch.tensor([angle], dtype=torch.float64)) - expected).abs().max() < 1e-14


def test_stabilizer_states_are_what_they_say():
    bell = Circuit(2, (), initial=StabilizerState(("+XX", "-ZZ")), tensors=(("angles", (0,)),))
    psi = state_vector(bell, torch.zeros(0))
    assert torch.allclose(psi.abs() ** 2, torch.tensor([0, 0.5, 0.5, 0], dtype=torch.float64))
    half = Circuit(2, (), (PauliSum.from_labels({"ZI": 1.0}), PauliSum.from_labels({"IZ": 1.0})),
                   StabilizerState(("-ZI",)), tensors=(("angles", (0,)),))  # fmt: skip
    assert expectations(half, torch.zeros(0)).tolist() == [-1.0, 0.0]


def test_projector_is_the_overlap():
    psi = np.array([1, 1j, 0, 0]) / 2**0.5
    circuit = Circuit(2, (), (StateProjector(tuple(psi)),), ProductState(((0, 0, 1), (0, 1, 0))), tensors=(("angles", (0,)),))
    assert float(expectations(circuit, torch.zeros(0))) == pytest.approx(1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Circuit(1, (gate("cx", 0, 1),)), "different qubits of 0 to 0"),
        (lambda: Circuit(2, (gate("cx", 1, 1),)), "different qubits"),
        (lambda: Circuit(1, (), (PauliSum.from_labels({"IZ": 1.0}),)), "observable"),
        (lambda: Circuit(1, (rotation("X", 0, 3),), tensors=(("angles", (2,)),)), "Parameter 3 does not exist"),
        (lambda: gate("ccx", 0, 1, 2), "must be one of"),
        (lambda: gate("cx", 0), "acts on 2 qubits"),
        (lambda: rotation("II", (0, 1), 0), "other than I"),
        (lambda: rotation("XQ", (0, 1), 0), "letters I, X, Y and Z"),
        (lambda: Channel((0,), (((1, 0), (0, 0)),)), "preserve the trace"),
        (lambda: amplitude_damping(1.5, 0), "between 0 and 1"),
        (lambda: Tableau((0,), ("+X",), ("+X",)), "not Clifford"),
        (lambda: StabilizerState(("XX", "ZI")), "commute"),
        (lambda: StabilizerState(("XX", "-XX")), "independent"),
        (lambda: ProductState(((1, 1, 0),)), "length at most 1"),
        (lambda: StateProjector((1, 1)), "normalized"),
        (lambda: expectations(layered(3, 1), torch.zeros(2)), "3 angles"),
        (lambda: expectations(layered(13, 1), torch.zeros(13)), "at most 12"),
        (lambda: expectations(Circuit(1, (Opaque("what", (0,)),)), torch.zeros(0)), "cannot be simulated"),
    ],
)
def test_bad_input(make, words: str):
    with pytest.raises(ValueError, match=words):
        make()
