"""What a rule is: the operations it covers and how they are written in the small language."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Rule:
    """How a family of ATen operations is lowered.

    Attributes:
        names: Names of the operations, without namespace and overload.
        lower: Takes a builder and the operation's arguments (tensors as values), returns a value or a tuple of values.
    """

    names: tuple[str, ...]
    lower: Callable[..., Any]


class Unsupported(Exception):
    """An operation is used in a way that its rule does not cover; it is pinned and listed."""
