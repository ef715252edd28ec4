"""Change settings by ``key=value``, with the known keys in every complaint."""

import types
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, Union, get_args, get_origin

from parasym.core import BadInputError


def changed(settings: tuple[Any, ...], changes: Sequence[str]) -> tuple[Any, ...]:
    """Return settings with some fields replaced, in every entry alike.

    ``only=mlp,gnn`` keeps those entries, ``only=mlp/digits`` those of one source of data; fields of the training plan are
    ``plan.epochs`` and so on; tuples have commas.

    Args:
        settings: Entries of a preset: frozen dataclasses.
        changes: Texts ``key=value``.

    Raises:
        BadInputError: If a key is unknown or a value is of the wrong type.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Entry:
        ...     architecture: str
        ...     pairs: int
        >>> changed((Entry("mlp", 5), Entry("gnn", 5)), ["pairs=2", "only=gnn"])
        (Entry(architecture='gnn', pairs=2),)
        >>> changed((Entry("mlp", 5),), ["pair=2"])
        Traceback (most recent call last):
        parasym.core.error.BadInputError: Key `pair` is unknown. Known are architecture, only, pairs.
    """
    for change in changes:
        key, sign, text = change.partition("=")
        if not sign:
            raise BadInputError(f"A change must be key=value, but is `{change}`. Known keys are {', '.join(_keys(settings))}.")
        if key == "only":
            settings = _kept(settings, text.split(","))
        elif key in _keys(settings):
            settings = tuple(_replaced(entry, key.split("."), text, key) for entry in settings)
        else:
            raise BadInputError(f"Key `{key}` is unknown. Known are {', '.join(_keys(settings))}.")
    return settings


def _kept(settings: tuple[Any, ...], names: list[str]) -> tuple[Any, ...]:
    called = [(entry.architecture, f"{entry.architecture}/{getattr(entry, 'data', '')}") for entry in settings]
    wrong = [name for name in names if all(name not in both for both in called)]
    if wrong:
        known = [one if sum(other == one for other, _ in called) == 1 else both for one, both in called]
        raise BadInputError(f"Architecture `{wrong[0]}` is not in this preset. Known are {', '.join(dict.fromkeys(known))}.")
    return tuple(entry for entry, both in zip(settings, called, strict=True) if not set(both).isdisjoint(names))


def _keys(settings: tuple[Any, ...]) -> list[str]:
    found = ["only"]
    for field in fields(settings[0]):
        value = getattr(settings[0], field.name)
        found += [f"{field.name}.{f.name}" for f in fields(value)] if is_dataclass(value) else [field.name]
    return sorted(found)


def _replaced(entry: Any, path: list[str], text: str, key: str) -> Any:
    name, *rest = path
    if rest:
        return replace(entry, **{name: _replaced(getattr(entry, name), rest, text, key)})
    return replace(entry, **{name: _parsed(next(field.type for field in fields(entry) if field.name == name), text, key)})


def _parsed(kind: Any, text: str, key: str) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        if text.lower() == "none" and type(None) in get_args(kind):
            return None
        kind = next(k for k in get_args(kind) if k is not type(None))
    if get_origin(kind) is tuple:
        return tuple(_parsed(get_args(kind)[0], part, key) for part in text.split(",") if part)
    if kind is bool and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    try:
        return kind(text) if kind in (int, float, str) else _choice(kind, text)
    except ValueError as error:
        raise BadInputError(f"Key `{key}` takes {_named(kind)}, but got `{text}`.") from error


def _choice(kind: Any, text: str) -> str:
    if text not in get_args(kind):
        raise ValueError(text)
    return text


def _named(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    return names.get(kind) or f"one of {', '.join(str(k) for k in get_args(kind))}"
