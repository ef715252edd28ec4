"""Random points of an orbit: the plain form of minima hopping."""

from dataclasses import dataclass

import torch
from torch import Tensor

from parasym.core import BadInputError
from parasym.hopping.points import OrbitPoints
from parasym.hopping.selector import AbstractSelector


@dataclass(frozen=True)
class RandomElements(AbstractSelector):
    """The best of some random points.

    Attributes:
        count: How many are tried; all points if there are no more.

    Raises:
        BadInputError: If none is to be tried.

    References:
        Fontana, Cerezo, Arrasmith, Rungger, Coles. Non-trivial symmetries in quantum landscapes and their resilience to
        quantum noise. Quantum 6, 804, 2022, https://arxiv.org/abs/2011.08763
    """

    count: int = 32

    def __post_init__(self) -> None:
        if self.count < 1:
            raise BadInputError(f"Argument `count` must be at least 1, but is {self.count}.")

    def propose(self, points: OrbitPoints, *, generator: torch.Generator | None = None) -> Tensor:  # noqa: D102
        coordinates = draw(self.count, points.rank, generator=generator)
        return coordinates[points.costs(coordinates).argmin()][None]


def draw(count: int, rank: int, *, generator: torch.Generator | None = None) -> Tensor:
    """Return distinct coordinates but for the start's, of shape ``[k, rank]``; all of them if there are no more than ``count``.

    Args:
        count: How many.
        rank: Number of generators.
        generator: Source of randomness, on the CPU.

    Example:
        >>> draw(9, 2, generator=torch.Generator().manual_seed(0)).tolist()
        [[1, 0], [0, 1], [1, 1]]
    """
    if 2**rank - 1 <= count:
        return all_coordinates(rank)[1:]
    found: dict[tuple[int, ...], None] = {}
    while len(found) < count:
        for row in torch.randint(2, (count, rank), generator=generator).tolist():
            if any(row) and len(found) < count:
                found[tuple(row)] = None
    return torch.tensor(list(found), dtype=torch.int64)


def all_coordinates(rank: int) -> Tensor:
    """Return the coordinates of all points, the start first, of shape ``[2**rank, rank]``: row ``i`` has the bits of ``i``.

    Args:
        rank: Number of generators.
    """
    return torch.arange(2**rank)[:, None] >> torch.arange(rank) & 1
