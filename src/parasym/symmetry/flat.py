"""Whole tensors, flattened and joined into one axis."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from parasym.core import Params
from parasym.groups import AbstractGroup
from parasym.symmetry.binding import AbstractBinding


@dataclass(frozen=True)
class Flat(AbstractBinding):
    """The axis that named tensors form when they are flattened and joined in order, as the angles of a circuit do.

    Attributes:
        parts: Names and shapes of the tensors.
    """

    parts: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def tensors(self) -> tuple[str, ...]:
        """The tensors it moves."""
        return tuple(name for name, _ in self.parts)

    def reads(self, g: Tensor, names: Collection[str]) -> tuple[str, ...]:  # noqa: D102
        return self.tensors if any(name in names for name in self.tensors) else ()

    def moved(  # noqa: D102
        self, group: AbstractGroup, g: Tensor, names: Collection[str], current: Mapping[str, Tensor], before: Mapping[str, Tensor]
    ) -> Params:
        chosen = [name in names for name in self.tensors]
        if not any(chosen):
            return {}
        joined = torch.cat([before[name].reshape(-1) for name in self.tensors])
        parts = group.act(g, joined, 0).split([prod(shape) for _, shape in self.parts])
        return {
            name: x.reshape(shape).to(before[name])  # each keeps its precision
            for (name, shape), x, wanted in zip(self.parts, parts, chosen, strict=True)
            if wanted
        }
