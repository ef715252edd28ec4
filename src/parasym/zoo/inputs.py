"""Factories of example inputs."""

from collections.abc import Callable

import torch
from torch import Tensor

Inputs = Callable[[torch.Generator], tuple[Tensor, ...]]


def normal(*shapes: tuple[int, ...]) -> Inputs:
    """Return a factory of standard normal tensors in double precision.

    Args:
        shapes: One shape per input.

    Example:
        >>> import torch
        >>> [tuple(x.shape) for x in normal((2, 3), (4,))(torch.Generator().manual_seed(0))]
        [(2, 3), (4,)]
    """
    return lambda generator: tuple(torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes)


def tokens(vocabulary: int, shape: tuple[int, ...]) -> Inputs:
    """Return a factory of one tensor of token numbers.

    Args:
        vocabulary: Number of tokens.
        shape: Shape of the tensor.

    Example:
        >>> import torch
        >>> tokens(5, (2, 3))(torch.Generator().manual_seed(0))[0].dtype
        torch.int64
    """
    return lambda generator: (torch.randint(0, vocabulary, shape, generator=generator),)
