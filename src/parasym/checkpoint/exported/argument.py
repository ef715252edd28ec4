"""Arguments of a program: JSON in which every value says what it is."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from parasym.checkpoint.exported.refused import Refused

DTYPES: Mapping[int, torch.dtype] = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    9: torch.complex32,
    10: torch.complex64,
    11: torch.complex128,
    12: torch.bool,
    13: torch.bfloat16,
    28: torch.uint16,
    29: torch.float8_e4m3fn,
    30: torch.float8_e5m2,
    31: torch.float8_e4m3fnuz,
    32: torch.float8_e5m2fnuz,
    34: torch.uint32,
    35: torch.uint64,
}
MEMORY_FORMATS = {1: torch.contiguous_format, 2: torch.channels_last, 3: torch.channels_last_3d, 4: torch.preserve_format}
STRIDED = 7

Values = dict[str, Any]
"""What the names of a graph stand for while it runs."""


def value_of(data: Any, values: Values) -> Any:
    """Return an argument.

    Args:
        data: An object with one key, which says what its value is, as in ``{"as_int": 3}`` or ``{"as_tensor": {"name": "x"}}``.
        values: What names stand for.

    Raises:
        Refused: If it is of a kind that is no data.
    """
    kind, value = only(data)
    if kind not in READERS:
        raise Refused(f"it has an argument of the kind `{kind}`, which is no plain data")
    return READERS[kind](value, values)


def names_in(data: Any) -> list[str | None]:
    """Return the names that an output gives, in order; ``None`` where it gives none.

    Args:
        data: As for :func:`value_of`.
    """
    kind, value = only(data)
    if kind in {"as_tensors", "as_optional_tensors", "as_sym_ints", "as_sym_floats", "as_sym_bools"}:
        return [_name(part if kind == "as_tensors" else only(part)[1]) for part in value]
    return [_name(value)]


def only(data: Any) -> tuple[str, Any]:
    """Return the key and the value of an object with one key.

    Args:
        data: The object.

    Raises:
        Refused: If it is something else.
    """
    if not isinstance(data, dict) or len(data) != 1:
        raise Refused("it has an argument that is no object with one key")
    return next(iter(data.items()))


def number(value: Any) -> float:
    """Return a number; JSON has no infinity, which is a text here.

    Args:
        value: A number, or ``Infinity``, ``-Infinity`` or ``NaN``.
    """
    return float(value)


def _name(value: Any) -> str | None:
    if isinstance(value, dict):
        found = value.get("name", value.get("as_name"))
        return found if isinstance(found, str) else None
    return value if isinstance(value, str) else None


def _known(value: Any, values: Values) -> Any:
    name = _name(value)
    if name is None or name not in values:
        raise Refused(f"it refers to `{name}`, which nothing has made")
    return values[name]


def _symbolic(value: Any, values: Values) -> Any:
    kind, inner = only(value)
    return _known(inner, values) if kind == "as_name" else inner


def _dtype(value: Any, _: Values) -> torch.dtype:
    if value not in DTYPES:
        raise Refused(f"it has numbers of the kind {value}, which is unknown")
    return DTYPES[value]


def _memory_format(value: Any, _: Values) -> torch.memory_format:
    if value not in MEMORY_FORMATS:
        raise Refused(f"it has tensors in the memory format {value}, which is unknown")
    return MEMORY_FORMATS[value]


def _layout(value: Any, _: Values) -> torch.layout:
    if value != STRIDED:
        raise Refused("it makes tensors that are not dense")
    return torch.strided


def _listed(reader: Callable[[Any, Values], Any]) -> Callable[[Any, Values], list[Any]]:
    return lambda value, values: [reader(part, values) for part in value]


def _plain(kind: type, *others: type) -> Callable[[Any, Values], Any]:
    def read(value: Any, _: Values) -> Any:
        if type(value) not in {kind, *others}:
            raise Refused(f"it has a {type(value).__name__} where a {kind.__name__} belongs")
        return value

    return read


_int, _bool, _text = _plain(int), _plain(bool), _plain(str)
READERS: Mapping[str, Callable[[Any, Values], Any]] = {
    "as_none": lambda value, values: None,
    "as_tensor": _known,
    "as_tensors": _listed(_known),
    "as_optional_tensor": value_of,
    "as_optional_tensors": _listed(value_of),
    "as_nested_tensors": _listed(_listed(_known)),
    "as_int": _int,
    "as_ints": _listed(_int),
    "as_int_lists": _listed(_listed(_int)),
    "as_float": lambda value, values: number(value),
    "as_floats": _listed(lambda value, values: number(value)),
    "as_float_lists": _listed(_listed(lambda value, values: number(value))),
    "as_bool": _bool,
    "as_bools": _listed(_bool),
    "as_string": _text,
    "as_strings": _listed(_text),
    "as_complex": lambda value, values: complex(number(value["real"]), number(value["imag"])),
    "as_sym_int": _symbolic,
    "as_sym_ints": _listed(_symbolic),
    "as_sym_float": _symbolic,
    "as_sym_floats": _listed(_symbolic),
    "as_sym_bool": _symbolic,
    "as_sym_bools": _listed(_symbolic),
    "as_scalar_type": _dtype,
    "as_memory_format": _memory_format,
    "as_layout": _layout,
    "as_device": lambda value, values: torch.device("cpu"),
}
"""By kind. Left out are objects of classes and operators as values; graphs are arguments of a few operations only."""
