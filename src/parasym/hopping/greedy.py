"""One generator after the other, kept where it helps."""

from dataclasses import dataclass

import torch
from torch import Tensor

from parasym.core import BadInputError
from parasym.hopping.points import OrbitPoints
from parasym.hopping.selector import AbstractSelector


@dataclass(frozen=True)
class Greedy(AbstractSelector):
    """Sweeps over the generators in random order; each is kept if the cost falls.

    Attributes:
        sweeps: At most so many; it stops earlier if one changes nothing.

    Raises:
        BadInputError: If there is none.
    """

    sweeps: int = 1

    def __post_init__(self) -> None:
        if self.sweeps < 1:
            raise BadInputError(f"Argument `sweeps` must be at least 1, but is {self.sweeps}.")

    def propose(self, points: OrbitPoints, *, generator: torch.Generator | None = None) -> Tensor:  # noqa: D102
        here = points.start
        best = points.seen[-1][1] if points.seen else float(points.costs(here[None]))
        for _ in range(self.sweeps):
            changed = False
            for k in torch.randperm(points.rank, generator=generator).tolist():
                there = here.clone()
                there[k] ^= 1
                value = float(points.costs(there[None]))
                if value < best:
                    here, best, changed = there, value, True
            if not changed:
                break
        return here[None]
