"""A fingerprint, and the form of an instruction, hold every attribute: none can be forgotten, a new one neither."""

from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any, get_args

import pytest
import torch

from parasym.find import fingerprint, template, typing
from parasym.find.fingerprint import Fingerprints
from parasym.find.ground import Ground
from parasym.find.template import form_of, letters_of
from parasym.find.typing import infer_types
from parasym.rules import Builder, Program, Value
from parasym.rules.program import (
    NOTE,
    Cat,
    Contract,
    Expand,
    Fixed,
    Fn,
    Instruction,
    Kind,
    Normalize,
    Permute,
    Pin,
    Pointwise,
    Reduce,
    Reshape,
    Rotary,
    Slice,
    attributes,
    content,
)

SHAPE = (4, 4)
VARIANTS: dict[type, dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    Pointwise: {
        "fn": ({"fn": Fn.ODD}, {"fn": Fn.EVEN}),
        "degrees": ({"fn": Fn.MUL, "degrees": (-1,)}, {"fn": Fn.MUL, "degrees": (-2,)}),
        "signs": ({"fn": Fn.LINEAR, "signs": (1,)}, {"fn": Fn.LINEAR, "signs": (-1,)}),
        "factor": ({"fn": Fn.LINEAR, "factor": Fraction(2)}, {"fn": Fn.LINEAR, "factor": Fraction(3)}),
        "letters": ({"fn": Fn.GENERIC, "letters": ((0, 1),)}, {"fn": Fn.GENERIC, "letters": ((1, 0),)}),
    },
    Contract: {
        "x_letters": ({"x_letters": (0, 1)}, {"x_letters": (1, 0)}),
        "y_letters": ({"y_letters": (1, 2)}, {"y_letters": (2, 1)}),
        "out_letters": ({"out_letters": (0, 2)}, {"out_letters": (2, 0)}),
    },
    Reduce: {"fn": ({"fn": "sum"}, {"fn": "mean"}), "dims": ({"dims": (0,)}, {"dims": (1,)})},
    Normalize: {
        "dims": ({"dims": (0,)}, {"dims": (1,)}),
        "odd": ({"odd": True}, {"odd": False}),
        "scale_free": ({"scale_free": True}, {"scale_free": False}),
        "sums_to": ({"sums_to": 0}, {"sums_to": 1}),
    },
    Fixed: {
        "kept": ({"kept": ((0, 0),)}, {"kept": ((1, 1),)}),
        "averaging": ({"averaging": True}, {"averaging": False}),
        "fn": ({"fn": "linear"}, {"fn": "max"}),
        "of": ({"of": ("slice", 0, 1)}, {"of": ("slice", 0, 2)}),
    },
    Permute: {"order": ({"order": (0, 1)}, {"order": (1, 0)})},
    Slice: {"dim": ({"dim": 0}, {"dim": 1}), "start": ({"start": 0}, {"start": 2})},
    Cat: {"dim": ({"dim": 0}, {"dim": 1})},
    Rotary: {"interleaved": ({"interleaved": True}, {"interleaved": False})},
    Reshape: {},
    Expand: {},
    Pin: {},
}
"""For every attribute of every instruction two of them that differ in nothing else."""
DEFAULTS: dict[type, dict[str, Any]] = {
    Contract: {"x_letters": (0, 1), "y_letters": (1, 2), "out_letters": (0, 2)},
    Reduce: {"fn": "sum", "dims": (0,)},
    Normalize: {"dims": (0,)},
    Fixed: {"kept": ((0, 0),)},
    Slice: {"dim": 0, "start": 0},
}
RESULTS: dict[type, tuple[int, ...]] = {Reduce: (4,)}
CASES = [(kind, name) for kind, named in VARIANTS.items() for name in named]


def written(kind: type, options: dict[str, Any]) -> tuple[Program, Instruction]:
    """Return a program of one instruction on two parameters."""
    shape = SHAPE
    options = DEFAULTS.get(kind, {}) | options
    if kind is Rotary:
        shape = (4, 2)
    out_shape = RESULTS.get(kind, shape)
    if issubclass(kind, (Slice, Cat)):
        out_shape = tuple((2 * n if kind is Cat else n // 2) if a == options["dim"] else n for a, n in enumerate(shape))
    b = Builder()
    x, y = (b.value(shape, Kind.PARAMETER, name=name) for name in "xy")
    out = b.value(out_shape)
    reads: dict[str, Any] = {"x": x} if "x" in {f.name for f in fields(kind)} else {"xs": (x,)}
    reads |= {"y": y} if kind is Contract else {}
    reads |= {"xs": (x, y)} if kind is Cat else {}
    step = kind(**reads, out=out, **options)
    b.emit(step)
    b.program.outputs.append(out)
    return b.program, step


def prints(tree: list[Program]) -> list[list[Any]]:
    """Return shapes and fingerprints of the outputs of several programs, comparable with each other."""
    numbers: dict[Any, int] = {}
    out = []
    for program in tree:
        found = Fingerprints(Ground(infer_types(program)))
        found._numbers = numbers
        named: dict[Any, Any] = {node: node for node in found.made if program.values[node[0]].leaf}
        out.append([*(v.shape for v in program.outputs), *found.outputs(found.compute(named))])
    return out


def told_apart(first: tuple[Program, Instruction], second: tuple[Program, Instruction]) -> bool:
    one, two = prints([first[0], second[0]])
    return one != two


def test_the_table_has_every_attribute():
    kinds = {
        kind: {f.name for f in fields(kind) if f.type not in (Value, tuple[Value, ...]) and f.metadata != NOTE}
        for kind in get_args(Instruction)
    }
    assert {kind: set(named) for kind, named in VARIANTS.items()} == kinds


@pytest.mark.parametrize(("kind", "name"), CASES, ids=lambda x: getattr(x, "__name__", x))
def test_every_attribute_counts(kind: type, name: str):
    first, second = (written(kind, options) for options in VARIANTS[kind][name])
    assert told_apart(first, second)
    forms = [form_of(step, letters_of(step)) for _, step in (first, second)]
    assert forms[0] != forms[1]
    assert not told_apart(first, written(kind, VARIANTS[kind][name][0]))


@dataclass(eq=False, slots=True)
class Rounded(Pointwise):
    """An instruction with an attribute that nobody has heard of."""

    digits: int = 0


def test_a_new_attribute_counts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(typing._Typing, "_rounded", typing._Typing._pointwise, raising=False)
    first, second = (written(Rounded, {"fn": Fn.GENERIC, "digits": digits}) for digits in (1, 2))
    assert told_apart(first, second)
    assert form_of(first[1], letters_of(first[1])) != form_of(second[1], letters_of(second[1]))
    # The check can fail: had the attribute been forgotten, the two would be one.
    forgetful = lambda step: {k: v for k, v in attributes(step).items() if k != "digits"}  # noqa: E731
    monkeypatch.setattr(fingerprint, "attributes", forgetful)
    monkeypatch.setattr(template, "attributes", forgetful)
    assert not told_apart(first, second)
    assert form_of(first[1], letters_of(first[1])) == form_of(second[1], letters_of(second[1]))


def test_a_new_instruction_is_not_taken_for_another(monkeypatch: pytest.MonkeyPatch):
    @dataclass(eq=False, slots=True)
    class Strided(Slice):
        step: int = 1

    monkeypatch.setattr(typing._Typing, "_strided", typing._Typing._slice, raising=False)
    with pytest.raises(fingerprint.TooManyCells):  # nobody has said how its cells continue
        prints([written(Strided, {"dim": 0, "start": 0, "step": 2})[0]])


def test_positions_count_where_an_instruction_sees_them():
    def window(start: int) -> Program:
        b = Builder()
        x = b.value((3, 8), Kind.PARAMETER, name="x")
        spread = b.fixed(x, (3, 8), [(0, 0)])
        b.program.outputs.append(b.slice(spread, 1, start, 4))
        return b.program

    one, two, same = prints([window(1), window(2), window(1)])
    assert one == same
    assert one != two


def test_numbers_of_constants_count():
    def times(data: torch.Tensor) -> Program:
        b = Builder()
        x = b.value((2,), Kind.PARAMETER, name="x")
        b.program.outputs.append(b.mul(x, b.constant(data, data.shape)))
        return b.program

    tensors = [torch.tensor(v) for v in ([-1.0, 1.0], [-2.0, 1.0])]
    tensors += [tensors[0].to(dtype) for dtype in (torch.bfloat16, torch.float8_e5m2)]
    one, two, *low = prints([times(x) for x in tensors])
    assert one != two
    assert one not in low
    assert prints([times(tensors[2])] * 2)[0] == prints([times(tensors[2].clone())])[0]


def test_content_tells_shapes_types_and_numbers():
    x = torch.tensor([1.0, 2.0])
    others = [x.double(), x[:1], x.reshape(1, 2), x.flip(0), x.to(torch.bfloat16)]
    assert content(x) == content(x.clone())
    assert len({content(y) for y in (x, *others)}) == 6
    assert content(torch.tensor([1 + 2j]).conj()) == content(torch.tensor([1 - 2j]))


def test_fractions_are_attributes():
    step = written(Pointwise, {"fn": Fn.MUL, "degrees": (Fraction(1, 2),)})[1]
    assert attributes(step)["degrees"] == (Fraction(1, 2),)
