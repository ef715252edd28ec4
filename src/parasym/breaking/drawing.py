"""Which places of a row are frozen, and at which constants: drawn from a seed, in time proportional to what is frozen."""

from math import comb

import numpy as np
import torch
from torch import Tensor

from parasym.core import BadInputError

DRAWING = 2
"""The version of the drawing. Networks are of one architecture only if their recipe and this number agree.

Version 1 shuffled all places of a row and kept constants in the precision of the weights.
"""


def distinct_places(
    rows: int, width: int, count: int, *, generator: torch.Generator, where: str = "mask", repeat: bool = False
) -> Tensor:
    r"""Return ``rows`` different subsets of ``count`` out of ``width`` places, each in ascending order.

    Each row is uniform among the :math:`\binom{w}{c}` subsets that no earlier row has: places are drawn with replacement until
    there are ``count`` different ones, which is uniform because the draws treat all places alike, and a row that repeats an
    earlier one is drawn again. Of more than half of all places it is the others that are drawn. The time is proportional to
    the entries that are returned, but for the sorting of rows.

    Args:
        rows: Number of rows.
        width: Number of places in a row.
        count: Number of places in every subset.
        generator: Source of randomness, on the CPU.
        where: Name of the layer, for the message.
        repeat: Whether rows may repeat once every subset has been had; an error if not.

    Returns:
        Integers of shape ``[rows, count]``.

    Raises:
        BadInputError: If ``count`` is no number of places, or if there are fewer subsets than rows.

    Example:
        >>> distinct_places(4, 4, 1, generator=torch.Generator().manual_seed(0)).tolist()  # the only four there are
        [[0], [3], [1], [2]]

    References:
        Knuth. The art of computer programming, volume 2, section 3.4.2, exercise 9.
    """
    if not 1 <= count <= width:
        raise BadInputError(
            f"`{where}` has {width} entries per row, so between 1 and {width} of them can be frozen, but {count} were asked for. "
            "Give a smaller number for this layer, or a mapping by layer path."
        )
    if count == width:
        return torch.arange(width, dtype=torch.int32).expand(rows, width).clone()
    ways = comb(width, count)
    if ways < rows and repeat:
        parts = [min(ways, rows - start) for start in range(0, rows, ways)]
        return torch.cat([distinct_places(n, width, count, generator=generator, where=where) for n in parts])
    if ways < rows:
        enough = smallest_count(rows, width)
        hint = f"At least {enough} would do" if enough is not None else "No number would do: leave this layer out with 0"
        raise BadInputError(
            f"`{where}` is too narrow for distinct rows: {narrowness(rows, width, count)}. {hint}, or allow rows to share places "
            "with distinct=False."
        )
    out = torch.empty(rows, count, dtype=torch.int32)
    seen: dict[bytes, int] = {}
    missing = list(range(rows))
    while missing:
        drawn = _subsets(len(missing), width, count, generator)
        for row, candidate in zip(missing, drawn, strict=True):
            if seen.setdefault(candidate.tobytes(), row) == row:
                out[row] = torch.from_numpy(candidate)
        kept = set(seen.values())
        missing = [row for row in missing if row not in kept]
    return out


def distinct_masks(
    rows: int, width: int, count: int, *, generator: torch.Generator, where: str = "mask", repeat: bool = False
) -> Tensor:
    """Return the subsets of `distinct_places` as a mask that is true where *trainable*.

    Args:
        rows: As there.
        width: As there.
        count: As there.
        generator: As there.
        where: As there.
        repeat: As there.

    Returns:
        Booleans of shape ``[rows, width]``.

    Example:
        >>> distinct_masks(4, 4, 1, generator=torch.Generator().manual_seed(0)).int()
        tensor([[0, 1, 1, 1],
                [1, 1, 1, 0],
                [1, 0, 1, 1],
                [1, 1, 0, 1]], dtype=torch.int32)
    """
    places = distinct_places(rows, width, count, generator=generator, where=where, repeat=repeat)
    return torch.ones(rows, width, dtype=torch.bool).scatter_(1, places.long(), False)


def frozen_constants(shape: tuple[int, ...], std: float, *, around: float = 0.0, generator: torch.Generator) -> Tensor:
    """Return Gaussian constants that have eight significant bits, so that a cast of the model to ``bfloat16`` keeps them.

    Args:
        shape: Of the result.
        std: Standard deviation.
        around: Mean.
        generator: Source of randomness, on the CPU.

    Example:
        >>> frozen_constants((3,), 1.0, generator=torch.Generator().manual_seed(0))
        tensor([ 1.5391, -0.2930, -2.1719], dtype=torch.bfloat16)
    """
    return (around + std * torch.randn(shape, generator=generator)).bfloat16()


def narrowness(rows: int, width: int, count: int) -> str:
    """Return why rows cannot differ, in numbers.

    Args:
        rows: Number of rows.
        width: Number of places in a row.
        count: Number of frozen places in every row.
    """
    ways = comb(width, count)
    return f"freezing {count} of {width} entries can be done in {ways} ways, but there are {rows} rows"


def smallest_count(rows: int, width: int, least: int = 1) -> int | None:
    """Return the smallest number of frozen places, at least ``least``, with as many subsets as rows; ``None`` if none has.

    Args:
        rows: Number of rows that must differ.
        width: Number of places in a row.
        least: Where to start.
    """
    return next((count for count in range(max(least, 1), width) if comb(width, count) >= rows), None)


def _subsets(rows: int, width: int, count: int, generator: torch.Generator) -> np.ndarray:
    """Return uniform subsets, one a row, sorted; rows may repeat."""
    if 2 * count > width:
        outside = _subsets(rows, width, width - count, generator)
        inside = np.ones((rows, width), dtype=bool)
        np.put_along_axis(inside, outside, False, axis=1)
        return np.nonzero(inside)[1].reshape(rows, count).astype(np.int32)
    drawn = torch.randint(width, (rows, count), generator=generator, dtype=torch.int32).numpy()
    drawn.sort(axis=1)
    while True:
        again = np.zeros(drawn.shape, dtype=bool)
        np.equal(drawn[:, 1:], drawn[:, :-1], out=again[:, 1:])
        affected = np.flatnonzero(again.any(axis=1))
        if not len(affected):
            return drawn
        part = drawn[affected]
        part[again[affected]] = torch.randint(width, (int(again.sum()),), generator=generator, dtype=torch.int32).numpy()
        part.sort(axis=1)
        drawn[affected] = part
