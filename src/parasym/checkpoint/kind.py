"""A kind of file: how it is known, how it is read, and whether reading it can run code."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Found:
    """What was read from a file.

    Attributes:
        content: Tensors by name, or what a pickle held.
        notes: Sentences for the user, such as what was left unread.
    """

    content: Any
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """A kind of file that holds tensors.

    Attributes:
        name: For people.
        endings: Of files that are read as this kind if their first bytes do not say otherwise.
        begins: Whether a file is of this kind, by its path and its first 512 bytes.
        read: Reads it; raises a :class:`parasym.core.CheckpointError` that says what is wrong, without the path.
        code: What code reading it can run.
        damage: What damage is noticed.
    """

    name: str
    endings: tuple[str, ...]
    begins: Callable[[Path, bytes], bool]
    read: Callable[[Path], Found]
    code: str
    damage: str
