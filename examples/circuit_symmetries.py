# %% [markdown]
# # The symmetries of your PennyLane circuit
#
# A variational circuit has exponentially many copies of each minimum. Which sign flips and half turns of its angles leave the
# cost unchanged? Which of them survive the noise of a device?

# %%
import pennylane as qml
from pennylane import numpy as pnp

import parasym
from parasym.circuits import NoiseModel, amplitude_damping

NUM_QUBITS, LAYERS = 4, 3
H = qml.Hamiltonian(
    [-1.0] * NUM_QUBITS + [-1.0] * NUM_QUBITS,
    [qml.Z(q) @ qml.Z((q + 1) % NUM_QUBITS) for q in range(NUM_QUBITS)] + [qml.X(q) for q in range(NUM_QUBITS)],
)


@qml.qnode(qml.device("default.qubit", wires=NUM_QUBITS))
def qnode(weights):
    for layer in weights[:-1]:
        for q in range(NUM_QUBITS):
            qml.RY(layer[q], wires=q)
        for q in range(NUM_QUBITS - 1):
            qml.CNOT(wires=[q, q + 1])
    for q in range(NUM_QUBITS):
        qml.RY(weights[-1][q], wires=q)
    return qml.expval(H)


weights = pnp.random.default_rng(0).uniform(-3, 3, (LAYERS + 1, NUM_QUBITS))
example_inputs = (weights,)  # for `parasym find examples/circuit_symmetries.py:qnode`

# %% [markdown]
# The group is found without running the circuit; `verify` runs it.

# %%
if __name__ == "__main__":
    symmetry = parasym.find(qnode, (weights,))
    print(symmetry)
    print(parasym.verify(qnode, symmetry, (weights,)))

    # %% [markdown]
    # Amplitude damping after every CNOT leaves little of it. What it lifts is worth comparing: one point per coset.

    # %%
    noise = NoiseModel(after_many=(amplitude_damping(0.02, 0),))
    surviving = parasym.find(qnode, (weights,), noise=noise)
    print(f"{symmetry.order} equivalent points, {symmetry.cosets(surviving).order} different levels under amplitude damping")
