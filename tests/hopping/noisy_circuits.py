"""Small noisy circuits with trained angles."""

from functools import cache

import torch
from torch import Tensor

from parasym.circuits import Channel, Circuit, NoiseModel, amplitude_damping, ising_ring, layered, transfer
from parasym.hopping import NoisyOrbit, noisy_orbit


def bare(n: int = 3, layers: int = 3, rotations: str = "Y", entangler: str = "cx") -> Circuit:
    return layered(n, layers, rotations=rotations, entangler=entangler, final=True, observables=(ising_ring(n),))  # pyright: ignore[reportArgumentType]


def after_gates(channel: Channel) -> NoiseModel:
    return NoiseModel(after_many=(channel,))


@cache
def orbit(n: int = 3, layers: int = 3, gamma: float = 0.05) -> NoisyOrbit:
    return noisy_orbit(bare(n, layers), noise=after_gates(amplitude_damping(gamma, 0)))


def angles(size: int, seed: int = 0) -> Tensor:
    return 6.0 * torch.rand(size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) - 3


@cache
def trained(n: int = 3, layers: int = 3, seed: int = 0) -> Tensor:
    """Angles trained without noise: a point whose orbit is worth a hop."""
    simulator = transfer(bare(n, layers))
    theta = angles(simulator.circuit.num_parameters, seed).requires_grad_(True)
    optimizer = torch.optim.Adam([theta], lr=0.1)
    for _ in range(80):
        optimizer.zero_grad()
        simulator.cost(theta).backward()
        optimizer.step()
    return theta.detach()
