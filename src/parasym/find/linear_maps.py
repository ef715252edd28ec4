"""Which parameters are linear maps, and which of their axes are the rows: read off the program of a model.

A parameter is a linear map where it, or something that is made of parameters alone, is contracted with an activation. An axis
that is summed over belongs to the fan-in, one that stays belongs to the rows. That is so however the model writes it: as
``x W^T`` or ``x W``, by an einsum, one slice of the tensor at a time, after a division by its norm, or as the product of two
low-rank factors. A table that is looked up has a row for every feature, whose entries are those of the tokens.

Data count as activations: a layer on fixed coordinates is a map. The pass goes once through the instructions, in their order,
and remembers for every value made of parameters alone where its axes come from. It must not take a contraction of two
parameters for a map of either: of ``(B A) x`` the axis in the middle is a row of ``A`` and in the fan-in of ``B``.
"""

from dataclasses import dataclass, field
from math import prod
from typing import Any

from parasym.rules.program import (
    Contract,
    Expand,
    Fixed,
    Instruction,
    Kind,
    Permute,
    Pointwise,
    Program,
    Reduce,
    Reshape,
    Value,
    operands,
    result,
    segments,
)

Place = tuple[int, int]
"""An axis of a parameter, and which part of it where a reshape has cut it, outermost first."""


@dataclass(frozen=True)
class LinearMap:
    """A parameter as a map: which axes are rows.

    Attributes:
        tensor: Name of the parameter.
        split: Its shape, with an axis cut in parts where only some of them are rows.
        rows: Which axes of ``split`` are rows; the others are the fan-in.
        kernel: How many of the last axes are places of a convolution's kernel.
        skip: The entry of the fan-in that a table keeps at zero, if there is one.
    """

    tensor: str
    split: tuple[int, ...]
    rows: tuple[int, ...]
    kernel: int = 0
    skip: int | None = None


@dataclass
class _Origin:
    """A parameter that a value is made of.

    Attributes:
        value: The parameter.
        axes: For every axis of the value the places in the parameter it comes from.
        met: Places that were summed over in a product with another parameter.
    """

    value: Value
    axes: list[tuple[Place, ...]]
    met: set[int] = field(default_factory=set)


def linear_maps(program: Program) -> dict[str, LinearMap]:
    """Return every parameter that is a linear map, by name; of several uses the first counts.

    Args:
        program: A lowered model.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from parasym.find.search import lowered_model
        >>> class Net(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.up, self.scale = nn.Parameter(torch.ones(4, 5)), nn.Parameter(torch.ones(2, 5))
        ...     def forward(self, x):
        ...         return (x @ self.up).tanh() + self.scale
        >>> _, lowered = lowered_model(Net(), (torch.zeros(2, 4),), {})
        >>> list(linear_maps(lowered.program).values())
        [LinearMap(tensor='up', split=(4, 5), rows=(1,), kernel=0, skip=None)]
    """
    origins: dict[int, list[_Origin]] = {}
    for value in program.values:
        if value.kind is Kind.PARAMETER and value.real:
            origins[value.index] = [_Origin(value, [((axis, 0),) for axis in range(len(value.shape))])]
    still = {v.index for v in program.values if v.kind in (Kind.PARAMETER, Kind.STATE, Kind.CONSTANT)}
    data = {v.index for v in program.values if v.kind is Kind.CONSTANT}
    found: dict[str, LinearMap] = {}
    for step in program.code:
        out = result(step)
        if out is None:
            continue
        if all(x.index in data for x in operands(step)):
            data.add(out.index)
        meets_data = isinstance(step, Contract) and bool({step.x.index, step.y.index} & data)
        at_rest = all(x.index in still for x in operands(step)) and out.index not in program.loops
        if at_rest and not meets_data and not _looks_up(program, step):
            still.add(out.index)
            origins[out.index] = _carried(step, origins)
        else:
            for one in _mapped(program, step, origins, still):
                found.setdefault(one.tensor, one)
    return found


# -- values made of parameters alone ------------------------------------------------------------------


def _carried(step: Instruction, origins: dict[int, list[_Origin]]) -> list[_Origin]:
    """Return what the result of an instruction on parameters is made of."""
    out: list[_Origin] = []
    for k, x in enumerate(operands(step)):
        for origin in origins.get(x.index, ()):
            axes = _axes(step, k, origin.axes)
            if axes is not None:
                met = set(origin.met)
                if isinstance(step, Contract):
                    mine, other = (step.x_letters, step.y_letters) if k == 0 else (step.y_letters, step.x_letters)
                    gone = [
                        a
                        for letter, a in zip(mine, origin.axes, strict=True)
                        if letter in other and letter not in step.out_letters
                    ]
                    met |= {axis for places in gone for axis, _ in places}
                out.append(_Origin(origin.value, axes, met))
    return out


def _axes(step: Instruction, k: int, axes: list[tuple[Place, ...]]) -> list[tuple[Place, ...]] | None:
    """Return where the axes of the result come from, for operand number ``k``; nothing if that cannot be told."""
    out = result(step)
    assert out is not None
    made: list[tuple[Place, ...]] = [()] * len(out.shape)
    if isinstance(step, Pointwise):
        for letter, places in zip(step.letters[k], axes, strict=True):
            if letter is not None:
                made[letter] = places
    elif isinstance(step, Contract):
        letters = step.x_letters if k == 0 else step.y_letters
        by_letter = dict(zip(letters, axes, strict=True))
        made = [by_letter.get(letter, ()) for letter in step.out_letters]
    elif isinstance(step, Permute):
        made = [axes[a] for a in step.order]
    elif isinstance(step, Expand):
        made[len(made) - len(axes) :] = axes
    elif isinstance(step, Reduce):
        made = [places for a, places in enumerate(axes) if a not in step.dims]
    elif isinstance(step, Reshape):
        return _reshaped(step, axes)
    elif len(axes) == len(made):
        made = axes  # slices, normalizations, concatenations: axis by axis
    else:
        return None
    return made


def _reshaped(step: Reshape, axes: list[tuple[Place, ...]]) -> list[tuple[Place, ...]]:
    made: list[tuple[Place, ...]] = [()] * len(step.out.shape)
    for ins, outs in segments(step.x.shape, step.out.shape):
        places = tuple(p for a in ins if step.x.shape[a] > 1 for p in axes[a])
        real = [a for a in outs if step.out.shape[a] > 1]
        lone = len({axis for axis, _ in places}) == 1 and len(real) > 1
        for part, a in enumerate(real):
            made[a] = ((places[0][0], part),) if lone else places
    return made


# -- where they meet activations ------------------------------------------------------------------


def _mapped(program: Program, step: Instruction, origins: dict[int, list[_Origin]], still: set[int]) -> list[LinearMap]:
    """Return the parameters that an instruction applies to an activation."""
    maps: list[LinearMap | None] = []
    name, arguments = _operation(program, step)
    if isinstance(step, Contract):
        for x, letters in ((step.x, step.x_letters), (step.y, step.y_letters)):
            if x.index in still:
                kept = [letter in step.out_letters for letter in letters]
                maps += [_map(origin, x.shape, kept, convolves="conv" in name) for origin in origins.get(x.index, ())]
    elif isinstance(step, Fixed):
        kept = [axis in {a for a, _ in step.kept} for axis in range(len(step.x.shape))]
        for origin in origins.get(step.x.index, ()):
            maps.append(_map(origin, step.x.shape, kept, skip=_padding(name, arguments)))
    return [one for one in maps if one is not None]


def _operation(program: Program, step: Instruction) -> tuple[str, tuple[Any, ...]]:
    """Return the operation that an instruction belongs to: its name and its arguments."""
    out = result(step)
    tag = program.tags[out.index][0] if out is not None and out.index in program.tags else ()
    return (str(tag[0]), tag[1:]) if tag else ("", ())


def _looks_up(program: Program, step: Instruction) -> bool:
    return isinstance(step, Fixed) and "embedding" in _operation(program, step)[0]


def _padding(name: str, arguments: tuple[Any, ...]) -> int | None:
    """Return the token that an embedding, or one of bags, keeps at zero."""
    place = 8 if name.rstrip("_").endswith(("bag", "bag_forward_only")) else 2
    args: Any = arguments[0] if arguments else ()
    kwargs: Any = arguments[1] if len(arguments) > 1 else {}
    given = args[place] if len(args) > place else kwargs.get("padding_idx", -1)
    return given if isinstance(given, int) and given >= 0 else None


def _map(
    origin: _Origin, shape: tuple[int, ...], kept: list[bool], *, convolves: bool = False, skip: int | None = None
) -> LinearMap | None:
    """Return a parameter as a map, if it is one: some of its axes are summed over, and each lies on one side."""
    sides: dict[int, dict[int, tuple[int, bool]]] = {}
    for places, size, stays in zip(origin.axes, shape, kept, strict=True):
        for axis, part in places:
            sides.setdefault(axis, {})[part] = size, stays
    present = {stays for parts in sides.values() for _, stays in parts.values()}
    split: list[int] = []
    rows: list[int] = []
    for axis, length in enumerate(origin.value.shape):
        # An axis of which only one place is seen at a time is one of rows, each map having its own.
        parts = [sides.get(axis, {})[part] for part in sorted(sides.get(axis, {}))]
        stays = {side for _, side in parts} or {(False in present) if axis in origin.met else length > 1}
        sizes = [length] if len(stays) == 1 else [size for size, _ in parts]
        if prod(sizes) != length:
            return None
        for k in range(len(sizes)):
            if parts[k][1] if len(stays) > 1 else True in stays:
                rows.append(len(split))
            split.append(sizes[k])
    kernel = len(origin.value.shape) - 2 if convolves else 0
    rows = [row for row in rows if row < len(split) - kernel]
    if len(rows) == len(split):
        return None
    return LinearMap(origin.value.name, tuple(split), tuple(rows), kernel, skip)
