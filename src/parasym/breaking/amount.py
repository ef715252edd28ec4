"""How much to freeze, layer by layer."""

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase

from parasym.breaking.drawing import smallest_count
from parasym.breaking.site import Block
from parasym.core import BadInputError


def value_for(amount: float | Mapping[str, float], path: str, *, otherwise: float) -> float:
    """Return the number for one layer: that of the first pattern that matches its path.

    Args:
        amount: One number for all layers, or a number by pattern, as in ``{"head": 0, "layers.*": 8}``.
        path: The layer's path.
        otherwise: What holds where no pattern matches.

    Example:
        >>> value_for({"layers.0": 4, "layers.*": 8}, "layers.2", otherwise=0)
        8
    """
    if not isinstance(amount, Mapping):
        return amount
    return next((value for pattern, value in amount.items() if fnmatchcase(path, pattern)), otherwise)


def check_patterns(amount: object, paths: list[str], argument: str) -> None:
    """Raise if a pattern matches no layer: a slip of the pen would leave a layer as it was.

    Args:
        amount: A number, or a mapping by pattern.
        paths: The paths of all layers.
        argument: The argument's name, for the message.

    Raises:
        BadInputError: If a pattern matches nothing.
    """
    for pattern in amount if isinstance(amount, Mapping) else ():
        if not any(fnmatchcase(path, pattern) for path in paths):
            raise BadInputError(
                f"Argument `{argument}` has the pattern `{pattern}`, but no layer matches it. The layers are {', '.join(paths)}."
            )


def frozen_count(amount: float, block: Block) -> int:
    """Return the number of places to freeze in every row of a block, 0 to leave it alone.

    A whole number is taken as it is, also one above the fan-in, which is for others to refuse. A fraction is rounded to the
    nearest count and raised, if need be, to the smallest one with which all rows can differ; where none has, it is only
    rounded. Of a single place no fraction is frozen.

    Args:
        amount: An int, or a float between 0 and 1.
        block: The rows.

    Raises:
        BadInputError: If the number is negative or no number.

    Example:
        >>> frozen_count(0.25, Block("fc", rows=5, units=4, per=1))  # 1 of 4 gives four different rows, 2 of 4 six
        2
        >>> frozen_count(0.25, Block("fc", rows=7, units=4, per=1))  # no number gives seven
        1
    """
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not amount >= 0:
        raise BadInputError(
            f"Argument `frozen` must be a count or a fraction of at least 0, but is {amount!r} for `{block.path}`."
        )
    if isinstance(amount, float):
        return _fraction(amount, block)
    return amount


def _fraction(amount: float, block: Block) -> int:
    if amount >= 1:
        raise BadInputError(
            f"Argument `frozen` is the fraction {amount} for `{block.path}`, but must be below 1. An int is a count per row."
        )
    if amount == 0 or block.units < 2:
        return 0
    wanted = min(max(math.floor(amount * block.units + 0.5), 1), block.units - 1)
    return smallest_count(block.rows, block.units, wanted) or wanted
