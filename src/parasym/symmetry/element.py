"""One element of a symmetry, as the moves it makes."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Move:
    """An element of one factor.

    Attributes:
        factor: Index of the factor in ``symmetry.factors``.
        value: The group element, of shape ``[*batch, *element]``.
    """

    factor: int
    value: Tensor


@dataclass(frozen=True)
class Element:
    """A product of moves, applied first to last. The empty product is the identity.

    Example:
        >>> import torch
        >>> Element((Move(0, torch.tensor([1, 0])),)).moves[0].factor
        0
    """

    moves: tuple[Move, ...] = ()

    def value(self, factor: int) -> Tensor | None:
        """Return the value of the only move of a factor, or ``None`` if it does not move.

        Args:
            factor: Index of the factor.
        """
        values = [move.value for move in self.moves if move.factor == factor]
        return values[0] if len(values) == 1 else None
