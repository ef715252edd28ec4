"""Minima hopping under noise: settings, tasks, and what one task measures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from parasym.circuits import find_circuit, transfer
from parasym.core import BadInputError
from parasym.hopping import OrbitPoints
from parasym.hopping.random_elements import draw
from parasym.studies.row import Record
from parasym.studies.study import Study
from parasym.studies.symh_adam import AdamRun, Outcome
from parasym.studies.symh_circuit import CHANNELS, Problem, degenerate_circuit, random_starts, with_steps_of_noise
from parasym.studies.symh_descent import descend
from parasym.studies.symh_summary import summarize_symh
from parasym.studies.task import AbstractTask

ADAM = ("none", "decode", "random", "greedy", "scatter", "restarts")
LBFGS = ("none", "decode", "decode-late", "random-late", "greedy-late", "scatter", "restarts")
QUANTILES = 65


@dataclass(frozen=True)
class SymhTask(AbstractTask):
    """Some random starts of one optimizer on one noisy circuit, each with every method; or the degenerate points of a circuit.

    Attributes:
        ring: ``ising`` or ``heisenberg``; ``degeneracy`` for the points of an orbit.
        qubits: Number of qubits.
        layers: Layers of the ansatz.
        ansatz: Name of the ansatz.
        gamma: Strength of the noise.
        shots: Shots per Pauli word; ``None`` for exact values.
        optimizer: ``adam`` or ``lbfgs``.
        first: Seed of the first start.
        count: How many starts.
        steps: The budget: as many circuits as so many gradients by the shift rule have.
        blocks: For Adam: hops come between so many blocks.
        rate: Learning rate of Adam.
    """

    ring: str
    qubits: int
    layers: int
    ansatz: str
    gamma: float
    shots: int | None
    optimizer: str
    first: int
    count: int
    steps: int
    blocks: int
    rate: float

    @property
    def seed(self) -> int:
        """The seed of the first start."""
        return self.first

    @property
    def data_key(self) -> None:
        """There is no data."""
        return

    @property
    def architecture(self) -> str:
        """The circuit in a word."""
        return f"{self.ring}-{self.qubits}-{self.ansatz}"

    @property
    def data(self) -> str:
        """The noise in a few words."""
        return f"gamma {self.gamma:g}"

    @property
    def variant(self) -> str:
        """The optimizer and the shots."""
        return f"{self.optimizer}, {'exact' if self.shots is None else f'{self.shots} shots'}"


@dataclass(frozen=True)
class SymhSettings:
    """Tasks that differ in noise and shots only.

    Attributes:
        architecture: Ring, number of qubits and ansatz, as in ``ising-4-ry-cx``; or ``degeneracy-4-ry-cx``.
        layers: Layers of the ansatz.
        gammas: Strengths of the noise.
        shots: Shots per Pauli word; 0 stands for exact values.
        optimizer: ``adam`` or ``lbfgs``.
        seeds: How many starts.
        chunk: Starts per task: what is lost if a run is stopped.
        steps: The budget, in gradients.
        blocks: For Adam: hops come between so many blocks.
        rate: Learning rate of Adam.
    """

    architecture: str
    layers: int
    gammas: tuple[float, ...]
    shots: tuple[int, ...] = (0,)
    optimizer: str = "adam"
    seeds: int = 20
    chunk: int = 20
    steps: int = 180
    blocks: int = 3
    rate: float = 0.1


def symh_tasks(settings: SymhSettings) -> tuple[SymhTask, ...]:
    """Return the tasks of one entry.

    Args:
        settings: The entry.

    Raises:
        BadInputError: If a name is unknown, or a number makes no sense.
    """
    ring, qubits, ansatz = settings.architecture.split("-", 2)
    if settings.optimizer not in {"adam", "lbfgs"}:
        raise BadInputError(f"Optimizer `{settings.optimizer}` is unknown. Known are adam, lbfgs.")
    if min(settings.seeds, settings.chunk, settings.steps, settings.blocks, settings.layers) < 1:
        raise BadInputError("Study `symh` needs at least one seed, step, block and layer, and chunks of at least one.")
    if min(settings.shots, default=0) < 0:
        raise BadInputError(f"The number of shots must be at least 1, or 0 for exact values, but is {min(settings.shots)}.")
    if ring != "degeneracy":
        Problem(ring, int(qubits), settings.layers, ansatz, 0.0).check()
    return tuple(
        SymhTask(
            ring,
            int(qubits),
            settings.layers,
            ansatz,
            gamma,
            shots or None,
            settings.optimizer,
            first,
            min(settings.chunk, settings.seeds - first),
            settings.steps,
            settings.blocks,
            settings.rate,
        )
        for gamma in settings.gammas
        for shots in settings.shots
        for first in range(0, settings.seeds, settings.chunk)
    )


def run_symh(task: SymhTask, data: None, device: str) -> Sequence[Record]:
    """Return one record for every method and start.

    Args:
        task: The task.
        data: There is none.
        device: Circuits are small: the processor is used in any case.

    Returns:
        Records with the excess energy at the end, circuits, and the curve.
    """
    if task.ring == "degeneracy":
        return [record for k in range(task.count) for record in degenerate_records(task, task.first + k)]
    problem = Problem(task.ring, task.qubits, task.layers, task.ansatz, task.gamma)
    orbit, ground = problem.orbit(), problem.ground_energy()
    simulator = transfer(orbit.circuit)
    records: list[Record] = []
    for method in ADAM if task.optimizer == "adam" else LBFGS:
        if task.optimizer == "adam":
            run = AdamRun(
                simulator,
                orbit,
                shots=task.shots,
                first=task.first,
                count=task.count,
                steps=task.steps,
                blocks=task.blocks,
                rate=task.rate,
            )
            found = run.run(method)
        else:
            budget = task.steps * 2 * len(simulator.rotations)
            seeds = range(task.first, task.first + task.count)
            found = [descend(method, simulator, orbit, shots=task.shots, seed=seed, budget=budget) for seed in seeds]
        records += [_record(method, task.first + k, outcome, ground) for k, outcome in enumerate(found)]
    return records


def _record(method: str, seed: int, outcome: Outcome, ground: float) -> Record:
    excess = outcome.cost - ground
    return {
        "method": method,
        "diverged": not np.isfinite(excess),
        "seed": seed,
        "excess": excess,
        "circuits": float(outcome.circuits),
        "hops": outcome.hops,
        "curve": [value - ground for value in outcome.curve],
    }


def degenerate_records(task: SymhTask, seed: int) -> list[Record]:
    """Train a circuit without noise, and return the fidelities at its degenerate points under every noise.

    Args:
        task: The task; its budget and rate are those of the training.
        seed: Of target and start.

    Returns:
        One record for every noise.
    """
    circuit = degenerate_circuit(task.layers, seed)
    symmetry, simulator = find_circuit(circuit), transfer(circuit)
    theta = random_starts(8, circuit.num_parameters, seed=1000 * seed, label="degeneracy")
    theta.requires_grad_(True)
    optimizer = torch.optim.Adam([theta], lr=task.rate)
    for _ in range(task.steps):
        optimizer.zero_grad()
        loss = -simulator.cost(theta).sum()
        loss.backward()
        optimizer.step()
    best = theta.detach()[simulator.cost(theta.detach()).argmax()]
    points = OrbitPoints(symmetry, lambda _: 0.0, best)
    coordinates = draw(4095, points.rank, generator=torch.Generator().manual_seed(seed))
    orbit = points.at(torch.cat([points.start[None], coordinates]))
    records: list[Record] = []
    for name, channel in (("without noise", None), *CHANNELS.items()):
        noisy = circuit if channel is None else with_steps_of_noise(circuit, channel(task.gamma, 0))
        values = transfer(noisy).cost(orbit)
        records.append(_levels(name, seed, values.numpy(), symmetry.order))
    return records


def _levels(name: str, seed: int, values: np.ndarray, order: int) -> Record:
    ordered = np.sort(values)
    return {
        "method": name,
        "diverged": False,
        "seed": seed,
        "spread": float(ordered[-1] - ordered[0]),
        "lowest": float(ordered[0]),
        "median": float(np.median(ordered)),
        "highest": float(ordered[-1]),
        "levels": float(1 + (np.diff(ordered) > 1e-12).sum()),
        "points": len(values),
        "order": order,
        "curve": np.quantile(ordered, np.linspace(0, 1, QUANTILES)).tolist(),
    }


GAMMAS = (0.005, 0.02, 0.05)
FOUR = tuple(f"{ring}-4-{ansatz}" for ring in ("ising", "heisenberg") for ansatz in ("ry-cx", "ryrz-cz"))
SIX = tuple(name.replace("-4-", "-6-") for name in FOUR)

SYMH = Study(
    name="symh",
    title="Minima hopping under noise",
    version=1,
    paper="Fontana, Cerezo, Arrasmith, Rungger, Coles. Non-trivial symmetries in quantum landscapes and their resilience to "
    "quantum noise. Quantum 6, 804, 2022",
    presets={
        "tiny": (
            SymhSettings("degeneracy-4-ry-cx", 2, (0.01,), seeds=1, steps=20),
            SymhSettings("ising-3-ry-cx", 2, (0.02,), (0, 100), seeds=3, steps=12),
            SymhSettings("ising-3-ry-cx", 2, (0.02,), optimizer="lbfgs", seeds=2, steps=25),
        ),
        "small": (
            SymhSettings("degeneracy-4-ry-cx", 4, (0.01,), seeds=20, steps=300),
            SymhSettings("ising-4-ry-cx", 4, GAMMAS),
            SymhSettings("ising-4-ry-cx", 4, (0.02,), optimizer="lbfgs", steps=250),
            SymhSettings("ising-4-ry-cx", 4, (0.02,), (100, 1000, 10000)),
            SymhSettings("heisenberg-4-ry-cx", 4, GAMMAS),
            SymhSettings("ising-4-ryrz-cz", 4, (0.02,)),
            SymhSettings("ising-6-ry-cx", 3, (0.02,)),
            SymhSettings("heisenberg-4-ry-cx", 4, (0.02,), (1000,)),
            SymhSettings("ising-4-ry-cx", 4, (0.05, 0.005), optimizer="lbfgs", steps=250),
            SymhSettings("heisenberg-4-ryrz-cz", 4, (0.02,)),
            SymhSettings("heisenberg-6-ry-cx", 3, (0.02,)),
            SymhSettings("ising-4-ry-cx", 4, (0.02,), (1000,), optimizer="lbfgs", steps=250),
            *(SymhSettings(name, 4, (0.005, 0.05)) for name in FOUR[1::2]),
            *(SymhSettings(name, 3, (0.02,)) for name in SIX[1::2]),
        ),
        "paper": (
            SymhSettings("degeneracy-4-ry-cx", 4, (0.01,), seeds=20, chunk=5, steps=300),
            *(SymhSettings(name, 4, GAMMAS, (0, 100, 1000, 10000)) for name in FOUR),
            *(SymhSettings(name, 4, GAMMAS, (0, 100, 1000, 10000), optimizer="lbfgs", steps=250, chunk=5) for name in FOUR),
            *(SymhSettings(name, 3, GAMMAS, (0, 100, 1000, 10000), chunk=5) for name in SIX),
            *(SymhSettings(name, 3, GAMMAS, (0, 100, 1000, 10000), optimizer="lbfgs", steps=250, chunk=2) for name in SIX),
        ),
    },
    tasks=symh_tasks,
    run=run_symh,
    summarize=summarize_symh,
    no_model="its circuits are named by ring, qubits and ansatz, as in --set architecture=ising-4-ry-cx --set layers=3",
)
