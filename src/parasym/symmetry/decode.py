"""Dataclasses from plain data, with every field checked: what comes from outside is of the types it should be, or refused."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from fractions import Fraction
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from parasym.core import BadInputError

T = TypeVar("T")
LARGEST = 1 << 62
"""Sizes, places and strides beyond this are damage: no tensor has as many numbers."""


def decode(kind: type[T], data: Any, where: str) -> T:
    """Return a dataclass from a JSON object with the fields that :func:`parasym.symmetry.encode.plain` writes.

    Args:
        kind: The dataclass.
        data: What was read.
        where: What it is, for messages.

    Raises:
        BadInputError: If a field is missing, unknown, or of another type.

    Example:
        >>> from parasym.symmetry import Wire
        >>> decode(Wire, {"name": "fc[0]", "size": 3}, "the wire")
        Wire(name='fc[0]', size=3)
        >>> decode(Wire, {"name": "fc[0]", "size": "3"}, "the wire")
        Traceback (most recent call last):
        parasym.core.error.BadInputError: the wire: `size` must be a whole number, but is '3'.
    """
    members = {field.name: field for field in fields(kind)}  # pyright: ignore[reportArgumentType]
    if not isinstance(data, dict):
        raise BadInputError(f"{where} must be an object, but is {_shown(data)}.")
    unknown = sorted(map(str, data.keys() - members.keys()))
    if unknown:
        raise BadInputError(f"{where} has an unknown entry `{unknown[0]}`.")
    hints, found = get_type_hints(kind), {}
    for name, field in members.items():
        if name in data:
            found[name] = value(hints[name], data[name], f"{where}: `{name}`")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise BadInputError(f"{where} lacks `{name}`.")
    return kind(**found)


def value(kind: Any, data: Any, where: str) -> Any:
    """Return a value of a type from plain data.

    Args:
        kind: A dataclass, ``int``, ``float``, ``str``, ``bool``, ``Fraction``, or tuples, mappings and unions of these.
        data: What was read.
        where: What it is, for messages.

    Raises:
        BadInputError: If it is of another type.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return _one_of(parts, data, where)
    if origin is tuple:
        return _tuple(parts, data, where)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(data, dict):
            raise BadInputError(f"{where} must be an object, but is {_shown(data)}.")
        return {name: value(parts[1], part, f"{where} of `{name}`") for name, part in data.items()}
    if is_dataclass(kind) and isinstance(kind, type):
        return decode(kind, data, where)
    return _plain(kind, data, where)


def _one_of(kinds: tuple[Any, ...], data: Any, where: str) -> Any:
    if NoneType in kinds:
        rest = tuple(kind for kind in kinds if kind is not NoneType)
        return None if data is None else _one_of(rest, data, where)
    # Of several dataclasses the entries say which it is.
    fitting = [k for k in kinds if not is_dataclass(k) or (isinstance(data, dict) and data.keys() <= {f.name for f in fields(k)})]
    return value(fitting[0] if fitting else kinds[0], data, where)


def _tuple(parts: tuple[Any, ...], data: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(data, list):
        raise BadInputError(f"{where} must be a list, but is {_shown(data)}.")
    if len(parts) == 2 and parts[1] is Ellipsis:
        return tuple(value(parts[0], part, where) for part in data)
    if len(parts) != len(data):
        raise BadInputError(f"{where} must have {len(parts)} entries, but has {len(data)}.")
    return tuple(value(kind, part, where) for kind, part in zip(parts, data, strict=True))


def _plain(kind: Any, data: Any, where: str) -> Any:
    if kind is Fraction and isinstance(data, str):
        return _fraction(data, where)
    if kind is float and isinstance(data, (int, float)) and not isinstance(data, bool) and math.isfinite(_float(data)):
        return data if isinstance(data, float) else float(data)
    if kind is float and isinstance(data, str) and data in {"nan", "inf", "-inf"}:  # how an error that is no number is written
        return float(data)
    if kind is int and isinstance(data, int) and not isinstance(data, bool) and abs(data) < LARGEST:
        return data
    if kind in {str, bool} and isinstance(data, kind):
        return data
    names = {
        int: "a whole number",
        float: "a finite number",
        str: "a text",
        bool: "true or false",
        Fraction: "a fraction as text",
    }
    raise BadInputError(f"{where} must be {names.get(kind, kind)}, but is {_shown(data)}.")


def _fraction(text: str, where: str) -> Fraction:
    try:
        found = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise BadInputError(f"{where} must be a fraction as text, but is {_shown(text)}.") from error
    if max(abs(found.numerator), found.denominator) > LARGEST:
        raise BadInputError(f"{where} must be a small fraction, but is {_shown(text)}.")
    return found


def _float(data: float) -> float:
    try:
        return float(data)
    except OverflowError:
        return math.inf


def _shown(data: Any) -> str:
    if isinstance(data, (dict, list)):
        return f"{'an object' if isinstance(data, dict) else 'a list'} of {len(data)}"
    if isinstance(data, int) and abs(data) >= LARGEST:
        return "a number beyond 2^62"
    text = repr(data)
    return text if len(text) < 60 else f"{text[:50]}…"
