"""What is refused, and in which words: in Python everything is a SymmetryError, whatever the library below raised."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

import parasym
from parasym.circuits import (
    Angle,
    Channel,
    Circuit,
    CircuitCost,
    NoiseModel,
    PauliSum,
    Unitary,
    amplitude_damping,
    gate,
    layered,
    rotation,
    transfer,
)
from parasym.circuits.operation import matrix_of
from parasym.core import SymmetryError
from tests.needs import needs

Z = PauliSum.from_labels({"Z": 1.0})
GOOD = Circuit(2, (rotation("Y", 0, 0), gate("cx", 0, 1), rotation("Y", 1, 1)), (PauliSum.from_labels({"ZZ": 1.0}),))
HALF = matrix_of(np.diag([1.0, 0.5]))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: parasym.find(Circuit(1, (gate("h", 0),), (Z,))), "must have parameters, but has none"),
        (lambda: Circuit(1, (rotation("Y", 0, 0),), (PauliSum.from_labels({"IZ": 1.0}),)), "An observable must act on"),
        (lambda: Circuit(1, (rotation("Y", 0, 0), gate("cx", 0, 1)), (Z,)), "Operation 1, cx on 0, 1, must act on"),
        (lambda: Channel((0,), (HALF,), "half"), "Channel `half` on qubits \\(0,\\) must preserve the trace"),
        (lambda: Channel((0,), (matrix_of(np.diag([1.0, math.nan])),)), "must preserve the trace"),
        (lambda: Unitary((0,), matrix_of(np.diag([1.0, math.nan]))), "must be unitary"),
        (lambda: PauliSum.from_labels({"Z": math.nan}), "must be finite"),
        (lambda: rotation("X", 0, math.nan), "finite numbers"),
        (lambda: Angle(((0, math.inf),)), "finite numbers"),
        (lambda: amplitude_damping(math.nan, 0), "between 0 and 1"),
        (lambda: parasym.find(GOOD, noise=amplitude_damping(0.1, 0)), "must be a NoiseModel.* but is a Channel"),  # pyright: ignore
        (lambda: parasym.verify(GOOD, parasym.find(GOOD), noise="damping"), "must be a NoiseModel"),  # pyright: ignore
        (lambda: parasym.verify(GOOD, parasym.find(GOOD), params=torch.zeros(2)), "its parameters by name, but is a tensor"),  # pyright: ignore
        (lambda: transfer(GOOD).cost(torch.zeros(3)), "must have 2 angles"),
        (lambda: transfer(GOOD).cost(np.zeros(2)), "must be a torch tensor, but is a ndarray"),  # pyright: ignore
        (lambda: transfer(GOOD).cost_and_gradient(torch.zeros(3)), "must have 2 angles"),
        (lambda: transfer(layered(2, 1)), "one observable, but has 0"),
        (lambda: CircuitCost(transfer(GOOD), shots=0), "an integer of at least 1"),
        (lambda: CircuitCost(transfer(GOOD), shots=-3), "an integer of at least 1"),
        (lambda: CircuitCost(transfer(GOOD), shots=1.5), "an integer of at least 1"),  # pyright: ignore
        (lambda: CircuitCost(transfer(GOOD), shots="100"), "an integer of at least 1"),  # pyright: ignore
        (lambda: CircuitCost(transfer(GOOD), shots=True), "an integer of at least 1"),
    ],
)
def test_refused(make: Callable[[], object], words: str):
    with pytest.raises(SymmetryError, match=words):
        make()


def test_the_circuit_itself_is_good():
    """Otherwise the list above would prove nothing."""
    assert parasym.verify(GOOD, parasym.find(GOOD), noise=NoiseModel()).holds == "yes"
    assert CircuitCost(transfer(GOOD), shots=np.int64(5)).shots == 5  # pyright: ignore


@pytest.mark.parametrize(
    ("body", "arguments", "words"),
    [
        (lambda qml, w: qml.RY(w[7], wires=0), 1, "does not run on these arguments \\(`w` of shape \\(2,\\)\\): IndexError"),
        (lambda qml, w: qml.RY(w[0], wires=0), 2, "does not run on these arguments .* TypeError"),
        (lambda qml, w: qml.QubitChannel([np.diag([1.0, 0.5])], wires=0), 1, "trace preserving"),
        (lambda qml, w: qml.AmplitudeDamping(1.5, wires=0), 1, "gamma must be in the interval"),
    ],
)
def test_a_qnode_that_does_not_run(body: Callable, arguments: int, words: str):
    qml = needs("pennylane")

    @qml.qnode(qml.device("default.mixed", wires=2))
    def qnode(w):
        qml.RX(w[0], wires=0)
        body(qml, w)
        return qml.expval(qml.Z(0))

    with pytest.raises(SymmetryError, match=words):
        parasym.find(qnode, (np.zeros(2),) * arguments)


def test_a_qnode_whose_argument_no_gate_uses():
    qml = needs("pennylane")

    @qml.qnode(qml.device("default.qubit", wires=1))
    def qnode(w):
        qml.Hadamard(0)
        return qml.expval(qml.X(0))

    symmetry = parasym.find(qnode, (np.zeros(2),))
    report = parasym.verify(qnode, symmetry, (np.zeros(2),))
    assert (symmetry.order, report.holds) == (1, "yes")
    assert report.completeness is not None
    assert [(rest.kind, rest.dimension) for rest in report.completeness.rest] == [("unused parameter", 2)]


@pytest.mark.parametrize(
    ("observables", "options", "words"),
    [
        ("foo", {}, "must be a SparsePauliOp.* but is a str"),
        (3, {}, "must be a SparsePauliOp.* but is a int"),
        ("ZZ", {"frozn": []}, "the keyword `frozen` only, but got frozn"),
        ("ZZ", {"frozen": ["c"]}, "must name parameters of the circuit, but c"),
        ("ZZZ", {}, "3 qubits, but the circuit has 2"),
    ],
)
def test_qiskit(observables: object, options: dict[str, object], words: str):
    qiskit = needs("qiskit")
    circuit = qiskit.QuantumCircuit(2)
    circuit.ry(qiskit.circuit.Parameter("a"), 0)
    assert parasym.find(circuit, "ZZ").order == 2
    with pytest.raises(SymmetryError, match=words):
        parasym.find(circuit, observables, options)


def test_a_fixed_gate_of_one_qubit_is_a_frozen_angle_and_larger_ones_are_listed():
    t = matrix_of(np.diag([1, np.exp(0.25j * math.pi)]))
    observables = (PauliSum.from_labels({"Z": 1.0, "X": 0.5}),)
    as_gate, as_angle = (
        Circuit(1, (rotation("X", 0, 0), op, rotation("X", 0, 1)), observables)
        for op in (Unitary((0,), t, "t"), rotation("Z", 0, math.pi / 4))
    )
    without = Circuit(1, (rotation("X", 0, 0), rotation("X", 0, 1)), observables)
    assert parasym.find(as_gate) == parasym.find(as_angle)
    assert (parasym.find(as_gate).uncovered, parasym.find(without).order) == ((), 2)
    assert parasym.verify(as_gate, parasym.find(without)).holds == "no"  # were the gate ignored, it would be seen
    swap = np.eye(4, dtype=complex)
    swap[1:3, 1:3] = np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]]) / 2
    listed = parasym.find(Circuit(2, (*GOOD.operations, Unitary((0, 1), matrix_of(swap), "root")), GOOD.observables))
    assert "root in qubits 0, 1 (operation 3): not a Clifford gate" in str(listed)


def test_constant_angles_cost_no_circuits():
    circuit = Circuit(1, (rotation("Y", 0, 0), rotation("Z", 0, 0.3), rotation("X", 0, 1)), (Z,))
    cost = CircuitCost(transfer(circuit), shots=20000, generator=torch.Generator().manual_seed(0))
    theta = torch.tensor([0.4, 0.9], dtype=torch.float64)
    assert (cost.gradient(theta) - transfer(circuit).cost_and_gradient(theta)[1]).abs().max() < 0.03
    assert (cost.per_gradient, cost.circuits) == (4, 4)
