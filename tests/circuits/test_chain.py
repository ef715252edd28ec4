"""Matrix product states and light cones against state vectors and density matrices; verdicts on circuits too large for those."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import parasym
from parasym.circuits import (
    Circuit,
    NoiseModel,
    Opaque,
    Pauli,
    PauliSum,
    ProductState,
    StabilizerProjector,
    StabilizerState,
    StateProjector,
    Tableau,
    ZeroState,
    amplitude_damping,
    angle_group,
    dephasing,
    gate,
    ising_ring,
    layered,
    rotation,
)
from parasym.circuits.chain import matrix_operator, word_operator
from parasym.circuits.chain_simulate import chain_expectations
from parasym.circuits.cone import cone_expectations
from parasym.circuits.gates import pauli_matrix
from parasym.circuits.simulate import expectations
from parasym.core import BadInputError, ShapeError
from tests.circuits.random_circuit import dice, random_angles, random_circuit, random_kraus
from tests.circuits.test_verify import claim
from tests.needs import needs

DAMPED = NoiseModel(after_many=(amplitude_damping(0.05, 0),))
CHAIN = sys.modules["parasym.circuits.chain"]


def scrambled(n: int, layers: int = 6) -> Circuit:
    """Gates between far qubits in every layer: bonds of the chain grow beyond anything."""
    rng, operations = dice(0), []
    for layer in range(layers):
        operations += [rotation("Y", q, layer * n + q) for q in range(n)]
        order = rng.permutation(n).tolist()
        operations += [gate("cz", order[2 * k], order[2 * k + 1]) for k in range(n // 2)]
    return Circuit(n, tuple(operations), (ising_ring(n),))


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("seed", range(16))
def test_random_circuits(seed: int, noisy: bool):
    n = 2 + seed % 4
    circuit, rng = random_circuit(seed, n=n, count=20), dice(seed)
    operations = list(circuit.operations)
    if n > 3:
        shuffle = Tableau(tuple(rng.choice(n, 3, replace=False).tolist()), ("+IXI", "+IIX", "+XII"), ("+IZI", "+IIZ", "+ZII"))
        operations.insert(int(rng.integers(len(operations))), shuffle)
    for _ in range(3 if noisy else 0):
        operations.insert(int(rng.integers(len(operations) + 1)), random_kraus(rng, int(rng.integers(n))))
    circuit = replace(circuit, operations=tuple(operations))
    theta = random_angles(circuit, seed, (2,))
    assert (chain_expectations(circuit, theta) - expectations(circuit, theta)).abs().max() < 1e-13


def test_a_mixed_start():
    circuit = replace(random_circuit(3, n=3), initial=StabilizerState(("+XXI",)))
    theta = random_angles(circuit, 0)
    assert (chain_expectations(circuit, theta) - expectations(circuit, theta)).abs().max() < 1e-13


@pytest.mark.parametrize("mixed", [False, True])
def test_operators_are_their_matrices(mixed: bool):
    rng = dice(0)
    matrix = np.linalg.qr(rng.normal(size=(8, 8)) + 1j * rng.normal(size=(8, 8)))[0]
    for operator, wanted in (
        (matrix_operator([matrix], (0, 1, 2), mixed=mixed), matrix),
        (word_operator(0.3, 0.5j, Pauli.from_label("XIY")), 0.3 * np.eye(8) + 0.5j * pauli_matrix(Pauli.from_label("XIY"), 3)),
    ):
        whole = operator.tensors[0]
        for tensor in operator.tensors[1:]:
            whole = np.einsum("aijb,bklc->aikjlc", whole, tensor)
            whole = whole.reshape(1, whole.shape[1] * whole.shape[2], -1, whole.shape[-1])
        if mixed and wanted is matrix:  # pairs of bits per qubit
            both = np.kron(matrix, matrix.conj()).reshape((2,) * 12)
            wanted = both.transpose(0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11).reshape(64, 64)
        assert np.abs(whole[0, :, :, 0] - wanted).max() < 1e-13


@pytest.mark.parametrize("fault", ["bonds cut", "a gate forgotten", "no conjugate"])
def test_planted_faults_are_seen(monkeypatch: pytest.MonkeyPatch, fault: str):
    circuit = layered(5, 3, rotations="ZXZ", final=True, observables=(ising_ring(5),))
    theta = random_angles(circuit, 0)
    if fault == "bonds cut":
        monkeypatch.setattr(CHAIN, "ROUNDING", 0.6)
    elif fault == "a gate forgotten":
        monkeypatch.setattr(
            sys.modules["parasym.circuits.chain_simulate"], "_fixed", lambda op, mixed: word_operator(1, 0, Pauli(1))
        )
    else:
        right = CHAIN._onward
        monkeypatch.setattr(CHAIN, "_onward", lambda part, below, above: right(part, below.conj(), above))
    assert (chain_expectations(circuit, theta) - expectations(circuit, theta)).abs().max() > 1e-3


@pytest.mark.parametrize("layers", [1, 2])
def test_twenty_qubits_get_a_verdict(layers: int):
    circuit = layered(20, layers, final=True, observables=(ising_ring(20),))
    symmetry = parasym.find(circuit)
    report = parasym.verify(circuit, symmetry)
    assert report.holds == "yes"
    assert "simulated as a matrix product state" in str(report)
    assert min(row.moved for row in report.rows) > 0.1
    rows = angle_group(symmetry).rows
    size = circuit.num_parameters
    assert parasym.verify(circuit, claim(size, *rows, 1)).holds == "no"
    assert parasym.verify(circuit, claim(size, *rows, 1 << size)).holds == "no"


def test_twenty_noisy_qubits():
    circuit = layered(20, 1, final=True, observables=(ising_ring(20),))
    surviving, all_of_it = parasym.find(circuit, noise=DAMPED), parasym.find(circuit)
    assert parasym.verify(circuit, surviving, noise=DAMPED).holds == "yes"
    assert parasym.verify(circuit, all_of_it, noise=DAMPED).holds == "no"
    assert parasym.verify(circuit, all_of_it, noise=NoiseModel(after_many=(dephasing(0.05, 0),))).holds == "yes"


def test_a_product_of_a_hundred_cosines_hides_nothing():
    """At random angles this cost is below 1e-15, whatever the claim."""
    circuit = layered(100, 1, observables=(PauliSum(((1.0, Pauli(z=1 << 99)),)),))
    assert chain_expectations(circuit, random_angles(circuit, 0)).abs().max() < 1e-15
    assert parasym.verify(circuit, claim(100, 1 << 100)).holds == "no"
    assert parasym.verify(circuit, parasym.find(circuit)).holds == "yes"


def test_a_projector_on_many_qubits():
    labels = ("I" * k + "Z" + "I" * (19 - k) for k in range(20))
    circuit = layered(20, 1, final=True, observables=(StabilizerProjector.from_labels(*labels),))
    assert float(chain_expectations(circuit, torch.zeros(40))) == pytest.approx(1.0, abs=1e-12)
    assert parasym.verify(circuit, parasym.find(circuit)).holds == "yes"


def test_what_cannot_be_simulated_says_why():
    circuit = scrambled(16)
    symmetry = parasym.find(circuit)
    report = parasym.verify(circuit, symmetry)
    assert report.holds == "unsure"
    assert "16 qubits are more than 12; the light cone of ZZ on 0, 1 has 16 qubits, more than 12; as a matrix" in str(report)
    assert "The entanglement across qubits" in str(report)
    state = layered(16, 1)
    assert "The whole state counts" in str(parasym.verify(state, parasym.find(state)))
    assert "completeness not computed" in str(report)


def test_bad_input():
    circuit = layered(3, 1, observables=(ising_ring(3),))
    with pytest.raises(ShapeError, match="must have 3 angles"):
        chain_expectations(circuit, torch.zeros(4))
    with pytest.raises(BadInputError, match="cannot be simulated"):
        chain_expectations(replace(circuit, operations=(*circuit.operations, Opaque("what", (0,)))), torch.zeros(3))
    with pytest.raises(BadInputError, match="given by its amplitudes"):
        chain_expectations(replace(circuit, observables=(StateProjector((1, *[0] * 7)),)), torch.zeros(3))
    wide = Tableau(
        tuple(range(5)),
        tuple("+" + "I" * k + "X" + "I" * (4 - k) for k in range(5)),
        tuple("+" + "I" * k + "Z" + "I" * (4 - k) for k in range(5)),
    )
    with pytest.raises(BadInputError, match="at most 4"):
        chain_expectations(Circuit(5, (rotation("X", 0, 0), wide), (ising_ring(5),)), torch.zeros(1))


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_light_cones_of_random_circuits(seed: int, noisy: bool):
    circuit, rng = random_circuit(seed, n=4, count=8), dice(seed)
    circuit = replace(circuit, observables=(PauliSum.from_labels({"ZIII": 0.7, "IXYI": 0.2, "IIII": 1.0}),))
    if isinstance(circuit.initial, StabilizerState):
        circuit = replace(circuit, initial=ZeroState())
    operations = [*circuit.operations, random_kraus(rng, 0), random_kraus(rng, 3)] if noisy else circuit.operations
    circuit = replace(circuit, operations=tuple(operations))
    theta = random_angles(circuit, seed, (2, 3))
    assert (cone_expectations(circuit)(theta) - expectations(circuit, theta)).abs().max() < 1e-13


@pytest.mark.parametrize("noise", [None, NoiseModel(after_many=(dephasing(0.05, 0),))])
def test_a_shallow_circuit_of_many_qubits_is_proved_on_its_cones(noise: NoiseModel | None):
    circuit = scrambled(40, 2 if noise is None else 1)
    symmetry = parasym.find(circuit, noise=noise)
    report = parasym.verify(circuit, symmetry, noise=noise)
    assert report.holds == "yes"
    assert "simulated on the light cones of the observables, exactly: 40 qubits" in str(report)
    size = circuit.num_parameters
    assert parasym.verify(circuit, claim(size, *angle_group(symmetry).rows, 1 << size), noise=noise).holds == "no"
    if noise is not None:
        assert parasym.verify(circuit, symmetry, noise=DAMPED).holds == "no"


def test_a_cone_forgets_nothing(monkeypatch: pytest.MonkeyPatch):
    """Planted fault: gates that touch the cone at one qubit do not widen it."""
    circuit = scrambled(5, 3)
    theta = random_angles(circuit, 0)
    narrow = replace(circuit, operations=tuple(op for op in circuit.operations if len(op.qubits) == 1))
    wrong = cone_expectations(narrow)(theta)
    assert (cone_expectations(circuit)(theta) - expectations(circuit, theta)).abs().max() < 1e-13
    assert (wrong - expectations(circuit, theta)).abs().max() > 1e-3


def test_a_cone_starts_where_its_qubits_do():
    bloch = ((0.0, 0.0, 1.0), (0.6, 0.0, 0.8), (0.0, 1.0, 0.0), (0.0, 0.6, 0.5))
    circuit = Circuit(4, (rotation("Z", 3, 0),), (PauliSum.from_labels({"IIIY": 1.0}),), ProductState(bloch))
    found = cone_expectations(circuit)(torch.tensor([0.3], dtype=torch.float64))
    assert float(found) == pytest.approx(0.6 * np.cos(0.3), abs=1e-15)


def test_cones_that_cannot_be_had():
    with pytest.raises(BadInputError, match="start from a product state"):
        cone_expectations(replace(scrambled(4), initial=StabilizerState(("+XXII", "+ZZII", "+IIZI", "+IIIZ"))))
    with pytest.raises(BadInputError, match="whole state"):
        cone_expectations(layered(4, 1))
    with pytest.raises(BadInputError, match="a projector has too many"):
        cone_expectations(replace(scrambled(4), observables=(StabilizerProjector.from_labels("ZIII"),)))


def test_a_library_is_not_asked_for_what_no_memory_holds():
    qml = needs("pennylane")
    pnp = needs("pennylane.numpy")

    @qml.qnode(qml.device("default.qubit", wires=40))
    def qnode(w):
        for q in range(40):
            qml.RY(w[q], wires=q)
        for q in range(39):
            qml.CNOT([q, q + 1])
        return qml.expval(qml.Z(3) @ qml.Z(4))

    weights = pnp.zeros(40, requires_grad=True)
    report = parasym.verify(qnode, parasym.find(qnode, (weights,)), (weights,))
    assert report.holds == "yes"
    assert "run by its library" not in {row.name for row in report.rows}
    assert "not run by its library: 40 qubits are more than 22" in str(report)
