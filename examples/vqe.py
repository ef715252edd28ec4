# %% [markdown]
# # A VQE of your own, with three lines added
#
# The ground state of an Ising ring on a device with amplitude damping. Without noise every minimum has thousands of copies; the
# noise makes some of them better than others. Three lines let the optimizer hop to the better ones.

# %%
import sys

import pennylane as qml
from pennylane import numpy as pnp

from parasym.hopping import HoppingOptimizer, noisy_orbit  # 1

NUM_QUBITS, LAYERS, GAMMA = 3, 2, 0.05
H = qml.Hamiltonian(
    [-1.0] * (2 * NUM_QUBITS),
    [qml.Z(q) @ qml.Z((q + 1) % NUM_QUBITS) for q in range(NUM_QUBITS)] + [qml.X(q) for q in range(NUM_QUBITS)],
)


@qml.qnode(qml.device("default.mixed", wires=NUM_QUBITS))
def qnode(weights):
    for layer in weights[:-1]:
        for q in range(NUM_QUBITS):
            qml.RY(layer[q], wires=q)
        for q in range(NUM_QUBITS - 1):
            qml.CNOT(wires=[q, q + 1])
            qml.AmplitudeDamping(GAMMA, wires=q)
            qml.AmplitudeDamping(GAMMA, wires=q + 1)
    for q in range(NUM_QUBITS):
        qml.RY(weights[-1][q], wires=q)
    return qml.expval(H)


start = pnp.array(pnp.random.default_rng(1).uniform(-3, 3, (LAYERS + 1, NUM_QUBITS)), requires_grad=True)
example_inputs = (start,)  # for `parasym hop examples/vqe.py:qnode`


def train(optimizer, steps):
    weights = start
    for _ in range(steps):
        weights = optimizer.step(qnode, weights)
    return float(qnode(weights))


# %% [markdown]
# The orbit is found from the circuit; the optimizer that you have is wrapped. The rest stays as it was.

# %%
if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 90
    optimizer = qml.AdamOptimizer(0.1)
    orbit = noisy_orbit(qnode, (start,))  # 2
    optimizer = HoppingOptimizer(optimizer, orbit, every=steps // 3)  # 3
    hopped = train(optimizer, steps)

    for k, made in enumerate(optimizer.history):
        where = f"from {made.before:.4f} to {made.after:.4f}" if made.moved else "found nothing better"
        print(f"hop {k}: {where}, {made.evaluations} circuits of {orbit.cosets.order} levels")
    print(f"energy with hops {hopped:.4f}, without {train(qml.AdamOptimizer(0.1), steps):.4f}")
