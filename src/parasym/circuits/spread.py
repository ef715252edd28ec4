"""How far the cost varies over the orbit of a point: nothing without noise, something where noise breaks the symmetry."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor

from parasym.circuits.circuit import Circuit
from parasym.circuits.execute import pack, unpack
from parasym.circuits.simulate import expectations
from parasym.core import BadInputError, child_generator
from parasym.symmetry import Symmetry

CHUNK = 256


@dataclass(frozen=True)
class Spread:
    """The cost over an orbit.

    Attributes:
        costs: The cost at every point, of shape ``[points]``; the first is the given point.
        exhaustive: Whether these are all points of the orbit.
        levels: Number of different costs, told apart at 1e-9.
    """

    costs: Tensor
    exhaustive: bool
    levels: int

    @property
    def width(self) -> float:
        """Largest cost minus smallest."""
        return float(self.costs.max() - self.costs.min())

    def __str__(self) -> str:
        """Return one line."""
        which = "all" if self.exhaustive else "a sample of"
        low, middle, high = (float(x) for x in (self.costs.min(), self.costs.median(), self.costs.max()))
        return (
            f"{which} {len(self.costs)} points: cost {low:.6g} to {high:.6g}, median {middle:.6g}, "
            f"width {self.width:.2g}, {self.levels} levels"
        )


def orbit_spread(
    circuit: Circuit,
    symmetry: Symmetry,
    theta: Tensor,
    *,
    cost: Callable[[Tensor], Tensor] | None = None,
    most: int = 4096,
    seed: int = 0,
) -> Spread:
    """Return the cost over the orbit of a point under a symmetry, exactly simulated.

    Args:
        circuit: The circuit, with its noise.
        symmetry: The symmetry, usually that of the circuit without noise.
        theta: The point, of shape ``[M]``.
        cost: Returns costs of shape ``[batch]`` at points of shape ``[batch, M]``; the sum of the circuit's expectation values,
            by parasym's slow simulator, if ``None``.
        most: Largest number of points: a larger orbit is sampled.
        seed: Seed of the sample.

    Raises:
        BadInputError: If ``most`` is less than 2.

    Example:
        >>> from parasym.circuits import NoiseModel, amplitude_damping, dephasing, find_circuit, ising_ring, layered, with_noise
        >>> circuit = layered(3, 1, final=True, observables=(ising_ring(3),))
        >>> symmetry, theta = find_circuit(circuit), torch.arange(6.0)
        >>> for channel in (dephasing(0.1, 0), amplitude_damping(0.1, 0)):
        ...     spread = orbit_spread(with_noise(circuit, NoiseModel(after_many=(channel,))), symmetry, theta)
        ...     print(channel.name, len(spread.costs), spread.levels, round(spread.width, 3))
        dephasing 16 1 0.0
        amplitude_damping 16 8 0.575
    """
    if most < 2:
        raise BadInputError(f"Argument `most` must be at least 2, but is {most}.")
    everything = symmetry.order <= most
    if everything:
        elements = symmetry.elements()
    else:
        generator = child_generator(seed, "orbit_spread")
        elements = (symmetry.sample(generator=generator) for _ in range(most - 1))
    params = unpack(circuit, theta.to(torch.float64))
    points = [pack(circuit, symmetry.act(element, params)) for element in islice(elements, most)]
    if not everything:
        points.insert(0, pack(circuit, params))
    run = cost or (lambda x: expectations(circuit, x).sum(-1))
    with torch.no_grad():
        costs = torch.cat([run(part) for part in torch.stack(points).split(CHUNK)])
    ordered = costs.sort().values
    levels = 1 + int((ordered[1:] - ordered[:-1] > 1e-9).sum())
    return Spread(costs, everything, levels)
