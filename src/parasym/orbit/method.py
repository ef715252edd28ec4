"""What a method of matching must offer."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import nn

from parasym.core import Params
from parasym.functional.reading import Data
from parasym.symmetry import Element, Symmetry


@dataclass(frozen=True, eq=False)
class Aligned:
    """What a method found.

    Attributes:
        element: Permutations, signs, rotations and phases that bring ``b`` to ``a``.
        notes: What the method could not see in these models, and what it went by instead.
    """

    element: Element
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AbstractMethod(ABC):
    """A way to align two models in the balanced gauge, where what is left of the group is isometric.

    Attributes:
        blind_spots: What a method of this kind cannot see by nature, one sentence each, with what it goes by instead.
    """

    blind_spots: ClassVar[tuple[str, ...]] = ()

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

    @classmethod
    def on(cls, model: nn.Module, data: Data | None) -> Self:
        """Return the method with its defaults.

        Args:
            model: The model whose parameters are matched.
            data: Batches for it, if there are any.

        Raises:
            BadInputError: If the method needs data and there is none.
        """
        return cls()

    @abstractmethod
    def align(self, symmetry: Symmetry, a: Params, b: Params, *, generator: torch.Generator | None = None) -> Aligned:
        """Return permutations, signs, rotations and phases that bring ``b`` to ``a``.

        Args:
            symmetry: The symmetry.
            a: The target, in the balanced gauge.
            b: What is moved, in the balanced gauge.
            generator: Source of randomness, on the CPU, for methods that restart.
        """
