"""The simulator of noisy circuits beside PennyLane's ``default.mixed``, in one run: cost, and cost with its gradient.

One point after the other, as an optimizer asks for them. Calls are timed together, since a single one of ours is shorter
than the clock is fine, and then per call.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from benchmarks.measure import Row, side_by_side
from parasym.circuits import NoiseModel, amplitude_damping, ising_ring, layered, transfer, with_noise

OURS, MANY, THEIRS = "parasym, one point", "parasym, 64 points, per point", "PennyLane default.mixed"
GAMMA = 0.02


@dataclass(frozen=True)
class Task:
    """What to measure.

    Attributes:
        sizes: Qubits and layers of the circuits: Ry and CX, amplitude damping on both qubits after every CX, an Ising ring.
        calls: Points in a row of every repetition.
        n: Repetitions after one run to warm up.
        limit: Seconds that each run may take.
    """

    sizes: tuple[tuple[int, int], ...] = ((4, 4), (6, 3))
    calls: int = 20
    n: int = 5
    limit: float | None = 60.0


TINY = Task(sizes=((2, 1),), calls=2, n=1, limit=None)


def run(task: Task) -> list[Row]:
    """Return times; costs must agree to 1e-10 and gradients to 1e-8."""
    rows: list[Row] = []
    for qubits, layers in task.sizes:
        bare = layered(qubits, layers, final=True, observables=(ising_ring(qubits),))
        circuit = with_noise(bare, NoiseModel(after_many=(amplitude_damping(GAMMA, 0),)))
        simulator = transfer(circuit)
        points = 3 * torch.randn(64, circuit.num_parameters, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        case = f"{qubits} qubits, {circuit.num_parameters} parameters, {2 * layers * (qubits - 1)} channels"
        costs: dict[str, Callable[[Any], object]] = {OURS: simulator.cost}
        gradients: dict[str, Callable[[Any], object]] = {OURS: simulator.cost_and_gradient}
        theirs = _pennylane(qubits, layers)
        if theirs is not None:
            value, gradient = theirs
            x = points[0].numpy()
            assert abs(float(value(x)) - float(simulator.cost(points[0]))) < 1e-10, "the two do not agree"
            assert np.abs(gradient(x) - simulator.cost_and_gradient(points[0])[1].numpy()).max() < 1e-8, "gradients do not agree"
            costs[THEIRS] = lambda x, v=value: v(x.numpy())
            gradients[THEIRS] = lambda x, g=gradient: g(x.numpy())
        rows += _one_by_one(f"{case}: cost", costs, points, task)
        rows += _one_by_one(f"{case}: cost and gradient", gradients, points, task)
        batch = {MANY: lambda s=simulator, x=points: s.cost_and_gradient(x)}
        (row,) = side_by_side(f"{case}: cost and gradient", batch, n=task.n, limit=task.limit)
        rows.append(_divided(replace(row, ratio=None), len(points)))
    return rows


def _one_by_one(case: str, contenders: Mapping[str, Callable[[Any], object]], points: torch.Tensor, task: Task) -> list[Row]:
    """Return the times of one call, each measured over several in a row."""
    chosen = points[: task.calls].unbind()
    loops = {name: lambda f=f: [f(x) for x in chosen] for name, f in contenders.items()}
    return [_divided(row, len(chosen)) for row in side_by_side(case, loops, n=task.n, limit=task.limit)]


def _divided(row: Row, count: int) -> Row:
    return replace(row, values=tuple(v / count for v in row.values))


def _pennylane(qubits: int, layers: int) -> tuple[Any, Any] | None:
    """Return cost and gradient by backpropagation, or nothing where PennyLane is not installed."""
    try:
        import pennylane as qml
    except ImportError:
        return None
    h = ising_ring(qubits)
    observable = qml.Hamiltonian([c for c, _ in h.terms], [qml.pauli.string_to_pauli_word(p.label(qubits)) for _, p in h.terms])

    @qml.qnode(qml.device("default.mixed", wires=qubits), diff_method="backprop")
    def node(x):
        for layer in range(layers + 1):
            for q in range(qubits):
                qml.RY(x[layer * qubits + q], wires=q)
            for q in range(qubits - 1) if layer < layers else ():
                qml.CNOT(wires=[q, q + 1])
                qml.AmplitudeDamping(GAMMA, wires=q)
                qml.AmplitudeDamping(GAMMA, wires=q + 1)
        return qml.expval(observable)

    gradient = qml.grad(node)
    return node, lambda x: gradient(qml.numpy.array(x, requires_grad=True))
