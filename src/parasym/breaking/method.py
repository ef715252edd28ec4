"""What every way to break symmetries promises."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class AbstractBreaking(ABC):
    """A recipe that turns an architecture into one with fewer symmetries.

    A recipe holds no tensors: what it freezes is drawn from its seed, so that two networks broken by the same recipe
    are the same architecture and may be compared, averaged and stacked.
    """

    @abstractmethod
    def apply(self, model: nn.Module, inputs: tuple[Any, ...] | None, *, generator: torch.Generator | None) -> None:
        """Break ``model`` in place. ``break_`` hands over a copy.

        Args:
            model: A module that nobody else holds.
            inputs: Example inputs, ``None`` if there are none.
            generator: Source of new initial weights, where the recipe asks for them.
        """
