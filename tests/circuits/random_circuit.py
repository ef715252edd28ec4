"""Random circuits of every kind of operation, states and observables."""

import math

import numpy as np
import torch

from parasym.circuits import (
    Angle,
    Channel,
    Circuit,
    Clifford,
    Pauli,
    PauliSum,
    ProductState,
    StabilizerProjector,
    StabilizerState,
    Unitary,
    ZeroState,
    angle_group,
    controlled_rotation,
    rotation,
)
from parasym.circuits._table import CLIFFORDS
from parasym.circuits.operation import matrix_of


def dice(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def random_label(rng, n: int, weight: int | None = None) -> str:
    weight = weight or int(rng.integers(1, n + 1))
    where = set(rng.choice(n, weight, replace=False).tolist())
    return "".join(rng.choice(list("XYZ")) if q in where else "I" for q in range(n))


def random_operations(rng, n: int, count: int, parameters: int) -> list:
    """Rotations with plain, shared, scaled, offset, summed and constant angles, controlled rotations, Cliffords, fixed gates."""
    out = []
    for _ in range(count):
        kind = rng.choice(["rotation", "affine", "sum", "constant", "controlled", "clifford", "clifford", "fixed"])
        j = int(rng.integers(parameters))
        label, everything = random_label(rng, n), tuple(range(n))
        if kind == "rotation":
            out.append(rotation(label, everything, j))
        elif kind == "affine":
            m, o = rng.choice([-1.0, 0.5, 2.0, 3.0, 1 / 3]), rng.choice([0.0, 0.7, math.pi / 2, -math.pi])
            out.append(rotation(label, everything, Angle(((j, m),), o)))
        elif kind == "sum":
            out.append(rotation(label, everything, Angle(((j, 1.0), (int(rng.integers(parameters)), -1.0)), 0.0)))
        elif kind == "constant":
            out.append(rotation(label, everything, float(rng.choice([0.4, math.pi / 2, math.pi, -math.pi / 2]))))
        elif kind == "controlled" and n > 1:
            c, t = rng.choice(n, 2, replace=False).tolist()
            out += controlled_rotation(str(rng.choice(list("XYZ"))), c, t, j)
        elif kind == "clifford":
            names = [name for name, images in CLIFFORDS.items() if len(images[0]) <= n]
            name = str(rng.choice(names))
            out.append(Clifford(name, tuple(rng.choice(n, len(CLIFFORDS[name][0]), replace=False).tolist())))
        elif kind == "fixed" and rng.random() < 0.5:
            out.append(Unitary((int(rng.integers(n)),), matrix_of(np.diag([1, np.exp(0.25j * math.pi)])), "t"))
    return out


def random_observable(rng, n: int):
    if rng.random() < 0.7:
        return PauliSum.from_labels({random_label(rng, n): float(rng.normal()) for _ in range(int(rng.integers(1, 4)))})
    q = int(rng.integers(n))
    return StabilizerProjector.from_labels("".join("Z" if k == q else "I" for k in range(n)))


def random_initial(rng, n: int):
    kind = rng.choice(["zero", "zero", "product", "bell"])
    if kind == "product":
        vectors = rng.normal(size=(n, 3)) * rng.choice([0.0, 1.0], size=(n, 3), p=[0.6, 0.4])
        vectors[:, 2] += 0.1
        return ProductState(tuple(tuple(v / np.linalg.norm(v) * rng.choice([1.0, 0.8])) for v in vectors))
    if kind == "bell" and n > 1:
        rest = ["".join("Y" if k == q else "I" for k in range(n)) for q in range(2, n)]
        return StabilizerState(("+XX" + "I" * (n - 2), "-ZZ" + "I" * (n - 2), *rest))
    return ZeroState()


def random_circuit(seed: int, *, n: int = 3, count: int = 14, parameters: int = 6) -> Circuit:
    rng = dice(seed)
    operations = random_operations(rng, n, count, parameters)
    frozen = (0,) if rng.random() < 0.3 else ()
    observables = tuple(random_observable(rng, n) for _ in range(int(rng.integers(1, 3))))
    return Circuit(n, tuple(operations), observables, random_initial(rng, n), frozen, (("angles", (parameters,)),))


def random_pauli_channel(rng, qubits: tuple[int, ...]) -> Channel:
    from parasym.circuits import pauli_channel

    labels = {random_label(rng, len(qubits)): float(p) for p in rng.random(3) * 0.15}
    return pauli_channel(labels, *qubits)


def random_kraus(rng, q: int) -> Channel:
    """A random channel on one qubit, not Pauli, not unital."""
    big = rng.normal(size=(4, 2)) + 1j * rng.normal(size=(4, 2))
    isometry = np.linalg.qr(big)[0]
    return Channel((q,), (matrix_of(isometry[:2]), matrix_of(isometry[2:])), "random")


def sprinkled(circuit: Circuit, rng, maker, *, every: float = 0.5) -> Circuit:
    """The circuit with channels at random places."""
    from dataclasses import replace

    operations = []
    for op in circuit.operations:
        operations.append(op)
        if rng.random() < every:
            operations.append(maker(rng))
    return replace(circuit, operations=tuple(operations))


def random_angles(circuit: Circuit, seed: int, batch: tuple[int, ...] = ()) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(*batch, circuit.num_parameters, generator=generator, dtype=torch.float64) * 2 - 1) * math.pi


def orbit_error(circuit: Circuit, symmetry, seed: int) -> float:
    """Largest change of an expectation value over the generators and random elements, at a random point."""
    from parasym.circuits.simulate import expectations

    theta = random_angles(circuit, seed)
    generator = torch.Generator().manual_seed(seed)
    if not symmetry.factors:
        return 0.0
    group = angle_group(symmetry)
    elements = [group.element(1 << k) for k in range(group.rank)]
    elements += list(group.sample((4,), generator=generator, dtype=torch.float64))
    moved = torch.stack([group.act(g, theta, 0) for g in elements])
    return float((expectations(circuit, moved) - expectations(circuit, theta)).abs().max())


def letter(q: int, n: int, name: str = "Z") -> Pauli:
    return Pauli.from_label("".join(name if k == q else "I" for k in range(n)))
