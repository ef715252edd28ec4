"""A SciPy-style minimizer that hops: local descent, hop, local descent. It is Qiskit's `Minimizer` protocol too."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from scipy.optimize import OptimizeResult, minimize
from torch import Tensor

from parasym.core import child_generator
from parasym.hopping.hop import Hop, hop
from parasym.hopping.orbit import NoisyOrbit
from parasym.hopping.selector import AbstractSelector
from parasym.symmetry import Element

Function = Callable[[np.ndarray], Any]


@dataclass(frozen=True)
class HoppingMinimizer:
    """Minimize with SciPy and hop along the orbit: early, and again after every convergence as long as it pays.

    An early hop pays most: after convergence under noise the local minimum is often a good point of its orbit already. When a
    hop after a convergence finds nothing better, no further hop is tried.

    Attributes:
        orbit: The circuit's orbit (:func:`parasym.hopping.noisy_orbit`).
        selector: How candidates are chosen; the Walsh decode if ``None``.
        method: Of ``scipy.optimize.minimize``.
        early: Iterations before the first hop; 0 to hop first; ``None`` to hop after convergence only.
        hops: At most so many hops are tried.
        repeats: Evaluations of start and candidate in the last comparison if the cost has shots.
        stochastic: Whether the cost has shots; found out if ``None``.
        options: For SciPy.
        seed: Of everything random.

    Example:
        >>> from parasym.circuits import NoiseModel, amplitude_damping, ising_ring, layered, transfer
        >>> from parasym.hopping import noisy_orbit
        >>> circuit = layered(3, 3, final=True, observables=(ising_ring(3),))
        >>> orbit = noisy_orbit(circuit, noise=NoiseModel((), (amplitude_damping(0.05, 0),)))
        >>> simulator, x0 = transfer(orbit.circuit), np.arange(12.0)
        >>> fun = lambda x: float(simulator.cost(torch.from_numpy(x)))
        >>> jac = lambda x: simulator.cost_and_gradient(torch.from_numpy(x))[1].numpy()
        >>> local, hopped = minimize(fun, x0, jac=jac, method="L-BFGS-B"), HoppingMinimizer(orbit)(fun, x0, jac=jac)
        >>> print(f"{local.fun:.3f} {hopped.fun:.3f} after {hopped.nhop} hop")
        -3.526 -3.852 after 1 hop
    """

    orbit: NoisyOrbit
    selector: AbstractSelector | None = None
    method: str = "L-BFGS-B"
    early: int | None = 10
    hops: int = 3
    repeats: int = 3
    stochastic: bool | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    def __call__(self, fun: Function, x0: np.ndarray, jac: Any = None, bounds: Any = None) -> OptimizeResult:
        """Return the minimum with SciPy's fields, and ``nhop``, ``hops`` and ``hop_evaluations``.

        All evaluations count in ``nfev``.

        Args:
            fun: The cost of a vector of angles.
            x0: The start, of shape ``[M]``.
            jac: The gradient, or anything that SciPy takes.
            bounds: Pairs of bounds; hops that lead outside, whole periods apart, are not made.
        """
        run = _Run(self, fun, jac, bounds)
        x = np.asarray(x0, dtype=float)
        if self.early is not None and self.hops:
            x = run.descend(x, early=self.early) if self.early else x
            x = run.hop(x)
        while True:
            x = run.descend(x)
            if len(run.hops) >= self.hops:
                break
            x = run.hop(x)
            if not run.hops[-1].moved:
                break
        return run.result(x)


class _Run:
    """One minimization: what is called, and what was counted."""

    def __init__(self, settings: HoppingMinimizer, fun: Function, jac: Any, bounds: Any) -> None:
        self.settings, self.fun, self.jac, self.bounds = settings, fun, jac, bounds
        self.hops: list[Hop] = []
        self.counts: dict[str, int] = {"nfev": 0, "njev": 0, "nit": 0}
        self.found = OptimizeResult()

    def descend(self, x: np.ndarray, *, early: int | None = None) -> np.ndarray:
        s = self.settings
        options = dict(s.options)
        if early is not None:
            # COBYLA counts evaluations, and refuses fewer than one simplex takes.
            options["maxiter"] = max(early, len(x) + 2) if s.method.upper() == "COBYLA" else early
        self.found = minimize(self.fun, x, jac=self.jac, bounds=self.bounds, method=s.method, options=options)
        for name in self.counts:
            self.counts[name] += self.found.get(name, 0)
        return self.found.x

    def hop(self, x: np.ndarray) -> np.ndarray:
        s = self.settings
        made = hop(
            s.orbit.symmetry,
            self._cost,
            torch.from_numpy(x),
            selector=s.selector or s.orbit.decode,
            cosets=s.orbit.cosets,
            repeats=s.repeats,
            stochastic=s.stochastic,
            generator=child_generator(s.seed, f"hop {len(self.hops)}"),
        )
        there = self._inside(made.angles.numpy())
        if there is None:
            made = replace(
                made, angles=torch.from_numpy(x), element=Element(made.element.symmetry), after=made.before, moved=False
            )
        self.hops.append(made)
        return x if there is None else there

    def result(self, x: np.ndarray) -> OptimizeResult:
        extra = {
            "nhop": sum(h.moved for h in self.hops),
            "hops": tuple(self.hops),
            "hop_evaluations": sum(h.evaluations for h in self.hops),
        }
        counts = self.counts | {"nfev": self.counts["nfev"] + extra["hop_evaluations"]}
        return OptimizeResult({**self.found, "x": x, **counts, **extra})

    def _cost(self, theta: Tensor) -> float:
        value = self.fun(theta.numpy())
        return float(value[0] if self.jac is True else value)

    def _inside(self, x: np.ndarray) -> np.ndarray | None:
        """Return the point moved by whole periods into the bounds, or ``None`` if that cannot be."""
        if self.bounds is None:
            return x
        low, high = _limits(self.bounds, len(x))
        period = np.array(self.settings.orbit.periods)
        with np.errstate(invalid="ignore", divide="ignore"):  # without a period what is outside becomes nan, which is not inside
            up, down = np.ceil((low - x) / period), np.floor((high - x) / period)
            moved = x + np.where(x < low, up, np.where(x > high, down, 0.0)) * period
        return moved if np.allclose(moved, moved.clip(low, high), rtol=0, atol=1e-12) else None


def _limits(bounds: Any, size: int) -> tuple[np.ndarray, np.ndarray]:
    if hasattr(bounds, "lb"):
        return tuple(np.broadcast_to(np.asarray(b, dtype=float), (size,)) for b in (bounds.lb, bounds.ub))  # pyright: ignore[reportReturnType]
    pairs = [(-np.inf if low is None else low, np.inf if high is None else high) for low, high in bounds]
    return np.array([low for low, _ in pairs], dtype=float), np.array([high for _, high in pairs], dtype=float)
