"""The exception of a broken contract, and the comparison that raises it."""

from torch import Tensor


class ContractError(AssertionError):
    """A member of the package breaks a law of its kind; the message names the law and the numbers."""


def require(condition: bool, message: str) -> None:
    """Check a condition.

    Args:
        condition: What must be true.
        message: What is broken, with what was found.

    Raises:
        ContractError: If the condition is false.
    """
    if not condition:
        raise ContractError(message)


def require_close(found: Tensor, expected: Tensor, law: str, *, tolerance: float) -> None:
    """Check that two tensors have the same shape and dtype, and agree relative to the largest entry.

    Args:
        found: What the member computed.
        expected: What the law demands.
        law: The law, as a formula.
        tolerance: Largest relative difference allowed.

    Raises:
        ContractError: If they differ.
    """
    require(
        found.shape == expected.shape and found.dtype == expected.dtype,
        f"{law}: expected {tuple(expected.shape)} {expected.dtype}, but found {tuple(found.shape)} {found.dtype}.",
    )
    if found.numel() == 0:
        return
    scale = max(1.0, expected.abs().max().item())
    error = (found - expected).abs().max().item() / scale
    require(error <= tolerance, f"{law}: relative difference {error:.3g}, allowed {tolerance:.3g}.")


def largest_difference(found: Tensor, expected: Tensor) -> float:
    """Return the largest absolute difference of two tensors of one shape; 0 if they are empty.

    Args:
        found: Any tensor.
        expected: A tensor of the same shape.

    Example:
        >>> import torch
        >>> largest_difference(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.5]))
        0.5
    """
    return (found - expected).abs().max().item() if found.numel() else 0.0
