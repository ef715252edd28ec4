"""Circuits that the tests of the command line name as `circuits.py:name`."""

import torch

from parasym.circuits import PauliSum, gate, ising_ring, layered

circuit = layered(3, 2, final=True, observables=(ising_ring(3),))


def factory():
    return circuit


def constant():
    from parasym.circuits import Circuit

    return Circuit(1, (gate("h", 0),), (PauliSum.from_labels({"Z": 1.0}),))


def qnode():
    import pennylane as qml

    @qml.qnode(qml.device("default.qubit", wires=2))
    def cost(w):
        qml.RY(w[0], wires=0)
        qml.CNOT(wires=[0, 1])
        qml.RY(w[1], wires=1)
        return qml.expval(qml.Z(1))

    return cost


def lossy():
    from parasym.circuits import Channel, Circuit, rotation

    return Circuit(1, (rotation("Y", 0, 0), Channel((0,), (((1, 0), (0, 0.5)),), "half")), (PauliSum.from_labels({"Z": 1.0}),))


def misplaced():
    from parasym.circuits import Circuit, rotation

    return Circuit(1, (rotation("Y", 0, 0),), (PauliSum.from_labels({"IZ": 1.0}),))


def broken(kind: str):
    import pennylane as qml

    @qml.qnode(qml.device("default.mixed", wires=2))
    def cost(w):
        qml.RY(w[0], wires=0)
        if kind == "measured":
            qml.measure(0)
        if kind == "lossy":
            qml.QubitChannel([qml.numpy.array([[1, 0], [0, 0.5]])], wires=0)
        qml.RY(w[1], wires=1)
        return qml.expval(qml.Z(5 if kind == "misplaced" else 1))

    return cost


def measured_qnode():
    return broken("measured")


def lossy_qnode():
    return broken("lossy")


def misplaced_qnode():
    return broken("misplaced")


def unread():
    from parasym.circuits import Circuit, Opaque, rotation

    return Circuit(2, (rotation("Y", 0, 0), Opaque("magic", (1,))), (PauliSum.from_labels({"ZI": 1.0}),))


def network():
    return torch.nn.Linear(2, 2)
