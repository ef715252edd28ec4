"""QNodes and tapes are read exactly: costs agree with PennyLane's own, and what is found holds there."""

import math

import numpy as np
import pytest
import torch

from parasym.circuits import NoiseModel, Opaque, amplitude_damping, angle_group, find_circuit, with_noise
from parasym.circuits.simulate import expectations
from parasym.circuits.source import as_circuit
from parasym.find import find
from parasym.verify import verify
from tests.needs import needs

qml = needs("pennylane")
pnp = needs("pennylane.numpy")
DEVICE = qml.device("default.qubit", wires=4)


def numbers(*shape: int, seed: int = 0):
    return pnp.array(np.random.default_rng(seed).uniform(-3, 3, shape), requires_grad=True)


@qml.qnode(DEVICE)
def everything(w, x):
    qml.AngleEmbedding(x, wires=range(4))
    qml.StronglyEntanglingLayers(w, wires=range(4))
    qml.CRX(2 * w[0, 0, 0] + 0.3, wires=[0, 1])
    qml.IsingXY(w[0, 1, 1], wires=[1, 3])
    qml.IsingXX(-w[0, 1, 2], wires=[1, 2])
    qml.SingleExcitation(w[0, 0, 1], wires=[2, 3])
    qml.ControlledPhaseShift(w[0, 0, 2], wires=[1, 2])
    qml.Toffoli(wires=[0, 1, 2])
    qml.SISWAP(wires=[0, 3])
    qml.T(1)
    qml.adjoint(qml.RX)(w[0, 0, 0] / 3, wires=1)
    qml.PauliRot(w[0, 2, 0], "XYIZ", wires=[0, 2, 1, 3])
    qml.CRot(w[0, 3, 0], w[0, 3, 1], w[0, 3, 2], wires=[0, 2])
    qml.U3(w[1, 0, 0], 0.2, w[1, 0, 1], wires=1)
    qml.U2(w[1, 0, 0], w[1, 1, 1], wires=0)
    qml.MultiRZ(w[1, 2, 2] + w[1, 2, 1], wires=[0, 1, 3])
    return (
        qml.expval(qml.Z(0) @ qml.Z(1)),
        qml.expval(qml.Hamiltonian([0.5, 1.2], [qml.X(0), qml.Y(2) @ qml.Z(3)])),
        qml.expval(qml.Projector([0, 1], wires=[0, 2])),
        qml.expval(qml.Hermitian(np.array([[1, 2j], [-2j, 3]]), wires=3)),
    )


def test_a_qnode_is_read_exactly():
    w, x = numbers(2, 4, 3), pnp.array(np.random.default_rng(1).random(4), requires_grad=False)
    circuit = as_circuit(everything, (w, x))
    theta = torch.from_numpy(np.concatenate([np.ravel(w), x]))
    assert (
        expectations(circuit, theta) - torch.tensor([float(v) for v in everything(w, x)], dtype=torch.float64)
    ).abs().max() < 1e-12
    assert circuit.tensors == (("w", (2, 4, 3)), ("x", (4,)))
    assert circuit.frozen == (24, 25, 26, 27)
    symmetry = find(everything, (w, x))
    assert {u.operation for u in symmetry.uncovered} == {"Toffoli", "SISWAP"}
    assert symmetry.pinned == ("x",)
    report = verify(everything, symmetry, (w, x), complete=False)
    assert report.holds == "yes"
    assert "run by its library" in {row.name for row in report.rows}


def layers(w):
    for row in w[:-1]:
        for q in range(4):
            qml.RY(row[q], wires=q)
        for q in range(3):
            qml.CNOT(wires=[q, q + 1])
    for q in range(4):
        qml.RY(w[-1][q], wires=q)


HAMILTONIAN = qml.Hamiltonian([-1.0] * 8, [*(qml.Z(q) @ qml.Z((q + 1) % 4) for q in range(4)), *(qml.X(q) for q in range(4))])


@qml.qnode(DEVICE)
def vqe(w):
    layers(w)
    return qml.expval(HAMILTONIAN)


def test_the_group_of_a_vqe_and_what_noise_leaves():
    w = numbers(4, 4)
    symmetry = find(vqe, (w,))
    surviving = find(vqe, (w,), noise=NoiseModel(after_many=(amplitude_damping(0.1, 0),)))
    assert (symmetry.order, surviving.order, symmetry.cosets(surviving).order) == (2**13, 2, 2**12)


def test_noisy_costs_agree_with_default_mixed():
    gamma = 0.1

    @qml.qnode(qml.device("default.mixed", wires=4))
    def noisy(w):
        for row in w:
            for q in range(4):
                qml.RY(row[q], wires=q)
            for q in range(3):
                qml.CNOT(wires=[q, q + 1])
                for wire in (q, q + 1):
                    qml.AmplitudeDamping(gamma, wires=wire)
        return qml.expval(HAMILTONIAN)

    w = numbers(2, 4)
    circuit = as_circuit(noisy, (w,))
    assert circuit.noisy
    theta = torch.from_numpy(np.ravel(w))
    assert float(expectations(circuit, theta)) == pytest.approx(float(noisy(w)), abs=1e-12)
    symmetry = find(noisy, (w,))
    theirs = with_noise(as_circuit(noisy, (w,)), NoiseModel())
    assert symmetry == find_circuit(theirs)
    assert verify(noisy, symmetry, (w,), complete=False).holds == "yes"


def test_a_torch_qnode():
    w = torch.rand(4, 4, dtype=torch.float64, requires_grad=True)
    qnode = qml.QNode(vqe.func, DEVICE, interface="torch")
    symmetry = find(qnode, (w,))
    assert symmetry.order == 2**13
    moved = symmetry.act(symmetry.sample(generator=torch.Generator().manual_seed(0)), {"w": w.detach()})["w"]
    assert float((qnode(moved) - qnode(w)).detach().abs()) < 1e-12
    assert float((moved - w).detach().abs().max()) > 0.1


def test_an_array_moves_and_stays_what_it_is():
    w = numbers(4, 4)
    symmetry = find(vqe, w)
    moved = symmetry.act(symmetry.sample(generator=torch.Generator().manual_seed(0)), w)
    assert (type(moved), moved.requires_grad, moved.shape) == (type(w), True, w.shape)
    assert float(vqe(moved)) == pytest.approx(float(vqe(w)), abs=1e-12)
    assert float(abs(moved - w).max()) > 0.1
    assert verify(vqe, symmetry, w, complete=False, samples=1).holds == "yes"
    with pytest.raises(ValueError, match="floating-point"):
        symmetry.act(symmetry.sample(), np.zeros((4, 4), dtype=int))


def test_shots():
    sampled = qml.set_shots(vqe, 100)
    symmetry = find(sampled, (numbers(4, 4),))
    report = verify(sampled, symmetry, (numbers(4, 4),), complete=False, samples=1)
    assert symmetry.order == 2**13
    assert "run by its library" not in {row.name for row in report.rows}  # samples prove nothing exact
    with pytest.raises(ValueError, match=r"[Ss]hots"):
        find(qml.set_shots(vqe, 0), (numbers(4, 4),))


def test_a_tape():
    with qml.queuing.AnnotatedQueue() as queue:
        layers(numbers(3, 4))
        qml.expval(HAMILTONIAN)
    tape = qml.tape.QuantumScript.from_queue(queue)
    symmetry = find(tape)
    assert symmetry.order == 2**9
    assert symmetry.shapes == (("angles", (12,)),)


def test_angles_that_are_not_affine_are_pinned_and_listed():
    @qml.qnode(DEVICE)
    def curved(w):
        qml.RX(w[0], wires=0)
        qml.RY(pnp.sin(w[1]) + w[0] * w[2], wires=0)
        qml.RX(w[3], wires=1)
        qml.RY(w[4], wires=1)
        return qml.expval(qml.Z(0) @ qml.Z(1))

    w = numbers(5)
    circuit = as_circuit(curved, (w,))
    (opaque,) = [op for op in circuit.operations if isinstance(op, Opaque)]
    assert opaque.parameters == (0, 1, 2)
    symmetry = find(curved, (w,))
    assert len(symmetry.uncovered) == 1
    assert "not an affine function" in symmetry.uncovered[0].reason
    assert symmetry.order > 1
    group = angle_group(symmetry)
    assert all(not row >> j & 1 and not row >> 5 + j & 1 for row in group.rows for j in (0, 1, 2))
    report = verify(curved, symmetry, (w,))
    assert report.holds == "yes"  # parasym cannot simulate it, PennyLane can


def test_data_is_varied_so_that_the_group_holds_for_all_of_it():
    @qml.qnode(DEVICE)
    def scaled(w, x):
        qml.RX(w[0] * x[0], wires=0)
        qml.RY(w[1], wires=0)
        qml.RX(w[2], wires=0)
        return qml.expval(qml.Z(0))

    symmetry = find(scaled, (numbers(3), pnp.array([1.0], requires_grad=False)))
    assert all(not row & 1 for row in angle_group(symmetry).rows) if symmetry.factors else True
    assert symmetry.uncovered


def test_planted_wrong_symmetry_fails_there():
    w = numbers(4, 4)
    noisy = qml.QNode(vqe.func, DEVICE)
    symmetry = find(vqe, (w,))

    @qml.qnode(DEVICE)
    def other(w):
        layers(w)
        return qml.expval(qml.Z(0))

    assert verify(noisy, symmetry, (w,), complete=False).holds == "yes"
    assert verify(other, symmetry, (w,), complete=False).holds == "no"


def bad(kind: str):
    device = qml.device("default.qubit", wires=2)

    @qml.qnode(device)
    def qnode(w):
        qml.RX(w[0], wires=0)
        if kind == "measured":
            m = qml.measure(0)
            qml.cond(m, qml.RX)(w[1], wires=1)
        if kind == "wires":
            return qml.expval(qml.Z(5))
        if kind == "branches" and w[0] > 1.5:
            qml.RY(w[0], wires=1)
        if kind == "nothing":
            return None
        return qml.expval(qml.Z(0))

    return qnode


@pytest.mark.parametrize(
    ("kind", "words"),
    [("measured", "in the middle"), ("wires", "wire 5"), ("branches", "depend on the values")],
)
def test_bad_circuits(kind: str, words: str):
    with pytest.raises(ValueError, match=words):
        find(bad(kind), (numbers(2),))


def test_a_qnode_without_parameters():
    with pytest.raises(ValueError, match="floating-point arguments"):
        find(vqe, ())
    with pytest.raises(ValueError, match="floating-point arguments"):
        find(vqe, (3,))


def test_batches_of_angles_are_refused():
    @qml.qnode(DEVICE)
    def batched(w):
        qml.RX(w, wires=0)
        return qml.expval(qml.Z(0))

    with pytest.raises(ValueError, match="batch of angles"):
        find(batched, (numbers(3),))


def test_states_and_probabilities():
    def build(measure):
        @qml.qnode(DEVICE)
        def qnode(w):
            layers(w)
            return measure()

        return qnode

    w = numbers(3, 4)
    for measure in (qml.state, lambda: qml.probs(wires=[0, 1]), lambda: qml.density_matrix(wires=[0]), lambda: qml.var(qml.Z(0))):
        qnode = build(measure)
        symmetry = find(qnode, (w,))
        assert symmetry.order > 1
        assert verify(qnode, symmetry, (w,), complete=False).holds == "yes"


def test_multiplier_and_offset_are_exact():
    @qml.qnode(DEVICE)
    def affine(w):
        qml.RX(w[0] / 3 + math.pi / 2, wires=0)
        qml.RZ(-2 * w[1], wires=0)
        return qml.expval(qml.Z(0))

    circuit = as_circuit(affine, (numbers(2),))
    first, second = (op.angle for op in circuit.rotations)
    assert first.terms == ((0, 1 / 3),)
    assert first.offset == pytest.approx(math.pi / 2, abs=1e-15)
    assert second.terms == ((1, -2.0),)
