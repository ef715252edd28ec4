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


def network():
    return torch.nn.Linear(2, 2)
