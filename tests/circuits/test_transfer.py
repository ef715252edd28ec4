"""The transfer-matrix simulator against the density matrix, PennyLane and Qiskit Aer; its gradient against three others."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from parasym.circuits import (
    Circuit,
    CircuitCost,
    NoiseModel,
    Opaque,
    PauliSum,
    StateProjector,
    amplitude_damping,
    depolarizing,
    gate,
    heisenberg_ring,
    ising_ring,
    layered,
    rotation,
    sampled,
    transfer,
    with_noise,
)
from parasym.circuits.simulate import expectations
from parasym.circuits.transfer import Transfer
from parasym.core import BadInputError, ShapeError
from tests.circuits.random_circuit import dice, random_circuit, random_kraus
from tests.needs import needs

NOISE = NoiseModel(after_many=(amplitude_damping(0.02, 0),))


def noisy(n: int = 4, layers: int = 4, rotations: str = "Y", entangler: str = "cx", **kwargs) -> Circuit:
    bare = layered(n, layers, rotations=rotations, entangler=entangler, final=True, observables=(ising_ring(n),), **kwargs)  # pyright: ignore[reportArgumentType]
    return with_noise(bare, NOISE)


def points(circuit: Circuit, count: int = 3, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(count, circuit.num_parameters, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(25))
def test_random_noisy_circuits_agree_with_the_density_matrix(seed):
    circuit = random_circuit(seed)
    rng = dice(1000 + seed)
    channels = [random_kraus(rng, int(rng.integers(circuit.num_qubits))) for _ in range(3)]
    operations = list(circuit.operations)
    for channel in channels:
        operations.insert(int(rng.integers(len(operations) + 1)), channel)
    for observable in circuit.observables:
        one = replace(circuit, operations=tuple(operations), observables=(observable,))
        theta = points(one, seed=seed)
        assert (transfer(one).cost(theta) - expectations(one, theta, mixed=True)[:, 0]).abs().max() < 1e-12


def test_projector_onto_a_state():
    rng = np.random.default_rng(0)
    psi = rng.normal(size=8) + 1j * rng.normal(size=8)
    circuit = replace(noisy(3, 2, "YZ"), observables=(StateProjector(tuple(psi / np.linalg.norm(psi))),))
    theta = points(circuit)
    assert (transfer(circuit).cost(theta) - expectations(circuit, theta)[:, 0]).abs().max() < 1e-12


@pytest.mark.parametrize("rotations", ["Y", "YZ", "ZXZ"])
def test_gradient_is_that_of_autograd_differences_and_the_shift_rule(rotations):
    circuit = noisy(3, 2, rotations, "cz")
    simulator, theta = transfer(circuit), points(circuit, 2)
    value, gradient = simulator.cost_and_gradient(theta)
    x, y = theta.clone().requires_grad_(True), theta.clone().requires_grad_(True)
    expectations(circuit, x)[:, 0].sum().backward()
    simulator.cost(y).sum().backward()
    assert (value - simulator.cost(theta)).abs().max() < 1e-13
    assert x.grad is not None
    assert y.grad is not None
    assert (gradient - x.grad).abs().max() < 1e-12
    assert torch.equal(gradient, y.grad)
    steps = torch.eye(circuit.num_parameters, dtype=torch.float64) * np.pi / 2
    shifted = (simulator.cost(theta[:, None] + steps) - simulator.cost(theta[:, None] - steps)) / 2
    assert (gradient - shifted).abs().max() < 1e-12
    small = steps * 1e-5
    differences = (simulator.cost(theta[:, None] + small) - simulator.cost(theta[:, None] - small)) / (np.pi * 1e-5)
    assert (gradient - differences).abs().max() < 1e-8


def test_shared_and_scaled_angles_follow_the_chain_rule():
    circuit = random_circuit(3, count=20)
    circuit = replace(circuit, observables=circuit.observables[:1])
    theta = points(circuit)
    x = theta.clone().requires_grad_(True)
    expectations(circuit, x)[:, 0].sum().backward()
    assert x.grad is not None
    assert (transfer(circuit).cost_and_gradient(theta)[1] - x.grad).abs().max() < 1e-11


def test_pennylane_default_mixed_agrees():
    qml = needs("pennylane")
    circuit = noisy()
    theta = points(circuit, 1)[0]
    device = qml.device("default.mixed", wires=4)
    h = ising_ring(4)

    @qml.qnode(device)
    def node(x):
        for layer in range(5):
            for q in range(4):
                qml.RY(x[4 * layer + q], wires=q)
            for q in range(3) if layer < 4 else ():
                qml.CNOT(wires=[q, q + 1])
                qml.AmplitudeDamping(0.02, wires=q)
                qml.AmplitudeDamping(0.02, wires=q + 1)
        return qml.expval(
            qml.Hamiltonian([c for c, _ in h.terms], [qml.pauli.string_to_pauli_word(p.label(4)) for _, p in h.terms])
        )

    assert abs(float(transfer(circuit).cost(theta)) - float(node(theta.numpy()))) < 1e-10


def test_qiskit_aer_agrees():
    aer = needs("qiskit_aer")
    qiskit = needs("qiskit")
    from qiskit.quantum_info import SparsePauliOp
    from qiskit_aer.noise import NoiseModel as AerNoise
    from qiskit_aer.noise import amplitude_damping_error

    circuit = noisy()
    theta = points(circuit, 1)[0]
    built = qiskit.QuantumCircuit(4)
    for layer in range(5):
        for q in range(4):
            built.ry(float(theta[4 * layer + q]), q)
        for q in range(3) if layer < 4 else ():
            built.cx(q, q + 1)
    operator = SparsePauliOp([p.label(4)[::-1] for _, p in ising_ring(4).terms], np.array([c for c, _ in ising_ring(4).terms]))
    built.save_expectation_value(operator, range(4))
    noise = AerNoise()
    one = amplitude_damping_error(0.02)
    noise.add_all_qubit_quantum_error(one.tensor(one), ["cx"])
    backend = aer.AerSimulator(method="density_matrix", noise_model=noise)
    found = backend.run(built, shots=1).result().data()["expectation_value"]
    assert abs(float(transfer(circuit).cost(theta)) - found) < 1e-10


def test_planted_fault_a_forgotten_channel_is_seen():
    """Were noise ignored, the test against other simulators would fail."""
    circuit = noisy()
    theta = points(circuit)
    without = Transfer(circuit, transfer(layered(4, 4, final=True, observables=(ising_ring(4),))).steps)
    assert (without.cost(theta) - expectations(circuit, theta)[:, 0]).abs().max() > 1e-3


def test_large_batches_are_cut_without_a_trace(monkeypatch):
    circuit = noisy(3, 2)
    theta = points(circuit, 37)
    whole = transfer(circuit).cost_and_gradient(theta)
    monkeypatch.setattr(sys.modules["parasym.circuits.transfer"], "MOST_NUMBERS", 4**3 * 50)
    cut = transfer(circuit).cost_and_gradient(theta)
    assert all((a - b).abs().max() < 1e-13 for a, b in zip(whole, cut, strict=True))


def test_shots_have_the_mean_and_variance_of_signs():
    values = torch.tensor([-1.0, -0.3, 0.0, 0.8], dtype=torch.float64).repeat(20000, 1)
    for distribution in ("binomial", "gaussian"):
        found = sampled(values, 50, generator=torch.Generator().manual_seed(1), distribution=distribution)
        assert (found.mean(0) - values[0]).abs().max() < 0.005
        assert torch.allclose(found.var(0), (1 - values[0] ** 2) / 50, rtol=0.05)
    counts = (sampled(values, 50, generator=torch.Generator().manual_seed(1)) + 1) * 25
    assert (counts - counts.round()).abs().max() < 1e-9


def test_cost_with_shots_is_counted_and_unbiased():
    circuit = noisy(3, 2)
    simulator, theta = transfer(circuit), points(circuit, 1)[0]
    cost = CircuitCost(simulator, shots=200, generator=torch.Generator().manual_seed(0))
    found = cost(theta.repeat(500, 1))
    assert abs(float(found.mean() - simulator.cost(theta))) < 5 * float(found.std()) / 500**0.5
    gradients = cost.gradient(theta.repeat(200, 1))
    exact = simulator.cost_and_gradient(theta)[1]
    assert (gradients.mean(0) - exact).abs().max() < 5 * float(gradients.std(0).max()) / 200**0.5
    assert cost.circuits == 500 + 200 * 2 * circuit.num_parameters
    assert cost.shots_used == cost.circuits * 200 * 6


def test_bad_input():
    with pytest.raises(BadInputError, match="at least 1, or None"):
        CircuitCost(transfer(noisy()), shots=0)
    with pytest.raises(BadInputError, match="at least 1, or None"):
        sampled(torch.zeros(2), 0)
    with pytest.raises(ShapeError, match="must have 20 angles"):
        transfer(noisy()).cost(torch.zeros(19))
    with pytest.raises(BadInputError, match="has 9 qubits"):
        transfer(layered(9, 1, observables=(ising_ring(9),)))
    with pytest.raises(BadInputError, match="has none"):
        transfer(Circuit(1, (gate("h", 0),), (PauliSum.from_labels({"Z": 1.0}),)))
    with pytest.raises(BadInputError, match="one observable"):
        transfer(layered(3, 1))
    with pytest.raises(BadInputError, match="cannot be simulated"):
        transfer(Circuit(1, (rotation("X", 0, 0), Opaque("Secret", (0,))), (PauliSum.from_labels({"Z": 1.0}),)))
    with pytest.raises(BadInputError, match="sum of Pauli words"):
        transfer(replace(noisy(2, 1), observables=(StateProjector((1, 0, 0, 0)),))).terms(torch.zeros(1, 4))


def test_ring_of_eight_qubits_under_depolarizing_noise_is_damped():
    bare = layered(8, 1, final=True, observables=(heisenberg_ring(8),))
    theta = points(bare, 1)
    damped = transfer(with_noise(bare, NoiseModel(at_end=(depolarizing(0.3, 0),)))).cost(theta)
    assert (damped - transfer(bare).cost(theta) * 0.6**2).abs().max() < 1e-12
