"""Rows of frozen places, no two alike."""

from math import comb

import torch
from torch import Tensor

from parasym.core import BadInputError


def distinct_masks(
    rows: int, width: int, count: int, *, generator: torch.Generator, where: str = "mask", repeat: bool = False
) -> Tensor:
    r"""Return ``rows`` different subsets of ``count`` out of ``width`` places, as a mask that is true where *trainable*.

    Each row is uniform among the :math:`\binom{w}{c}` subsets that no earlier row has: a row that repeats one is drawn
    again. With ``count`` equal to ``width`` everything is frozen and there is only one mask; then the frozen values have
    to tell the rows apart.

    Args:
        rows: Number of rows.
        width: Number of places in a row.
        count: Number of frozen places in every row.
        generator: Source of randomness, on the CPU.
        where: Name of the layer, for the message.
        repeat: Whether rows may repeat once every subset has been had; an error if not.

    Returns:
        Booleans of shape ``[rows, width]``.

    Raises:
        BadInputError: If ``count`` is no number of places, or if there are fewer subsets than rows.

    Example:
        >>> distinct_masks(4, 4, 1, generator=torch.Generator().manual_seed(0)).int()  # the only four there are
        tensor([[1, 1, 0, 1],
                [1, 0, 1, 1],
                [1, 1, 1, 0],
                [0, 1, 1, 1]], dtype=torch.int32)
    """
    if not 1 <= count <= width:
        raise BadInputError(
            f"`{where}` has {width} entries per row, so between 1 and {width} of them can be frozen, but {count} were asked for. "
            "Give a smaller number for this layer, or a mapping by layer path."
        )
    if count == width:
        return torch.zeros(rows, width, dtype=torch.bool)
    ways = comb(width, count)
    if ways < rows and repeat:
        parts = [min(ways, rows - start) for start in range(0, rows, ways)]
        return torch.cat([distinct_masks(n, width, count, generator=generator, where=where) for n in parts])
    if ways < rows:
        enough = smallest_count(rows, width)
        hint = f"At least {enough} would do" if enough is not None else "No number would do: leave this layer out with 0"
        raise BadInputError(
            f"`{where}` is too narrow for distinct rows: freezing {count} of {width} entries can be done in "
            f"{ways} ways, but there are {rows} rows. {hint}, or allow rows to share places with distinct=False."
        )
    mask = torch.ones(rows, width, dtype=torch.bool)
    seen: dict[bytes, int] = {}
    missing = list(range(rows))
    while missing:
        order = torch.rand(len(missing), width, generator=generator, dtype=torch.float64).argsort(dim=1)
        drawn = torch.ones(len(missing), width, dtype=torch.bool).scatter_(1, order[:, :count], False)
        for row, candidate in zip(missing, drawn, strict=True):
            if seen.setdefault(candidate.numpy().tobytes(), row) == row:
                mask[row] = candidate
        kept = set(seen.values())
        missing = [row for row in missing if row not in kept]
    return mask


def smallest_count(rows: int, width: int, least: int = 1) -> int | None:
    """Return the smallest number of frozen places, at least ``least``, with as many subsets as rows; ``None`` if none has.

    Args:
        rows: Number of rows that must differ.
        width: Number of places in a row.
        least: Where to start.
    """
    return next((count for count in range(max(least, 1), width) if comb(width, count) >= rows), None)
