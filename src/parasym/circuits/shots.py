r"""The cost of a circuit as it is measured: with shots, every Pauli word is a mean of signs."""

from numbers import Integral
from typing import Literal

import torch
from torch import Tensor

from parasym.circuits.transfer import Transfer
from parasym.core import BadInputError

Distribution = Literal["binomial", "gaussian"]


def checked_shots(shots: int | None) -> int | None:
    """Return a number of shots if it makes sense.

    Args:
        shots: Shots per Pauli word; ``None`` for exact values.

    Raises:
        BadInputError: If there is not at least one, or it is not an integer.
    """
    if shots is not None and (not isinstance(shots, Integral) or isinstance(shots, bool) or shots < 1):
        raise BadInputError(f"The number of shots must be an integer of at least 1, or None for exact values, but is {shots!r}.")
    return shots


def sampled(
    values: Tensor, shots: int, *, generator: torch.Generator | None = None, distribution: Distribution = "binomial"
) -> Tensor:
    r"""Return expectation values of Pauli words as means of ``shots`` signs, each word measured on its own.

    The number of outcomes +1 is binomial with probability :math:`(1 + e)/2`; for many shots the mean is normal with variance
    :math:`(1 - e^2)/S`.

    Args:
        values: Exact values ``e``, of any shape.
        shots: Number of shots ``S`` per value.
        generator: Source of randomness, on the CPU.
        distribution: Exact, or the normal limit.

    Raises:
        BadInputError: If there is not at least one shot.

    Example:
        >>> sampled(torch.tensor([0.0, 1.0, -1.0]), 100, generator=torch.Generator().manual_seed(0))
        tensor([-0.0200,  1.0000, -1.0000])
    """
    count = checked_shots(shots) or 1
    if distribution == "gaussian":
        noise = torch.randn(values.shape, generator=generator, dtype=values.dtype)
        return values + noise * ((1 - values**2).clamp(min=0) / count).sqrt()
    ups = torch.binomial(torch.full_like(values, count), ((1 + values) / 2).clamp(0, 1), generator)
    return 2 * ups / count - 1


class CircuitCost:
    """The cost of a circuit by :class:`parasym.circuits.Transfer`, exact or with shots; it counts what a device would run.

    An evaluation is one circuit, a gradient two per rotation by an angle that is not constant (the parameter-shift rule), shots
    are per Pauli word. Exact gradients are computed by the adjoint method, and counted the same.

    Args:
        simulator: The circuit.
        shots: Shots per Pauli word; ``None`` for exact values.
        generator: Source of randomness, on the CPU.
        distribution: Of the means of the shots.

    Raises:
        BadInputError: If there is not at least one shot.

    Example:
        >>> from parasym.circuits import ising_ring, layered, transfer
        >>> cost = CircuitCost(transfer(layered(4, 2, observables=(ising_ring(4),))), shots=100)
        >>> _ = cost(torch.zeros(8)), cost.gradient(torch.zeros(8))
        >>> cost.circuits, cost.shots_used  # 1 and 2 * 8 circuits, each of 8 words
        (17, 13600)
    """

    batched = True
    """It takes many vectors at once."""

    def __init__(
        self,
        simulator: Transfer,
        *,
        shots: int | None = None,
        generator: torch.Generator | None = None,
        distribution: Distribution = "binomial",
    ) -> None:
        self.simulator, self.shots = simulator, checked_shots(shots)
        self.generator = generator
        self.distribution: Distribution = distribution
        self.circuits = 0

    @property
    def shots_used(self) -> int:
        """Shots so far."""
        return self.circuits * (self.shots or 0) * len(self.simulator.coefficients)

    @property
    def per_gradient(self) -> int:
        """Circuits of one gradient."""
        return 2 * len(self._moving)

    def __call__(self, theta: Tensor) -> Tensor:
        """Return the cost, of shape ``[*batch]``.

        Args:
            theta: Parameters of shape ``[*batch, M]``.
        """
        self.circuits += theta[..., 0].numel()
        return self.simulator.cost(theta) if self.shots is None else self._measured(self.simulator.angles(theta))

    def gradient(self, theta: Tensor) -> Tensor:
        """Return the gradient, of shape ``[*batch, M]``.

        Args:
            theta: Parameters of shape ``[*batch, M]``.
        """
        self.circuits += self.per_gradient * theta[..., 0].numel()
        if self.shots is None:
            return self.simulator.cost_and_gradient(theta)[1]
        angles = self.simulator.angles(theta)
        moving = self._moving
        steps = torch.pi / 2 * torch.eye(angles.shape[-1], dtype=torch.float64)[moving]
        shifted = angles.unsqueeze(-2) + torch.cat([steps, -steps])
        up, down = self._measured(shifted).split(len(moving), dim=-1)
        return (up - down) / 2 @ self.simulator.slopes[moving]

    @property
    def _moving(self) -> Tensor:
        """The rotations whose angles are not constant."""
        return self.simulator.slopes.any(dim=1).nonzero()[:, 0]

    def _measured(self, angles: Tensor) -> Tensor:
        assert self.shots is not None
        values = sampled(self.simulator.terms(angles), self.shots, generator=self.generator, distribution=self.distribution)
        return values @ self.simulator.coefficients
