"""Points one by one, in windows of two qubits, against batches, whose rotations are planes, and the density matrix."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from parasym.circuits import (
    Circuit,
    NoiseModel,
    PauliSum,
    Tableau,
    Transfer,
    amplitude_damping,
    gate,
    ising_ring,
    layered,
    rotation,
    transfer,
    with_noise,
)
from parasym.circuits.fuse import Block, fuse
from parasym.circuits.point import PointSimulator, Reorder
from parasym.circuits.window import Window, windows_of
from tests.circuits.random_circuit import dice, random_circuit, random_kraus

MODULE = sys.modules["parasym.circuits.transfer"]
POINT = sys.modules["parasym.circuits.point"]


def scattered(seed: int, n: int) -> Circuit:
    """Rotations about words of any weight, gates on far qubits, a block of three, channels that are not Pauli."""
    rng = dice(seed)
    circuit = random_circuit(seed, n=n, count=24)
    operations = list(circuit.operations)
    if n >= 3:
        where = tuple(rng.choice(n, 3, replace=False).tolist())
        shuffle = Tableau(where, ("+IXI", "+IIX", "+XII"), ("+IZI", "+IIZ", "+ZII"))
        operations.insert(int(rng.integers(len(operations))), shuffle)
    for _ in range(4):
        operations.insert(int(rng.integers(len(operations) + 1)), random_kraus(rng, int(rng.integers(n))))
    return replace(circuit, operations=tuple(operations), observables=circuit.observables[:1])


def points(circuit: Circuit, count: int) -> torch.Tensor:
    return 3 * torch.randn(count, circuit.num_parameters, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def both(monkeypatch: pytest.MonkeyPatch, circuit: Circuit, theta: torch.Tensor) -> list[list[torch.Tensor]]:
    """Cost, gradient and words, one by one and together."""
    out = []
    for few, small in ((99, 0), (0, 99)):
        monkeypatch.setattr(MODULE, "FEW", few)
        monkeypatch.setattr(MODULE, "SMALL", small)
        simulator = transfer(circuit)
        found = [simulator.cost(theta), *simulator.cost_and_gradient(theta), *simulator.adjoint(simulator.angles(theta))]
        if isinstance(circuit.observable, PauliSum):
            found.append(simulator.terms(simulator.angles(theta)))
        out.append(found)
    return out


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("seed", range(6))
def test_one_by_one_is_together(monkeypatch: pytest.MonkeyPatch, seed: int, n: int):
    circuit = scattered(10 * n + seed, n)
    apart, together = both(monkeypatch, circuit, points(circuit, 3))
    assert all((a - b).abs().max() < 1e-12 for a, b in zip(apart, together, strict=True))


@pytest.mark.parametrize("rotations", ["Y", "YZ", "ZXZ"])
@pytest.mark.parametrize("entangler", ["cx", "cz"])
def test_layered_circuits(monkeypatch: pytest.MonkeyPatch, rotations: str, entangler: str):
    bare = layered(4, 3, rotations=rotations, entangler=entangler, final=True, observables=(ising_ring(4),))  # pyright: ignore
    circuit = with_noise(bare, NoiseModel(after_many=(amplitude_damping(0.1, 0),)))
    apart, together = both(monkeypatch, circuit, points(circuit, 2))
    assert all((a - b).abs().max() < 1e-13 for a, b in zip(apart, together, strict=True))
    assert apart[2].abs().max() > 0.1


@pytest.mark.parametrize("fault", ["a gate forgotten", "windows swapped", "qubits not brought back", "factors not undone"])
def test_planted_faults_are_seen(monkeypatch: pytest.MonkeyPatch, fault: str):
    circuit = with_noise(
        layered(3, 3, final=True, observables=(ising_ring(3),)), NoiseModel(after_many=(amplitude_damping(0.1, 0),))
    )
    theta = points(circuit, 1)
    value, gradient = transfer(circuit).cost_and_gradient(theta)
    if fault == "a gate forgotten":
        bare = lambda w: replace(w, parts=tuple(part for part in w.parts if not isinstance(part, Block)))  # noqa: E731
        monkeypatch.setattr(POINT, "windows_of", lambda steps: (bare(windows_of(steps)[0]), *windows_of(steps)[1:]))
    elif fault == "windows swapped":
        monkeypatch.setattr(POINT, "windows_of", lambda steps: tuple(windows_of(steps)[k] for k in (1, 0, 2, 3, 4, 5)))
    elif fault == "qubits not brought back":
        monkeypatch.setattr(POINT.Reorder, "of", staticmethod(lambda old, new: Reorder((4 ** len(old),), (0,), (4 ** len(old),))))
    else:
        monkeypatch.setattr(sys.modules["parasym.circuits.product"], "_transposed", lambda matrices: matrices)
    wrong_value, wrong_gradient = transfer(circuit).cost_and_gradient(theta)
    assert (gradient - wrong_gradient).abs().max() > 1e-3
    assert ((value - wrong_value).abs() > 1e-3) == (fault != "factors not undone")


@pytest.mark.parametrize("n", [3, 4])
def test_large_products_are_cut_without_a_trace(monkeypatch: pytest.MonkeyPatch, n: int):
    circuit = scattered(50 + n, n)
    simulator, theta = transfer(circuit), points(circuit, 2)
    whole = simulator.cost_and_gradient(theta)
    cuts = []
    right = POINT.np.matmul
    monkeypatch.setattr(POINT, "ALONE", 4**6)  # 16 columns of a window, one of a block on three qubits
    monkeypatch.setattr(POINT.np, "matmul", lambda *args, **kwargs: cuts.append(1) or right(*args, **kwargs))
    cut = simulator.cost_and_gradient(theta)
    assert all((a - b).abs().max() < 1e-13 for a, b in zip(whole, cut, strict=True))
    assert bool(cuts) == (n == 4)


def test_windows_take_in_what_nothing_came_behind():
    layer = [rotation("Y", q, q) for q in range(4)] + [gate("cx", q, q + 1) for q in range(3)]
    closing = [rotation("Z", q, 4 + q) for q in range(4)]
    windows = windows_of(fuse((*layer, *closing)))
    assert [window.qubits for window in windows] == [(0, 1), (1, 2), (2, 3)]
    assert [len(window.parts) for window in windows] == [4, 3, 4]


def test_windows_keep_their_order():
    """Qubit 0 alone, then with 1, then 1 with 2: a further rotation of 1 must not go back to the first window."""
    steps = fuse((rotation("X", 0, 0), gate("cx", 0, 1), gate("cx", 1, 2), rotation("Y", 1, 1), rotation("Z", 0, 2)))
    first, second = windows_of(steps)
    assert [part[0] for part in first.parts if not isinstance(part, Block)] == [0, 2]
    assert [part[0] for part in second.parts if not isinstance(part, Block)] == [1]


def test_wide_rotations_and_blocks_stand_alone():
    steps = fuse((rotation("Y", 1, 0), rotation("XYZ", (0, 1, 2), 1), rotation("Y", 1, 2)))
    assert [window.qubits for window in windows_of(steps)] == [(1,), (0, 1, 2), (1,)]
    assert all(isinstance(window, Window) and len(window.parts) == 1 for window in windows_of(steps))


def test_a_circuit_without_rotations():
    """Its parameters are data that it does not use."""
    circuit = Circuit(2, (gate("h", 0), gate("cx", 0, 1)), (PauliSum.from_labels({"XX": 1.0}),), frozen=(0,))
    value, gradient = transfer(circuit).cost_and_gradient(torch.zeros(1))
    assert float(value) == pytest.approx(1.0, abs=1e-15)
    assert gradient.tolist() == [0.0]


def test_nothing_is_written_to_what_was_given():
    circuit = scattered(3, 3)
    simulator, theta = transfer(circuit), points(circuit, 2)
    copy, angles = theta.clone(), simulator.angles(theta)
    before = angles.clone()
    first = simulator.cost_and_gradient(theta)
    second = simulator.cost_and_gradient(theta)
    simulator.adjoint(angles)
    assert torch.equal(theta, copy)
    assert torch.equal(angles, before)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_no_points_and_many_axes_of_them():
    simulator = transfer(layered(5, 1, observables=(ising_ring(5),)))
    assert isinstance(simulator, Transfer)
    assert simulator.cost(torch.zeros(0, 5)).shape == (0,)
    value, gradient = simulator.cost_and_gradient(torch.zeros(2, 1, 3, 5))
    assert (value.shape, gradient.shape) == ((2, 1, 3), (2, 1, 3, 5))
    assert simulator.terms(torch.zeros(2, 2, 5)).shape == (2, 2, 10)
    assert simulator.terms(torch.zeros(0, 5)).shape == (0, 10)


def test_qubits_that_never_meet(monkeypatch: pytest.MonkeyPatch):
    """Windows on one qubit, the last one too, are read as windows on two."""
    operations = (*(rotation("Y", q, q) for q in range(3)), *(amplitude_damping(0.1, q) for q in range(3)), rotation("X", 2, 3))
    circuit = Circuit(3, operations, (PauliSum.from_labels({"ZIZ": 1.0, "IIY": 0.5, "IXZ": 0.3}),))
    apart, together = both(monkeypatch, circuit, points(circuit, 2))
    assert all((a - b).abs().max() < 1e-13 for a, b in zip(apart, together, strict=True))


def test_numbers_come_without_a_graph_unless_the_cost_is_asked_for_one():
    circuit = scattered(31, 3)
    theta = points(circuit, 20).requires_grad_()
    for some in (theta, theta[:1]):
        assert not any(found.requires_grad for found in transfer(circuit).cost_and_gradient(some))
        assert transfer(circuit).cost(some).requires_grad


def test_reordered_qubits():
    state = np.arange(64.0)
    out = np.empty(64)
    Reorder.of((0, 1, 2), (2, 0, 1))(state, out)
    assert np.array_equal(out, state.reshape(4, 4, 4).transpose(2, 0, 1).ravel())
    assert isinstance(PointSimulator((rotation("Y", 0, 0),), 1, np.ones(4), np.ones(4)).cost(np.zeros(1)), float)


@pytest.mark.parametrize("side", [4, 16])
@pytest.mark.parametrize("longer", [1, 2, 8])
def test_parts_of_a_long_state_are_multiplied_as_the_whole(side: int, longer: int):
    columns = longer * (POINT.ALONE // side**2)
    rng = dice(side + longer)
    matrix, rows, others = rng.normal(size=(side, side)), rng.normal(size=(side, columns)), rng.normal(size=(side, columns))
    out = np.full_like(rows, np.nan)
    POINT._multiply(matrix, rows, out)
    np.testing.assert_allclose(out, matrix @ rows, atol=1e-12)
    np.testing.assert_allclose(POINT._outer(rows, others), rows @ others.T, rtol=1e-9, atol=1e-7)


def test_an_operation_passes_what_is_on_other_qubits_and_joins_the_last_that_it_meets():
    first, last = gate("cx", 0, 1), amplitude_damping(0.1, 0)
    assert [step.qubits for step in fuse((first, rotation("Y", 2, 0), last))] == [(0, 1), (2,)]
    assert [step.qubits for step in fuse((first, rotation("Y", 0, 0), last))] == [(0, 1), (0,), (0,)]
    assert [step.qubits for step in fuse((first, gate("cx", 1, 2), last))] == [(0, 1), (1, 2)]
