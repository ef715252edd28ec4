"""PennyLane's optimizers with hops: anything with `step` and `step_and_cost`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any

import numpy as np
from torch import Tensor

from parasym.core import BadInputError, child_generator
from parasym.hopping.arguments import joined, split
from parasym.hopping.hop import Hop, hop
from parasym.hopping.orbit import NoisyOrbit
from parasym.hopping.selector import AbstractSelector

EVEN = {"AdagradOptimizer", "RMSPropOptimizer"}
"""Their memory holds squares of gradients, which a hop leaves as they are."""


class HoppingOptimizer:
    """One of PennyLane's optimizers that hops before every so many steps, and stops hopping when that does not pay.

    The optimizer's memory is carried over: momenta change sign with the gradient, squares stay. An optimizer whose memory is
    not known is reset by a hop. Other attributes are those of the optimizer inside.

    Args:
        optimizer: An optimizer with ``step`` and ``step_and_cost``.
        orbit: The circuit's orbit, such as ``noisy_orbit(qnode, (weights,))``.
        selector: How candidates are chosen; the Walsh decode if ``None``.
        every: Steps between attempts to hop.
        patience: After so many attempts in a row that found nothing better no further one is made.
        repeats: Evaluations of start and candidate in the last comparison with shots.
        seed: Of everything random.

    Attributes:
        history: All attempts, as :class:`parasym.hopping.Hop`.
        circuits: Circuits that the device executed in steps and hops, if the objective is a QNode; else those of hops.
        shots: Shots, likewise.

    Raises:
        BadInputError: If the optimizer has no ``step``, or a number makes no sense.

    Example:
        A VQE with three lines added is in ``examples/vqe.py``::

            orbit = noisy_orbit(qnode, (weights,))
            optimizer = HoppingOptimizer(qml.AdamOptimizer(0.1), orbit, every=30)
            for _ in range(90):
                weights = optimizer.step(qnode, weights)
            optimizer.history[0].before, optimizer.history[0].after, optimizer.circuits  # (-3.2570, -3.5645, ...)
    """

    def __init__(
        self,
        optimizer: Any,
        orbit: NoisyOrbit,
        *,
        selector: AbstractSelector | None = None,
        every: int = 50,
        patience: int = 1,
        repeats: int = 3,
        seed: int = 0,
    ) -> None:
        if not (hasattr(optimizer, "step") and hasattr(optimizer, "step_and_cost")):
            raise BadInputError(
                "Argument `optimizer` must have `step` and `step_and_cost`, as PennyLane's have, but is a "
                f"{type(optimizer).__name__}."
            )
        if every < 1 or patience < 1:
            raise BadInputError(f"Arguments `every` and `patience` must be at least 1, but are {every} and {patience}.")
        self.optimizer, self.orbit, self.selector = optimizer, orbit, selector or orbit.decode
        self.every, self.patience, self.repeats, self.seed = every, patience, repeats, seed
        self.history: list[Hop] = []
        self.circuits, self.shots, self.steps = 0, 0, 0

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the optimizer inside."""
        if name == "optimizer":
            raise AttributeError(name)
        return getattr(self.optimizer, name)

    @property
    def hopping(self) -> bool:
        """Whether further attempts will be made."""
        last = self.history[-self.patience :]
        return len(last) < self.patience or any(made.moved for made in last)

    def step(self, objective_fn: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the arguments after one step of the optimizer, and before it a hop if it is time.

        Args:
            objective_fn: A QNode or a function of the same arguments.
            *args: Its arguments.
            **kwargs: Keyword arguments of the optimizer's ``step``.
        """
        return self._advance("step", objective_fn, args, kwargs)

    def step_and_cost(self, objective_fn: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the arguments after one step, and the cost before it (after a hop if there was one).

        Args:
            objective_fn: A QNode or a function of the same arguments.
            *args: Its arguments.
            **kwargs: Keyword arguments of the optimizer's ``step_and_cost``.
        """
        return self._advance("step_and_cost", objective_fn, args, kwargs)

    def _advance(self, name: str, objective: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with self._counted(objective):
            if self.steps and self.steps % self.every == 0 and self.hopping:
                own = signature(getattr(self.optimizer, name)).parameters  # the rest is handed on to the objective
                args = self._hop(objective, args, {k: v for k, v in kwargs.items() if k not in own})
            self.steps += 1
            return getattr(self.optimizer, name)(objective, *args, **kwargs)

    def _hop(self, objective: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        places = [k for k, arg in enumerate(args) if getattr(arg, "requires_grad", False)]
        if not places:
            raise BadInputError("An argument must be trainable: make it with pennylane.numpy and requires_grad=True.")
        values = [args[k] for k in places]
        cost = _Cost(objective, args, places, kwargs)
        made = hop(
            self.orbit.symmetry,
            cost,
            joined(self.orbit, values),
            selector=self.selector,
            cosets=self.orbit.cosets,
            repeats=self.repeats,
            stochastic=_stochastic(objective),
            generator=child_generator(self.seed, f"hop {len(self.history)}"),
        )
        self.history.append(made)
        if not hasattr(objective, "device"):
            self.circuits += made.evaluations
        if not made.moved:
            return args
        carry(self.optimizer, len(args), dict(zip(places, split(made.signs, values), strict=True)))
        return cost.filled(made.angles)

    @contextmanager
    def _counted(self, objective: Any) -> Iterator[None]:
        if not hasattr(objective, "device"):
            yield
            return
        import pennylane as qml

        with qml.Tracker(objective.device) as tracker:
            yield
        self.circuits += int(tracker.totals.get("executions", 0))
        self.shots += int(tracker.totals.get("shots", 0))


class _Cost:
    """The objective as a function of the trainable arguments alone."""

    def __init__(self, objective: Any, args: tuple[Any, ...], places: Sequence[int], kwargs: dict[str, Any]) -> None:
        self.objective, self.args, self.places, self.kwargs = objective, args, places, kwargs

    def filled(self, theta: Tensor) -> tuple[Any, ...]:
        from pennylane import numpy as pnp

        out = list(self.args)
        for k, value in zip(self.places, split(theta, [self.args[k] for k in self.places]), strict=True):
            out[k] = pnp.array(value.numpy(), requires_grad=True)
        return tuple(out)

    def __call__(self, theta: Tensor) -> float:
        return float(self.objective(*self.filled(theta), **self.kwargs))


def _stochastic(objective: Any) -> bool | None:
    shots = getattr(objective, "shots", None)
    return None if shots is None else bool(getattr(shots, "total_shots", shots))


def carry(optimizer: Any, count: int, signs: dict[int, Tensor]) -> None:
    """Multiply what an optimizer remembers of gradients by signs; what it remembers of their squares stays.

    Args:
        optimizer: One of PennyLane's.
        count: Number of arguments.
        signs: For every trainable argument, by its place.
    """
    state = getattr(optimizer, "accumulation", None)
    if state is None:
        return
    kinds = {kind.__name__ for kind in type(optimizer).__mro__}
    if "AdamOptimizer" in kinds:
        moments = state["fm"]
    elif "MomentumOptimizer" in kinds or "MomentumQNGOptimizer" in kinds:
        moments = state
    elif kinds & EVEN:
        return
    else:
        optimizer.reset()
        return
    for k in range(count):
        if k in signs:
            moments[k] = moments[k] * np.asarray(signs[k])
