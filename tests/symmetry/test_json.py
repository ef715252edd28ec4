"""A symmetry from outside: whatever was changed in its text, it is a symmetry that can act, or one line says what is wrong."""

import copy
import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from parasym.core import BadInputError, SymmetryError
from parasym.find import find
from parasym.symmetry import Symmetry
from parasym.symmetry.encode import digest
from parasym.zoo import CIRCUITS, ZOO

NAMES = ("cnn_batchnorm_eval", "attention_bias", "experts_listed", "frozen_two_kinds", "attention_rope")
TRIES = 60
LINEAR = -1
"""Stands for the first factor that is borne by an axis."""


def texts() -> Iterator[str]:
    for entry in ZOO:
        if entry.name in NAMES:
            yield find(entry.model(), entry.inputs(torch.Generator().manual_seed(0))).to_json()
    yield find(CIRCUITS[0].build()).to_json()


@pytest.fixture(scope="module")
def documents() -> list[Any]:
    return [json.loads(text) for text in texts()]


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    for key, part in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from places(part, (*path, key))


def nested(depth: int) -> Any:
    data: Any = []
    for _ in range(depth):
        data = [data]
    return data


STRANGE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 7, 1 << 70, 10**400, 0.5, float("nan"), float("inf"), "", "3", "nan", "1/0", "\x1b[2J\udcff",
    [], {}, [[]], [0], {"a": 1}, [None], nested(40),
)  # fmt: skip


def changed(document: Any, draw: random.Random) -> Any:
    """One entry replaced, dropped, doubled, or exchanged with another."""
    made = copy.deepcopy(document)
    every = list(places(made))
    path = draw.choice(every)
    holder = made
    for key in path[:-1]:
        holder = holder[key]
    how = draw.randrange(5)
    if how == 0:
        del holder[path[-1]]
    elif how == 1 and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[path[-1]]))
    elif how == 2 and isinstance(holder, dict):
        holder[str(draw.choice(STRANGE[:10]))] = holder[path[-1]]
    elif how == 3:
        value: Any = made
        for key in draw.choice(every):
            value = value[key] if isinstance(value, (dict, list)) and (isinstance(value, dict) or key < len(value)) else None
        holder[path[-1]] = copy.deepcopy(value)
    else:
        holder[path[-1]] = copy.deepcopy(draw.choice(STRANGE))
    return made


def named_anew(document: Any) -> Any:
    """The ids that fit what is written, so that it seems to have been written so."""
    for factor in document.get("factors", []) if isinstance(document, dict) and isinstance(document.get("factors"), list) else []:
        if isinstance(factor, dict):
            factor["id"] = digest({key: factor.get(key) for key in ("group", "wire", "over", "bindings")})
    return document


def outcome(text: str) -> str:
    """Read it; what is read must print, go round, and act on tensors of its shapes."""
    try:
        symmetry = Symmetry.from_json(text)
    except SymmetryError:
        return "refused"
    assert symmetry.to_json() == Symmetry.from_json(symmetry.to_json()).to_json()
    assert str(symmetry)
    params = {name: torch.rand(shape, dtype=torch.float64) + 0.5 for name, shape in symmetry.shapes}
    element = symmetry.sample(generator=torch.Generator().manual_seed(0))
    moved = element(params)
    assert all(moved[name].shape == x.shape for name, x in params.items())
    return "same" if json.loads(symmetry.to_json()) == json.loads(text) else "read"


@pytest.mark.parametrize("anew", [False, True])
def test_no_change_is_a_crash(documents: list[Any], anew: bool) -> None:
    draw, found = random.Random(0), Counter[str]()
    for document in documents:
        for _ in range(TRIES):
            made = changed(document, draw)
            found[outcome(json.dumps(named_anew(made) if anew else made))] += 1
    assert sum(found.values()) == TRIES * len(documents)
    assert found["refused"] > sum(found.values()) / 2
    assert found["read"] + found["same"] > 0  # a note was changed, or what is computed from the rest


def test_no_text_is_a_crash(documents: list[Any]) -> None:
    draw, text = random.Random(1), json.dumps(documents[0])
    for _ in range(40):
        at, kind = draw.randrange(len(text)), draw.randrange(3)
        spoilt = (text[:at], text[:at] + chr(draw.randrange(32, 1000)) + text[at + 1 :], text[at:])[kind]
        outcome(spoilt)
    for spoilt in ("", "null", "[]", "3", "[" * 100_000, '{"format": ' + "[" * 100_000, '{"format": 2}', "\x00", "9" * 5000):
        with pytest.raises(BadInputError, match=r"The text is not a symmetry written by parasym|has format"):
            Symmetry.from_json(spoilt)


def test_every_symmetry_goes_round(documents: list[Any]) -> None:
    assert {outcome(json.dumps(document)) for document in documents} == {"same"}


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("shapes", "0.weight"), [3, 1, "3"], "must be a whole number"),
        (("factors", LINEAR, "wire", "size"), True, "`size` must be a whole number, but is True"),
        (("factors", LINEAR, "bindings", 0, "slot", "axis"), 9, "there is no axis 9"),
        (("factors", LINEAR, "bindings", 0, "slot", "starts"), [99], "reaches beyond axis"),
        (("factors", LINEAR, "bindings", 0, "tensor"), "\x1b[2J", "of which it has no shape"),
        (("factors", LINEAR, "bindings", 0, "power"), "1/0", "must be a fraction"),
        (("factors", LINEAR, "group", "name"), "Exec", "known are"),
        (("factors", LINEAR, "bindings", 0, "more"), 1, "unknown entry `more`"),
        (("pinned",), ["nowhere"], "it speaks of `nowhere`"),
        (("coarse",), [{"operation": 3}], "`operation` must be a text"),
    ],
)
def test_what_is_wrong_is_said(documents: list[Any], path: tuple[Any, ...], value: Any, words: str) -> None:
    made = copy.deepcopy(documents[0])
    linear = next(k for k, factor in enumerate(made["factors"]) if factor["bindings"][0]["kind"] == "Binding")
    holder = made
    for key in path[:-1]:
        holder = holder[linear if key == LINEAR else key]
    holder[path[-1]] = value
    with pytest.raises(BadInputError, match=words):
        Symmetry.from_json(json.dumps(named_anew(made)))
