"""A factor as plain data, and the digest of it that names the factor."""

import json
from dataclasses import fields, is_dataclass
from fractions import Fraction
from hashlib import sha256
from typing import Any

from parasym.groups import AbstractGroup

DIGITS = 16
"""Hexadecimal digits of an id: two of a billion factors share one with probability 0.03."""


def plain(value: Any) -> Any:
    """Return a value of dataclasses, tuples, fractions and numbers as what JSON can hold.

    Args:
        value: The value.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Fraction) else value


def encode_factor(group: AbstractGroup, wire: Any, over: tuple[Any, ...], bindings: tuple[Any, ...]) -> dict[str, Any]:
    """Return what a factor is made of as plain data.

    Args:
        group: Its group.
        wire: Its wire.
        over: The outer wires.
        bindings: Where the wire sits.
    """
    return {
        "group": {"name": type(group).__name__, **plain(group)},
        "wire": plain(wire),
        "over": plain(over),
        "bindings": [{"kind": type(binding).__name__, **plain(binding)} for binding in bindings],
    }


def digest(data: dict[str, Any]) -> str:
    """Return the first digits of the SHA-256 of canonical JSON: the same in every process.

    Args:
        data: Plain data, as of :func:`encode_factor`.

    Example:
        >>> digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
        True
    """
    return sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:DIGITS]
