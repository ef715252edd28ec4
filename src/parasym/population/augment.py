"""Augmentation decided for every example on its own."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from parasym.core import ShapeError

Augment = Callable[[Tensor, torch.Generator], Tensor]
"""Takes a batch of one network and a generator on the CPU, and returns the changed batch."""


class AbstractAugmentation(ABC):
    """A random change of images that is drawn first and applied later.

    Drawing is cheap and happens once per network, from that network's own generator; applying is one operation on the images of
    all networks. Any ``augment(x, generator)`` will do instead, but is called once per network.
    """

    @abstractmethod
    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Return what is decided for ``n`` examples, of shape ``[n, ...]``.

        Args:
            n: Number of examples.
            generator: On the CPU.
        """

    @abstractmethod
    def apply(self, x: Tensor, drawn: Tensor) -> Tensor:
        """Return the changed examples.

        Args:
            x: Of shape ``[n, channels, height, width]``. Not modified.
            drawn: From :meth:`draw`, on the device of ``x``.
        """

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return the examples, changed at random.

        Args:
            x: Of shape ``[n, channels, height, width]``. Not modified.
            generator: On the CPU.
        """
        return self.apply(x, self.draw(len(x), generator).to(x.device))


@dataclass(frozen=True)
class RandomFlip(AbstractAugmentation):
    """Mirror every example left to right with probability one half.

    Example:
        >>> x = torch.tensor([[1.0, 2.0]]).expand(4, 1, 1, 2)
        >>> RandomFlip()(x, torch.Generator().manual_seed(0)).flatten(1)
        tensor([[2., 1.],
                [1., 2.],
                [2., 1.],
                [2., 1.]])
    """

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Return which examples are mirrored, of shape ``[n]``."""
        return torch.rand(n, generator=generator) < 0.5

    def apply(self, x: Tensor, drawn: Tensor) -> Tensor:
        """Return the examples, those drawn mirrored."""
        return torch.where(drawn.view(-1, *[1] * (x.ndim - 1)), x.flip(-1), x)


@dataclass(frozen=True)
class RandomCrop(AbstractAugmentation):
    """Pad every image with zeros and cut out a window of the first size, at a place of its own.

    Attributes:
        padding: Zeros on each side.

    Raises:
        ShapeError: If the examples are not images of shape ``[n, channels, height, width]``.

    Example:
        >>> x = torch.tensor([[1.0, 2.0]]).expand(3, 1, 1, 2)
        >>> RandomCrop(padding=1)(x, torch.Generator().manual_seed(1)).flatten(1)
        tensor([[2., 0.],
                [0., 0.],
                [1., 2.]])
    """

    padding: int = 4

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Return the corner of each window, of shape ``[n, 2]``."""
        return torch.randint(2 * self.padding + 1, (n, 2), generator=generator)

    def apply(self, x: Tensor, drawn: Tensor) -> Tensor:
        """Return the windows, of the shape of ``x``."""
        if x.ndim != 4:
            raise ShapeError(f"A crop needs images of shape [n, channels, height, width], but got {tuple(x.shape)}.")
        height, width = x.shape[-2:]
        wide = pad(x, [self.padding] * 4)
        rows = drawn[:, 0, None] + torch.arange(height, device=x.device)  # [n, height]
        columns = drawn[:, 1, None] + torch.arange(width, device=x.device)  # [n, width]
        wide = wide.gather(2, rows[:, None, :, None].expand(*x.shape[:2], height, wide.shape[-1]))
        return wide.gather(3, columns[:, None, None, :].expand(*x.shape[:2], height, width))


@dataclass(frozen=True)
class Chain(AbstractAugmentation):
    """One augmentation after the other.

    Attributes:
        parts: The first is applied first.

    Example:
        >>> x = torch.tensor([[1.0, 2.0]]).expand(2, 1, 1, 2)
        >>> Chain((RandomFlip(), RandomFlip()))(x, torch.Generator().manual_seed(1)).flatten(1)
        tensor([[2., 1.],
                [2., 1.]])
    """

    parts: tuple[AbstractAugmentation, ...]

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Return what all parts decide, side by side, of shape ``[n, numbers]``."""
        return torch.cat([part.draw(n, generator).reshape(n, -1).double() for part in self.parts], dim=1)

    def apply(self, x: Tensor, drawn: Tensor) -> Tensor:
        """Return the examples after all parts."""
        start = 0
        for part in self.parts:
            like = part.draw(1, torch.Generator())
            size = like.numel()
            x = part.apply(x, drawn[:, start : start + size].reshape(-1, *like.shape[1:]).to(like.dtype))
            start += size
        return x


def augment_all(augment: Augment, x: Tensor, generators: list[torch.Generator]) -> Tensor:
    """Return the batches of several networks, each changed with the numbers of its own generator.

    Args:
        augment: The augmentation.
        x: Of shape ``[networks, n, ...]``. Not modified.
        generators: One per network, on the CPU.
    """
    if isinstance(augment, AbstractAugmentation):
        drawn = torch.cat([augment.draw(x.shape[1], g) for g in generators]).to(x.device)
        return augment.apply(x.flatten(0, 1), drawn).view_as(x)
    return torch.stack([augment(part, g) for part, g in zip(x, generators, strict=True)])
