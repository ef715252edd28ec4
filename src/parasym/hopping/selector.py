"""What a selector must offer: candidates among the points of an orbit."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from parasym.hopping.points import OrbitPoints


@dataclass(frozen=True)
class AbstractSelector(ABC):
    """A way to look for a good point of an orbit with few evaluations of the cost."""

    @abstractmethod
    def propose(self, points: OrbitPoints, *, generator: torch.Generator | None = None) -> Tensor:
        """Return coordinates of the points that are worth a last comparison, of shape ``[k, rank]``.

        Args:
            points: The orbit; its costs are evaluated, counted and remembered there.
            generator: Source of randomness, on the CPU.
        """
