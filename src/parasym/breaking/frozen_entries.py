"""The parametrization: a tensor some of whose entries are constants."""

import torch
from torch import Tensor, nn


class FrozenEntries(nn.Module):
    r"""Return ``mask ? W : F``: the trainable entries of a tensor, and constants in place of the others.

    .. math:: W' = M \odot W + (1 - M) \odot F

    as a choice, not as a product: the gradient at a frozen entry is exactly zero, whatever ``W`` holds there, and no
    optimizer, decay or momentum can move ``W'`` there. The stored entries behind frozen ones are zero. With a zero gradient
    and a zero value, gradient descent with momentum or decay, Adam and AdamW leave them at zero, so that norms and distances
    of the stored tensors count trainable entries only.

    Mask and constants are buffers, and so part of ``state_dict``: a checkpoint computes the same function in
    whatever network it is loaded.

    Args:
        mask: Booleans, true where trainable.
        frozen: The constants, in the shape of ``mask``. What they hold at trainable places is dropped.

    Example:
        >>> half = FrozenEntries(torch.tensor([[True, False]]), torch.tensor([[7.0, 9.0]]))
        >>> half(torch.tensor([[1.0, 2.0]])), half.right_inverse(torch.tensor([[1.0, 2.0]]))
        (tensor([[1., 9.]]), tensor([[1., 0.]]))
    """

    mask: Tensor
    frozen: Tensor

    def __init__(self, mask: Tensor, frozen: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)
        self.register_buffer("frozen", torch.where(mask, torch.zeros_like(frozen), frozen))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the tensor with its frozen entries in place.

        Args:
            weight: The stored tensor.
        """
        return torch.where(self.mask, weight, self.frozen)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Return what to store for a given tensor: zero behind frozen entries.

        Args:
            weight: The wanted tensor; its frozen entries cannot be had.
        """
        return torch.where(self.mask, weight, torch.zeros_like(weight))

    def extra_repr(self) -> str:
        """Return how much is frozen."""
        return f"frozen={int((~self.mask).sum())} of {self.mask.numel()}"
