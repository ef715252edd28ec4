"""Qiskit circuits are read exactly, with its order of qubits."""

import math

import numpy as np
import pytest
import torch

from parasym.circuits import amplitude_damping, angle_group
from parasym.circuits.simulate import expectations
from parasym.circuits.source import as_circuit
from parasym.find import find
from parasym.verify import verify
from tests.needs import needs

qiskit = needs("qiskit")
from qiskit import QuantumCircuit  # noqa: E402
from qiskit.circuit import Parameter, ParameterVector  # noqa: E402
from qiskit.circuit.library import XXPlusYYGate, efficient_su2  # noqa: E402
from qiskit.quantum_info import SparsePauliOp, Statevector  # noqa: E402

H = SparsePauliOp(["IZZ", "XII", "IYX"], np.array([1.0, 0.5, 0.3]))


def everything():
    t = ParameterVector("t", 9)
    qc = QuantumCircuit(3)
    qc.h(0)
    qc.rx(t[0], 0)
    qc.rzx(t[1], 0, 2)
    qc.rxx(2 * t[2] + 0.1, 1, 2)
    qc.u(t[3], 0.2, t[4], 1)
    qc.cp(t[5], 0, 1)
    qc.crx(t[6], 2, 0)
    qc.cu(t[7], 0.1, 0.2, 0.3, 0, 1)
    qc.append(XXPlusYYGate(t[8]), [0, 2])
    qc.ecr(0, 1)
    qc.iswap(1, 2)
    qc.dcx(2, 0)
    qc.t(0)
    qc.ccx(0, 1, 2)
    qc.ry(t[0] + t[1], 1)
    qc.barrier()
    return qc


def test_a_circuit_is_read_exactly():
    qc = everything()
    circuit = as_circuit(qc, H)
    theta = np.random.default_rng(0).uniform(-3, 3, 9)
    theirs = Statevector(qc.assign_parameters(theta)).expectation_value(H).real
    assert float(expectations(circuit, torch.from_numpy(theta))) == pytest.approx(theirs, abs=1e-12)
    symmetry = find(qc, H)
    report = verify(qc, symmetry, H, complete=False)
    assert report.holds == "yes"
    assert {u.operation for u in symmetry.uncovered} == {"ccx"}


def test_an_ansatz_of_the_library():
    qc = efficient_su2(4, reps=2)
    observable = SparsePauliOp(["ZZII", "IXII", "IIIY"], np.array([1, 0.5, 0.2]))
    symmetry = find(qc, observable)
    report = verify(qc, symmetry, observable)
    assert symmetry.order == 2**25
    assert report.holds == "yes"
    assert report.completeness is not None
    assert report.completeness.rest[0].kind == "unused parameter"


def test_frozen_parameters_and_measurements_at_the_end():
    a, b, c = Parameter("a"), Parameter("b"), Parameter("c")
    qc = QuantumCircuit(1)
    qc.rx(a, 0)
    qc.ry(b, 0)
    qc.rx(c, 0)
    qc.measure_all()
    z = SparsePauliOp("Z")
    assert find(qc, z).order == 2 ** (3 - 1 + 1)
    frozen = find(qc, z, {"frozen": [a]})
    assert frozen.order == 2
    assert all(not row & 1 and not row >> 3 & 1 for row in angle_group(frozen).rows)


def test_a_reset_is_a_channel():
    a, b = Parameter("a"), Parameter("b")
    qc = QuantumCircuit(1)
    qc.rx(a, 0)
    qc.reset(0)
    qc.rx(b, 0)
    symmetry = find(qc, SparsePauliOp("Z"))
    assert symmetry.order == 2**3  # flip and turn the first as one likes, flip the second
    assert verify(qc, symmetry, SparsePauliOp("Z")).holds == "yes"


@pytest.mark.parametrize("kind", ["measured", "constant", "observable"])
def test_bad_circuits(kind: str):
    qc = QuantumCircuit(2, 1)
    words = {"measured": "in the middle", "constant": "has none", "observable": "3 qubits, but the circuit has 2"}[kind]
    if kind != "constant":
        qc.rx(Parameter("a"), 0)
    if kind == "measured":
        qc.measure(0, 0)
        qc.rx(Parameter("b"), 0)
    with pytest.raises(ValueError, match=words):
        find(qc, H if kind == "observable" else SparsePauliOp("ZZ"))


def test_noisy_costs_agree_with_aer():
    simulators = needs("qiskit_aer")
    from qiskit_aer.noise import NoiseModel as AerNoise
    from qiskit_aer.noise import amplitude_damping_error

    from parasym.circuits import NoiseModel, with_noise

    t = ParameterVector("t", 4)
    qc = QuantumCircuit(2)
    for k in range(2):
        qc.ry(t[2 * k], 0)
        qc.ry(t[2 * k + 1], 1)
        qc.cx(0, 1)
    theta = np.random.default_rng(0).uniform(-3, 3, 4)
    observable = SparsePauliOp(["ZZ", "IX"], np.array([1.0, 0.5]))
    damping = amplitude_damping_error(0.1)
    noise = AerNoise()
    noise.add_all_qubit_quantum_error(damping.tensor(damping), ["cx"])
    bound = qc.assign_parameters(theta)
    bound.save_density_matrix()  # pyright: ignore[reportAttributeAccessIssue]
    simulator = simulators.AerSimulator(method="density_matrix", noise_model=noise)
    rho = simulator.run(bound).result().data()["density_matrix"]
    theirs = float(rho.expectation_value(observable).real)
    circuit = with_noise(as_circuit(qc, observable), NoiseModel(after_many=(amplitude_damping(0.1, 0),)))
    assert float(expectations(circuit, torch.from_numpy(theta))) == pytest.approx(theirs, abs=1e-10)
    assert math.isfinite(theirs)
