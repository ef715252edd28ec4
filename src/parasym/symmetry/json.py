"""A symmetry as JSON and back."""

import json
from dataclasses import asdict, fields
from fractions import Fraction
from typing import Any

from parasym.core import BadInputError
from parasym.groups import GROUPS, AbstractGroup
from parasym.symmetry.binding import Binding, Slot
from parasym.symmetry.factor import Factor, Wire
from parasym.symmetry.flat import Flat
from parasym.symmetry.shift import Along, Shift, Through
from parasym.symmetry.swap import Part, Swap
from parasym.symmetry.symmetry import Symmetry, Uncovered

FORMAT = 1


def dumps(symmetry: Symmetry) -> str:
    """Return ``symmetry`` as JSON text.

    Args:
        symmetry: Any symmetry.
    """
    factors = [
        {
            "group": {"name": type(f.group).__name__, **asdict(f.group)},
            "dimension": f.dimension,
            "wire": asdict(f.wire),
            "over": [asdict(w) for w in f.over],
            "bindings": [{"kind": type(b).__name__, **asdict(b)} for b in f.bindings],
        }
        for f in symmetry.factors
    ]
    document = {
        "format": FORMAT,
        "order": hex(symmetry.order),
        "dimension": symmetry.dimension,
        "factors": factors,
        "shapes": {name: list(shape) for name, shape in symmetry.shapes},
        "uncovered": [asdict(u) for u in symmetry.uncovered],
        "pinned": list(symmetry.pinned),
        "tied": [list(pair) for pair in symmetry.tied],
    }
    return json.dumps(document, indent=2, default=str)


def loads(text: str) -> Symmetry:
    """Return the symmetry that :func:`dumps` wrote.

    Args:
        text: JSON text.

    Raises:
        BadInputError: If the text is not JSON of this format.
    """
    try:
        return _symmetry(json.loads(text))
    except BadInputError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise BadInputError(f"The text is not a symmetry written by parasym: {error!r}.") from error


def _symmetry(document: dict[str, Any]) -> Symmetry:
    if document["format"] != FORMAT:
        raise BadInputError(f"The symmetry has format {document['format']}, but this version reads format {FORMAT}.")
    return Symmetry(
        factors=tuple(_factor(f) for f in document["factors"]),
        shapes=tuple((name, tuple(shape)) for name, shape in document["shapes"].items()),
        uncovered=tuple(Uncovered(**u) for u in document["uncovered"]),
        pinned=tuple(document["pinned"]),
        tied=tuple((a, b) for a, b in document["tied"]),
    )


def _factor(data: dict[str, Any]) -> Factor:
    read = {"Shift": _shift, "Swap": _swap, "Binding": _binding, "Flat": _flat}
    bindings = [read[b["kind"]](b) for b in data["bindings"]]
    return Factor(
        group=_group(data["group"]),
        wire=Wire(**data["wire"]),
        over=tuple(Wire(**w) for w in data["over"]),
        bindings=tuple(bindings),  # pyright: ignore[reportArgumentType]
    )


def _group(data: dict[str, Any]) -> AbstractGroup:
    kinds = {kind.__name__: kind for kind in GROUPS}
    kind = kinds[data["name"]]
    return kind(**{field.name: _tuples(data[field.name]) for field in fields(kind)})


def _slot(data: dict[str, Any]) -> Slot:
    return Slot(**{key: _tuples(value) for key, value in data.items()})


def _binding(data: dict[str, Any]) -> Binding:
    return Binding(
        tensor=data["tensor"],
        slot=None if data["slot"] is None else _slot(data["slot"]),
        over=tuple(_slot(s) for s in data["over"]),
        region=tuple(_slot(s) for s in data["region"]),
        power=Fraction(data["power"]),
        offset=data["offset"],
    )


def _shift(data: dict[str, Any]) -> Shift:
    return Shift(
        tensor=data["tensor"],
        shape=tuple(data["shape"]),
        dims=tuple(data["dims"]),
        sign=data["sign"],
        slots=tuple(_slot(s) for s in data["slots"]),
        through=tuple(_step(t) for t in data["through"]),
    )


def _swap(data: dict[str, Any]) -> Swap:
    return Swap(
        tuple(tuple(Part(p["tensor"], tuple(_slot(s) for s in p["slots"])) for p in member) for member in data["members"])
    )


def _flat(data: dict[str, Any]) -> Flat:
    return Flat(_tuples(data["parts"]))


def _step(data: dict[str, Any]) -> Through | Along:
    if "slot" in data:
        return Through(data["weight"], _slot(data["slot"]), data["axis"])
    return Along(data["weight"], data["power"], data["offset"])


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
