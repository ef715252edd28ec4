"""Hops of torch parameters, with the state of their optimizer, in place."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from parasym.core import BadInputError
from parasym.hopping.arguments import joined, split
from parasym.hopping.hop import Hop, hop
from parasym.hopping.orbit import NoisyOrbit
from parasym.hopping.selector import AbstractSelector

SIGNED = ("momentum_buffer", "exp_avg", "grad_avg", "prev")
"""What optimizers remember of gradients: it changes sign with them."""
EVEN = (
    "exp_avg_sq",
    "max_exp_avg_sq",
    "square_avg",
    "acc_delta",
    "sum",
    "exp_inf",
    "step_size",
    "mu_product",
    "step",
    "eta",
    "mu",
)
"""Squares, absolute values and counts: they stay."""


def hop_parameters_(
    orbit: NoisyOrbit,
    cost: Callable[..., Any],
    parameters: Sequence[Tensor],
    *,
    optimizer: torch.optim.Optimizer | None = None,
    selector: AbstractSelector | None = None,
    repeats: int = 3,
    stochastic: bool | None = None,
    generator: torch.Generator | None = None,
) -> Hop:
    """Hop with parameters of torch: they, and the momenta of their optimizer, are changed in place if the hop leads elsewhere.

    Args:
        orbit: The circuit's orbit, such as ``noisy_orbit(qnode, (weights,))`` of a QNode with the torch interface.
        cost: Returns the cost; called with tensors of the shapes of the parameters, such as the QNode.
        parameters: The circuit's trainable parameters, in order.
        optimizer: Whose state is carried over; ``None`` if it has none.
        selector: How candidates are chosen; the Walsh decode if ``None``.
        repeats: Evaluations of start and candidate in the last comparison with shots.
        stochastic: Whether the cost has shots; found out if ``None``.
        generator: Source of randomness, on the CPU.

    Returns:
        The hop.

    Raises:
        BadInputError: If the optimizer remembers something of which it is not known how a hop changes it.
        ShapeError: If the parameters are not those of the circuit.

    Example:
        >>> from parasym.circuits import NoiseModel, amplitude_damping, ising_ring, layered, transfer
        >>> from parasym.hopping import noisy_orbit
        >>> circuit = layered(3, 2, final=True, observables=(ising_ring(3),))
        >>> orbit = noisy_orbit(circuit, noise=NoiseModel((), (amplitude_damping(0.05, 0),)))
        >>> simulator, x = transfer(orbit.circuit), torch.arange(9, dtype=torch.float64).requires_grad_()
        >>> optimizer = torch.optim.Adam([x], lr=0.1)
        >>> for step in range(60):
        ...     if step == 30:
        ...         seeded = torch.Generator().manual_seed(0)
        ...         made = hop_parameters_(orbit, simulator.cost, [x], optimizer=optimizer, generator=seeded)
        ...     optimizer.zero_grad()
        ...     simulator.cost(x).backward()
        ...     optimizer.step()
        >>> print(f"{made.before:.3f} {made.after:.3f}, at the end {float(simulator.cost(x.detach())):.3f}")
        -3.317 -3.422, at the end -3.694
    """
    if optimizer is not None:
        check_state(optimizer, parameters)

    def evaluate(theta: Tensor) -> float:
        parts = [part.to(p) for part, p in zip(split(theta, parameters), parameters, strict=True)]
        with torch.no_grad():
            return float(cost(*parts))

    if stochastic is None and getattr(cost, "shots", None) is not None:
        stochastic = bool(getattr(cost.shots, "total_shots", cost.shots))  # pyright: ignore[reportFunctionMemberAccess]
    made = hop(
        orbit.symmetry,
        evaluate,
        joined(orbit, parameters),
        selector=selector or orbit.decode,
        cosets=orbit.cosets,
        repeats=repeats,
        stochastic=stochastic,
        generator=generator,
    )
    if made.moved:
        with torch.no_grad():
            for parameter, value, signs in zip(
                parameters, split(made.angles, parameters), split(made.signs, parameters), strict=True
            ):
                parameter.copy_(value)
                if parameter.grad is not None:
                    parameter.grad *= signs.to(parameter)
                for name, state in (optimizer.state[parameter] if optimizer is not None else {}).items():
                    if name in SIGNED and isinstance(state, Tensor):
                        state *= signs.to(state)
    return made


def check_state(optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor]) -> None:
    """Check that it is known how a hop changes everything that an optimizer remembers.

    Args:
        optimizer: The optimizer.
        parameters: The parameters that hop.

    Raises:
        BadInputError: If something is unknown.
    """
    for parameter in parameters:
        for name, value in optimizer.state.get(parameter, {}).items():
            known = name in SIGNED or name in EVEN or value is None
            if not known:
                raise BadInputError(
                    f"Optimizer {type(optimizer).__name__} remembers `{name}`, and it is not known how a hop changes "
                    "that. Use SGD, Adam, "
                    "AdamW, NAdam, RAdam, Adamax, Adagrad, Adadelta or RMSprop, or hop without its state and make a new "
                    "optimizer."
                )
