"""How random models choose: one generator, the layers that may be used again, earlier values that fit."""

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

T = TypeVar("T")
Made = tuple[nn.Module, tuple[int, ...]] | None


class Choice:
    """Random choices from one generator, and the layers that may be used again.

    Args:
        generator: Source of randomness.
    """

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator
        self.layers: list[nn.Linear] = []

    def integer(self, low: int, high: int) -> int:
        """Return an integer from ``low`` to ``high``, both included."""
        return int(torch.randint(low, high + 1, (), generator=self.generator))

    def coin(self, probability: float = 0.5) -> bool:
        """Return true with the given probability."""
        return bool(torch.rand((), generator=self.generator) < probability)

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items."""
        return items[self.integer(0, len(items) - 1)]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """Return the items in random order."""
        return [items[k] for k in torch.randperm(len(items), generator=self.generator).tolist()]

    def width(self) -> int:
        """Return a number of channels."""
        return self.pick((4, 6, 8))

    def remember(self, step: nn.Module) -> None:
        """Keep the Linear layers, so that they may be used again."""
        if isinstance(step, nn.Linear) and step not in self.layers:
            self.layers.append(step)


def channels(x: Tensor) -> int:
    """Return the number of channels: axis 1 of an image, else the last axis."""
    return x.shape[1] if x.ndim == 4 else x.shape[-1]


def another(choice: Choice, values: Sequence[Tensor], at: int, *, axis: int | None = None) -> int | None:
    """Return an earlier value of the same shape, but for ``axis``."""

    def shape(x: Tensor) -> tuple[int, ...]:
        sizes = list(x.shape)
        if axis is not None:
            del sizes[axis]
        return tuple(sizes)

    here = values[at]
    fitting = [k for k in range(1, len(values)) if k != at and values[k].ndim == here.ndim and shape(values[k]) == shape(here)]
    return choice.pick(fitting) if fitting else None
