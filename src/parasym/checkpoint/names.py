"""Lists of names in messages."""

from collections.abc import Sequence


def some_names(names: Sequence[object], most: int = 6) -> str:
    """Return the first names in backticks, and how many more there are.

    Args:
        names: Names, in order.
        most: How many to write out.

    Example:
        >>> print(some_names(["a", "b", "c"], most=2))
        `a`, `b` and 1 more
    """
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")
