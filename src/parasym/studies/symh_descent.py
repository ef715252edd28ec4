"""L-BFGS from random starts, with early or late hops or restarts, within a budget of circuits."""

from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from parasym.circuits import CircuitCost, Transfer
from parasym.core import child_generator, child_seed
from parasym.hopping import HoppingMinimizer, NoisyOrbit, OrbitPoints
from parasym.studies.symh_adam import GRID, Outcome, selector_of
from parasym.studies.symh_circuit import random_starts

EARLY = 10
"""Iterations before an early hop."""


class BudgetSpentError(Exception):
    """The circuits are used up."""


class Meter:
    """The cost for SciPy: it counts circuits, writes down exact costs, remembers the best point, and ends at the budget.

    Args:
        simulator: Of the noisy circuit.
        shots: Shots per Pauli word; ``None`` for exact values.
        budget: Circuits.
        generator: Source of randomness.
    """

    def __init__(self, simulator: Transfer, shots: int | None, budget: int, generator: torch.Generator) -> None:
        self.simulator, self.budget = simulator, budget
        self.cost = CircuitCost(simulator, shots=shots, generator=generator)
        self.seen: list[tuple[float, float]] = []
        self.best: tuple[float, Tensor] | None = None

    def value(self, x: np.ndarray) -> float:
        """Return the measured cost.

        Args:
            x: Angles.

        Raises:
            BudgetSpentError: If no circuit is left.
        """
        if self.cost.circuits >= self.budget:
            raise BudgetSpentError
        theta = torch.from_numpy(np.array(x, dtype=float))
        found = float(self.cost(theta))
        if self.best is None or found < self.best[0]:
            self.best = (found, theta)
            exact = found if self.cost.shots is None else float(self.simulator.cost(theta))
            self.seen.append((self.cost.circuits / self.budget, exact))
        return found

    def slope(self, x: np.ndarray) -> np.ndarray:
        """Return the measured gradient.

        Args:
            x: Angles.

        Raises:
            BudgetSpentError: If too few circuits are left.
        """
        if self.cost.circuits + self.cost.per_gradient > self.budget:
            raise BudgetSpentError
        return self.cost.gradient(torch.from_numpy(np.array(x, dtype=float))).numpy()


def descend(method: str, simulator: Transfer, orbit: NoisyOrbit, *, shots: int | None, seed: int, budget: int) -> Outcome:
    """Return what became of one start; the best measured point counts.

    Args:
        method: ``none``, ``restarts``, ``scatter``, or a selector, with ``-late`` for hops after convergence only.
        simulator: Of the noisy circuit.
        orbit: Its orbit.
        shots: Shots per Pauli word; ``None`` for exact values.
        seed: Of the start.
        budget: Circuits.
    """
    meter = Meter(simulator, shots, budget, child_generator(seed, f"shots {method}"))
    start = random_starts(1, simulator.circuit.num_parameters, seed=seed, label="start")[0].numpy()
    try:
        _run(method, meter, orbit, start, seed)
    except BudgetSpentError:
        pass
    assert meter.best is not None
    cost = float(simulator.cost(meter.best[1]))
    shares, values = zip(*meter.seen, strict=True)
    curve = np.interp(np.linspace(0, 1, GRID), shares, values)
    return Outcome(cost, meter.cost.circuits, None, tuple(curve.tolist()))


def _run(method: str, meter: Meter, orbit: NoisyOrbit, x: np.ndarray, seed: int) -> None:
    local: dict[str, Any] = {"jac": meter.slope, "method": "L-BFGS-B"}
    selector = selector_of(method, orbit)
    if selector is not None:
        early = None if method.endswith("-late") else EARLY
        run = HoppingMinimizer(
            orbit, selector, early=early, stochastic=meter.cost.shots is not None, seed=child_seed(seed, f"hops {method}") % 2**31
        )
        run(meter.value, x, jac=meter.slope)
    elif method == "scatter":
        x = minimize(meter.value, x, options={"maxiter": EARLY}, **local).x
        points = OrbitPoints(orbit.cosets, lambda _: 0.0, torch.from_numpy(x))
        where = torch.randint(2, (1, points.rank), generator=child_generator(seed, "scatter"))
        minimize(meter.value, points.at(where)[0].numpy(), **local)
    else:
        minimize(meter.value, x, **local)
        turn = 0
        while method == "restarts":
            turn += 1
            again = random_starts(1, len(x), seed=seed, label=f"restart {turn}")[0].numpy()
            minimize(meter.value, again, **local)
