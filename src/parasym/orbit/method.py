"""What a method of matching must offer."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from parasym.core import Params
from parasym.symmetry import Element, Symmetry


@dataclass(frozen=True)
class AbstractMethod(ABC):
    """A way to align two models in the balanced gauge, where what is left of the group is isometric."""

    @property
    def descends(self) -> bool:
        """Whether the method minimizes the distance of the parameters, and so must never increase it."""
        return True

    def is_exact(self, symmetry: Symmetry, params: Params) -> bool:
        """Return whether :meth:`align` is proved to find the closest element, whatever the models hold.

        Args:
            symmetry: The symmetry.
            params: A model, in the balanced gauge.
        """
        return False

    @abstractmethod
    def align(self, symmetry: Symmetry, a: Params, b: Params, *, generator: torch.Generator | None = None) -> Element:
        """Return permutations, signs, rotations and phases that bring ``b`` to ``a``.

        Args:
            symmetry: The symmetry.
            a: The target, in the balanced gauge.
            b: What is moved, in the balanced gauge.
            generator: Source of randomness, on the CPU, for methods that restart.
        """
