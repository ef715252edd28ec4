"""What a file of a study must look like: one schema for rows and for the list of tasks."""

import json
import math
from collections.abc import Mapping
from typing import Any

from parasym.checkpoint.safe import unique

FORMAT = 1
"""Of the list of tasks and of rows; a folder without one is of the first."""

Fields = Mapping[str, Any]

ROW: Fields = {
    "id": str,
    "study": str,
    "task": dict,
    "data": str,
    "commit": str,
    "versions": {str: str},
    "sources": str,
    "device": str,
    "threads": int,
    "seed": int,
    "seconds": float,
    "processor": float,
    "records": [{"method": str, "diverged": bool}],
    "counts": {str: {str: int}},
    "sums": {str: {str: float}},
}
TASKS: Fields = {"format": int, "study": str, "version": int, "preset": str, "data": {str: str}, "tasks": {str: dict}}


def parsed(data: bytes) -> dict[str, Any]:
    """Return the object of one JSON text.

    Args:
        data: UTF-8.

    Raises:
        ValueError: If it is no UTF-8, no JSON, no object, has a key twice, or numbers that JSON does not have.
    """
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if not isinstance(found, dict):
        raise ValueError(f"it must be an object, but is a {type(found).__name__}")
    return found


def check(found: dict[str, Any], fields: Fields) -> None:
    """Compare an object with a schema: these fields, no others, each of its kind.

    Args:
        found: What was read.
        fields: By name the kind: a type, ``[kind]`` for a list, ``{str: kind}`` for a dictionary, or fields that an object has
            among others.

    Raises:
        ValueError: If it differs; the message names the field.
    """
    missing, unknown = fields.keys() - found.keys(), found.keys() - fields.keys()
    if missing or unknown:
        parts = [f"lacks {', '.join(sorted(missing))}"] if missing else []
        parts += [f"has {', '.join(sorted(unknown))}, which this version does not know"] if unknown else []
        raise ValueError(f"it {' and '.join(parts)}")
    for name, kind in fields.items():
        _check(found[name], kind, name)


def _check(value: Any, kind: Any, where: str) -> None:
    if isinstance(kind, list):
        _demand(isinstance(value, list), value, "a list", where)
        for place, part in enumerate(value):
            _check(part, kind[0], f"{where}[{place}]")
    elif isinstance(kind, Mapping):
        _demand(isinstance(value, dict), value, "an object", where)
        for name, part in kind.items() if str not in kind else ():
            _demand(name in value, value, f"an object with `{name}`", where)
            _check(value[name], part, f"{where}.{name}")
        for name, part in value.items() if str in kind else ():
            _check(part, kind[str], f"{where}.{name}")
    elif kind is float:
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        _demand(good or value is None, value, "a number", where)
    elif kind is bool:
        _demand(isinstance(value, bool) or value in {0, 1}, value, "true or false", where)
    elif kind is int:
        _demand(isinstance(value, int) and not isinstance(value, bool), value, "a whole number", where)
    else:
        _demand(isinstance(value, kind), value, {str: "a text", dict: "an object"}[kind], where)


def _demand(good: bool, value: Any, what: str, where: str) -> None:
    if not good:
        raise ValueError(f"`{where}` must be {what}, but is {json.dumps(value)[:60]}")


def _no_number(text: str) -> Any:
    raise ValueError(f"JSON has no {text}")
