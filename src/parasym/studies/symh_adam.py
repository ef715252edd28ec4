"""Adam on many random starts at once, with hops between blocks of steps, within a budget of circuits."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from parasym.circuits import CircuitCost, Transfer
from parasym.core import child_generator
from parasym.hopping import AbstractSelector, Greedy, NoisyOrbit, OrbitPoints, RandomElements, hop
from parasym.studies.symh_circuit import random_starts

GRID = 31
BETAS, EPSILON = (0.9, 0.999), 1e-8


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of one start.

    Attributes:
        cost: Exact noisy cost at the end.
        circuits: Circuits used.
        hops: Hops that led elsewhere; ``None`` if they were not counted.
        curve: Exact noisy cost at 31 even shares of the budget.
    """

    cost: float
    circuits: int
    hops: int | None
    curve: tuple[float, ...]


def selector_of(method: str, orbit: NoisyOrbit) -> AbstractSelector | None:
    """Return the selector of a method; ``None`` for those that do not select.

    Args:
        method: Name of the method, with or without ``-late``.
        orbit: The orbit.
    """
    return {"decode": orbit.decode, "random": RandomElements(32), "greedy": Greedy()}.get(method.removesuffix("-late"))


class AdamRun:
    """All starts of one method.

    Args:
        simulator: Of the noisy circuit.
        orbit: Its orbit.
        shots: Shots per Pauli word; ``None`` for exact values.
        first: Seed of the first start.
        count: How many starts.
        steps: The budget, in gradients.
        blocks: The budget is cut into so many blocks; hops come between them.
        rate: Learning rate.
    """

    def __init__(
        self,
        simulator: Transfer,
        orbit: NoisyOrbit,
        *,
        shots: int | None,
        first: int,
        count: int,
        steps: int,
        blocks: int,
        rate: float,
    ) -> None:
        self.simulator, self.orbit, self.shots = simulator, orbit, shots
        self.first, self.count, self.steps, self.blocks, self.rate = first, count, steps, blocks, rate
        self.per_step = 2 * len(simulator.rotations)
        self.budget = steps * self.per_step

    def run(self, method: str) -> list[Outcome]:
        """Return what became of every start.

        Args:
            method: ``none``, ``restarts``, ``scatter`` (random hops without selection), or a selector.
        """
        self._begin(method)
        block = self.steps // self.blocks
        for step in range(self.steps + 1):
            if step % max(1, self.steps // (2 * GRID)) == 0 or step == self.steps:
                self._look()
            active = [k for k in range(self.count) if self.spent[k] + self.per_step <= self.budget]
            if step == self.steps or not active:
                break
            if step and step % block == 0 and step // block < self.blocks:
                between = self._between(method, step)
                for k in active:
                    between(k)
                active = [k for k in active if self.spent[k] + self.per_step <= self.budget]
            if active:
                self._descend(active)
        return self._end(method)

    def _begin(self, method: str) -> None:
        size = self.simulator.circuit.num_parameters
        self.theta = random_starts(self.count, size, seed=self.first, label="start")
        self.m, self.v = torch.zeros_like(self.theta), torch.zeros_like(self.theta)
        self.age = torch.zeros(self.count, 1, dtype=torch.float64)
        self.spent = [0] * self.count
        self.hops = [0] * self.count
        self.kept: list[tuple[float, Tensor] | None] = [None] * self.count
        self.seen: list[list[tuple[float, float]]] = [[] for _ in range(self.count)]
        self.noise = child_generator(self.first, f"shots {method}")

    def _descend(self, active: list[int]) -> None:
        cost = CircuitCost(self.simulator, shots=self.shots, generator=self.noise)
        g = cost.gradient(self.theta[active])
        self.age[active] += 1
        self.m[active] = BETAS[0] * self.m[active] + (1 - BETAS[0]) * g
        self.v[active] = BETAS[1] * self.v[active] + (1 - BETAS[1]) * g**2
        age = self.age[active]
        scale = (self.v[active] / (1 - BETAS[1] ** age)).sqrt() + EPSILON
        self.theta[active] -= self.rate * self.m[active] / (1 - BETAS[0] ** age) / scale
        for k in active:
            self.spent[k] += self.per_step

    def _between(self, method: str, step: int) -> Callable[[int], None]:
        """Return what happens to a start between two blocks."""
        selector = selector_of(method, self.orbit)

        def chosen(k: int) -> None:
            assert selector is not None
            cost = CircuitCost(self.simulator, shots=self.shots, generator=self.noise)
            made = hop(
                self.orbit.symmetry,
                cost,
                self.theta[k],
                selector=selector,
                cosets=self.orbit.cosets,
                generator=child_generator(self.first + k, f"{method} {step}"),
            )
            self.spent[k] += cost.circuits
            self.hops[k] += made.moved
            self.theta[k], self.m[k] = made.angles, made.carry(self.m[k])

        def scattered(k: int) -> None:
            points = OrbitPoints(self.orbit.cosets, lambda _: 0.0, self.theta[k])
            where = torch.randint(2, (1, points.rank), generator=child_generator(self.first + k, f"scatter {step}"))
            self.theta[k], self.m[k] = points.at(where)[0], self.m[k] * points.signs(where)[0]
            self.hops[k] += 1

        def restarted(k: int) -> None:
            self._keep(k)
            self.theta[k] = random_starts(1, self.theta.shape[1], seed=self.first + k, label=f"restart {step}")[0]
            for state in (self.m, self.v, self.age):
                state[k] = 0

        def nothing(_: int) -> None:
            return

        if selector is not None:
            return chosen
        return {"scatter": scattered, "restarts": restarted}.get(method, nothing)

    def _keep(self, k: int) -> None:
        """Measure a finished run, and keep the better one."""
        cost = CircuitCost(self.simulator, shots=self.shots, generator=self.noise)
        value = float(cost(self.theta[k]))
        self.spent[k] += cost.circuits
        best = self.kept[k]
        if best is None or value < best[0]:
            self.kept[k] = (value, self.theta[k].clone())

    def _look(self) -> None:
        """Write down exact costs; for restarts the lower of what is kept and what runs, which flatters them."""
        now = self.simulator.cost(self.theta).tolist()
        for k in range(self.count):
            best = self.kept[k]
            value = now[k] if best is None else min(now[k], float(self.simulator.cost(best[1])))
            self.seen[k].append((self.spent[k] / self.budget, value))

    def _end(self, method: str) -> list[Outcome]:
        out = []
        for k in range(self.count):
            theta = self.theta[k]
            if method == "restarts":
                self._keep(k)
                best = self.kept[k]
                theta = theta if best is None else best[1]
            shares, values = zip(*self.seen[k], strict=True)
            curve = np.interp(np.linspace(0, 1, GRID), shares, values)
            out.append(Outcome(float(self.simulator.cost(theta)), self.spent[k], self.hops[k], tuple(curve.tolist())))
        return out
