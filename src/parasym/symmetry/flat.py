"""Whole tensors, flattened and joined into one axis."""

from dataclasses import dataclass
from math import prod

import torch

from parasym.core import Params
from parasym.groups import AbstractGroup


@dataclass(frozen=True)
class Flat:
    """The axis that named tensors form when they are flattened and joined in order, as the angles of a circuit do.

    Attributes:
        parts: Names and shapes of the tensors.
    """

    parts: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def tensors(self) -> tuple[str, ...]:
        """The tensors it moves."""
        return tuple(name for name, _ in self.parts)

    def apply(self, group: AbstractGroup, g: torch.Tensor, params: Params) -> Params:
        """Return ``params`` with the entries of the tensors moved; each keeps its precision.

        Args:
            group: The factor's group.
            g: An element.
            params: Parameters by name. Not modified.
        """
        joined = torch.cat([params[name].reshape(-1) for name, _ in self.parts])
        moved = group.act(g, joined, 0).split([prod(shape) for _, shape in self.parts])
        return params | {name: x.reshape(shape).to(params[name]) for (name, shape), x in zip(self.parts, moved, strict=True)}
