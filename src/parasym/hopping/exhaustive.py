"""All points of an orbit."""

from dataclasses import dataclass

import torch
from torch import Tensor

from parasym.core import BadInputError
from parasym.hopping.points import OrbitPoints
from parasym.hopping.random_elements import all_coordinates
from parasym.hopping.selector import AbstractSelector


@dataclass(frozen=True)
class Exhaustive(AbstractSelector):
    """The best of all points.

    Attributes:
        most: Larger orbits are refused.
    """

    most: int = 2**16

    def propose(self, points: OrbitPoints, *, generator: torch.Generator | None = None) -> Tensor:  # noqa: D102
        if 2**points.rank > self.most:
            raise BadInputError(
                f"The orbit has 2^{points.rank} points, more than the {self.most} that are all tried. "
                "Use WalshDecode, or give cosets of what the noise does not see."
            )
        coordinates = all_coordinates(points.rank)
        return coordinates[points.costs(coordinates).argmin()][None]
