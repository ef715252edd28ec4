"""A symmetry as JSON and back."""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from fractions import Fraction
from typing import Any

from parasym.core import BadInputError
from parasym.groups import GROUPS, AbstractGroup
from parasym.symmetry.binding import Binding, Slot
from parasym.symmetry.coarse import Coarse
from parasym.symmetry.encode import encode_factor
from parasym.symmetry.factor import Factor, Wire
from parasym.symmetry.flat import Flat
from parasym.symmetry.self_check import Refuted, SelfCheck
from parasym.symmetry.shift import Along, Shift, Through
from parasym.symmetry.swap import Part, Swap
from parasym.symmetry.symmetry import FlatDirections, Symmetry, Uncovered

FORMAT = 2


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
        "self_check": None if symmetry.self_check is None else {**asdict(symmetry.self_check), "text": str(symmetry.self_check)},
        "refuted": [asdict(r) for r in symmetry.refuted],
        "flat": None if symmetry.flat is None else asdict(symmetry.flat),
    }
    return json.dumps(document, indent=2)


def loads(text: str, groups: Sequence[type[AbstractGroup]] = GROUPS) -> Symmetry:
    """Return the symmetry that :func:`dumps` wrote.

    Args:
        text: JSON text.
        groups: The groups that it may name.

    Raises:
        BadInputError: If the text is not JSON of this format, names another group, or was changed since it was written.
    """
    try:
        return _symmetry(json.loads(text), groups)
    except BadInputError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise BadInputError(f"The text is not a symmetry written by parasym: {error!r}.") from error


def _symmetry(document: dict[str, Any], groups: Sequence[type[AbstractGroup]]) -> Symmetry:
    if document["format"] != FORMAT:
        raise BadInputError(f"The symmetry has format {document['format']}, but this version reads format {FORMAT}.")
    return Symmetry(
        factors=tuple(_factor(f, groups) for f in document["factors"]),
        shapes=tuple((name, tuple(shape)) for name, shape in document["shapes"].items()),
        uncovered=tuple(Uncovered(**u) for u in document["uncovered"]),
        pinned=tuple(document["pinned"]),
        tied=tuple((a, b) for a, b in document["tied"]),
        constants=tuple(document.get("constants", ())),
        law=tuple(document.get("law", ())),
        self_check=_self_check(document.get("self_check")),
        refuted=tuple(Refuted(**{**r, "tensors": tuple(r["tensors"])}) for r in document.get("refuted", ())),
        coarse=tuple(Coarse(**{**c, "tensors": tuple(c["tensors"])}) for c in document.get("coarse", ())),
        flat=FlatDirections(**document["flat"]) if document.get("flat") else None,
    )


def _self_check(data: dict[str, Any] | None) -> SelfCheck | None:
    return None if data is None else SelfCheck(data["error"], data["reason"])


def _factor(data: dict[str, Any], groups: Sequence[type[AbstractGroup]]) -> Factor:
    read = {"Shift": _shift, "Swap": _swap, "Binding": _binding, "Flat": _flat}
    bindings = [read[b["kind"]](b) for b in data["bindings"]]
    factor = Factor(
        group=_group(data["group"], groups),
        wire=Wire(**data["wire"]),
        over=tuple(Wire(**w) for w in data["over"]),
        bindings=tuple(bindings),  # pyright: ignore[reportArgumentType]
    )
    if factor.id != data["id"]:
        raise BadInputError(
            f"The factor on wire `{factor.wire.name}` has the id {data['id']!r}, but what is written there makes {factor.id!r}: "
            "the text was changed by hand. Write it again with `to_json`."
        )
    return factor


def _group(data: dict[str, Any], groups: Sequence[type[AbstractGroup]]) -> AbstractGroup:
    kinds = {kind.__name__: kind for kind in groups}
    if data["name"] not in kinds:
        raise BadInputError(
            f"The text has the group {data['name']!r}; known are {', '.join(kinds)}. A group of your own is read with "
            f"`Symmetry.from_json(text, groups=(*GROUPS, {data['name']}))`, where GROUPS is that of `parasym.groups`."
        )
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
