"""A symmetry as JSON and back."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from parasym.core import BadInputError
from parasym.groups import GROUPS, AbstractGroup
from parasym.symmetry.binding import Binding
from parasym.symmetry.coarse import Coarse
from parasym.symmetry.consistent import check_consistent
from parasym.symmetry.decode import decode, value
from parasym.symmetry.encode import encode_factor
from parasym.symmetry.factor import Factor, Wire
from parasym.symmetry.flat import Flat
from parasym.symmetry.frozen import FrozenEntries
from parasym.symmetry.self_check import Refuted, SelfCheck
from parasym.symmetry.shift import Shift
from parasym.symmetry.swap import Swap
from parasym.symmetry.symmetry import FlatDirections, Symmetry, Uncovered

FORMAT = 4


def dumps(symmetry: Symmetry) -> str:
    """Return ``symmetry`` as JSON text.

    Args:
        symmetry: Any symmetry.
    """
    factors = [
        {"id": f.id, "dimension": f.dimension, **encode_factor(f.group, f.wire, f.over, f.bindings)} for f in symmetry.factors
    ]
    document = {
        "format": FORMAT,
        "order": hex(symmetry.order),
        "dimension": symmetry.dimension,
        "factors": factors,
        "shapes": {name: list(shape) for name, shape in symmetry.shapes},
        "uncovered": [asdict(u) for u in symmetry.uncovered],
        "coarse": [asdict(c) for c in symmetry.coarse],
        "pinned": list(symmetry.pinned),
        "tied": [list(pair) for pair in symmetry.tied],
        "constants": list(symmetry.constants),
        "law": list(symmetry.law),
        "self_check": None
        if symmetry.self_check is None
        else {**_finite(asdict(symmetry.self_check)), "text": str(symmetry.self_check)},
        "refuted": [_finite(asdict(r)) for r in symmetry.refuted],
        "flat": None if symmetry.flat is None else asdict(symmetry.flat),
        "frozen": [asdict(f) for f in symmetry.frozen],
    }
    return json.dumps(document, indent=2, allow_nan=False)


def _finite(data: dict[str, Any]) -> dict[str, Any]:
    """Return data with an error that is no number as text, which JSON has no number for."""
    error = data["error"]
    return data | {"error": error if error is None or math.isfinite(error) else str(error)}


def loads(text: str, groups: Sequence[type[AbstractGroup]] = GROUPS) -> Symmetry:
    """Return the symmetry that :func:`dumps` wrote.

    Args:
        text: JSON text.
        groups: The groups that it may name.

    Raises:
        BadInputError: If the text is not JSON of this format, an entry is of another type or does not fit the shapes, it names
            another group, or was changed since it was written.
    """
    try:
        document = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInputError(f"The text is not a symmetry written by parasym: it is no JSON ({_line(error)}).") from error
    if not isinstance(document, dict) or "format" not in document:
        raise BadInputError("The text is not a symmetry written by parasym: it must be an object with the entry `format`.")
    if document["format"] != FORMAT:
        raise BadInputError(f"The symmetry has format {document['format']!r}, but this version reads format {FORMAT}.")
    try:
        symmetry = _symmetry(document, groups)
    except BadInputError as error:
        raise BadInputError(f"The text is not a symmetry written by parasym: {error}") from error
    check_consistent(symmetry)
    return symmetry


def _symmetry(document: dict[str, Any], groups: Sequence[type[AbstractGroup]]) -> Symmetry:
    lacking = [name for name in ("factors", "shapes") if name not in document]
    if lacking:
        raise BadInputError(f"it lacks `{lacking[0]}`.")
    factors = document["factors"]
    if not isinstance(factors, list):
        raise BadInputError("`factors` must be a list.")
    read = {name: document[name] for name in PARTS if document.get(name) is not None}
    if isinstance(read.get("self_check"), dict):
        read["self_check"] = {name: part for name, part in read["self_check"].items() if name != "text"}
    shapes = value(Mapping[str, tuple[int, ...]], document["shapes"], "`shapes`")
    found = {name: value(PARTS[name], part, f"`{name}`") for name, part in read.items()}
    return Symmetry(
        factors=tuple(_factor(f, groups, f"factor {k}") for k, f in enumerate(factors)), shapes=tuple(shapes.items()), **found
    )


PARTS: Mapping[str, Any] = {
    "uncovered": tuple[Uncovered, ...],
    "coarse": tuple[Coarse, ...],
    "pinned": tuple[str, ...],
    "tied": tuple[tuple[str, str], ...],
    "constants": tuple[str, ...],
    "law": tuple[str, ...],
    "self_check": SelfCheck,
    "refuted": tuple[Refuted, ...],
    "flat": FlatDirections,
    "frozen": tuple[FrozenEntries, ...],
}
"""What a symmetry says beside its factors, and of which types."""

BINDINGS = {kind.__name__: kind for kind in (Binding, Shift, Swap, Flat)}
ENTRIES = ("id", "group", "wire", "over", "bindings")


def _factor(data: Any, groups: Sequence[type[AbstractGroup]], where: str) -> Factor:
    lacking = [name for name in ENTRIES if not isinstance(data, dict) or name not in data]
    if lacking:
        raise BadInputError(f"{where} must be an object with the entries {', '.join(ENTRIES)}, but lacks `{lacking[0]}`.")
    if not isinstance(data["bindings"], list):
        raise BadInputError(f"{where}: `bindings` must be a list.")
    factor = Factor(
        group=_group(data["group"], groups, where),
        wire=decode(Wire, data["wire"], f"{where}: `wire`"),
        over=value(tuple[Wire, ...], data["over"], f"{where}: `over`"),
        bindings=tuple(_binding(b, f"{where}: binding {k}") for k, b in enumerate(data["bindings"])),  # pyright: ignore[reportArgumentType]
    )
    if factor.id != data["id"]:
        raise BadInputError(
            f"the factor on wire `{factor.wire.name}` has the id {data['id']!r}, but what is written there makes {factor.id!r}: "
            "the text was changed by hand. Write it again with `to_json`."
        )
    return factor


def _group(data: Any, groups: Sequence[type[AbstractGroup]], where: str) -> AbstractGroup:
    kinds = {kind.__name__: kind for kind in groups}
    name = data.get("name") if isinstance(data, dict) else None
    if not isinstance(name, str) or name not in kinds:
        raise BadInputError(
            f"{where} has the group {name!r}; known are {', '.join(kinds)}. A group of your own is read with "
            f"`Symmetry.from_json(text, groups=(*GROUPS, {name}))`, where GROUPS is that of `parasym.groups`."
        )
    fields = {key: part for key, part in data.items() if key != "name"}
    try:
        return decode(kinds[name], fields, f"{where}: `group`")
    except (ValueError, TypeError, ArithmeticError) as error:
        if isinstance(error, BadInputError):
            raise
        raise BadInputError(f"{where}: `group` makes no {name} ({_line(error)}).") from error


def _binding(data: Any, where: str) -> Any:
    kind = BINDINGS.get(data["kind"]) if isinstance(data, dict) and isinstance(data.get("kind"), str) else None
    if kind is None:
        raise BadInputError(f"{where} must be an object with a `kind` of {', '.join(BINDINGS)}.")
    return decode(kind, {key: part for key, part in data.items() if key != "kind"}, where)


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
