"""Color refinement: channels may be exchanged only if every constant treats them alike."""

import torch

from parasym.find.axis import Leaf
from parasym.find.typing import Types
from parasym.rules.program import Kind, Value

Cells = tuple[tuple[int, ...], ...]


def cells(types: Types) -> dict[Leaf, Cells | None]:
    """Return for every wire that a constant bears which channels are exchangeable, ``None`` if that is not known.

    Two channels are exchangeable if their slices agree in every constant; a constant whose numbers are
    not known makes all channels different.

    Args:
        types: The types of a program.
    """
    colors: dict[Leaf, torch.Tensor] = {}
    unknown: set[Leaf] = set()
    for value in types.program.values:
        if value.kind is not Kind.CONSTANT or 0 in value.shape:
            continue
        for axis in range(len(value.shape)):
            for start, term in ((t.start, t) for t in types.terms(types.axes[value.index][axis])):
                for place, leaf in enumerate(term.wires):
                    if leaf in types.pinned or leaf in unknown:
                        continue
                    if value.data is None:
                        unknown.add(leaf)
                        continue
                    mine = _colors(value, axis, start, term.wires, term.strides, place)
                    colors[leaf] = mine if leaf not in colors else _refine(colors[leaf], mine)
    out: dict[Leaf, Cells | None] = {leaf: _classes(c) for leaf, c in colors.items() if leaf not in unknown}
    return out | dict.fromkeys(unknown)


def _colors(value: Value, axis: int, start: int, wires: tuple[Leaf, ...], strides: tuple[int, ...], place: int) -> torch.Tensor:
    assert value.data is not None
    positions = torch.tensor(start)
    for k, (wire, stride) in enumerate(zip(wires, strides, strict=True)):
        positions = positions.unsqueeze(-1) + torch.arange(wire.size) * stride
        del k
    data = value.data.cpu()
    part = (torch.view_as_real(data) if data.is_complex() else data).movedim(axis, 0)[positions.flatten()]
    part = part.reshape(*(wire.size for wire in wires), -1).movedim(place, 0).flatten(1)
    if bool((part == part[:1]).all()):
        return torch.zeros(len(part), dtype=torch.long)
    return torch.unique(part, dim=0, return_inverse=True)[1]


def _refine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.unique(torch.stack((a, b)), dim=1, return_inverse=True)[1]


def _classes(colors: torch.Tensor) -> Cells:
    groups: dict[int, list[int]] = {}
    for channel, color in enumerate(colors.tolist()):
        groups.setdefault(color, []).append(channel)
    return tuple(tuple(group) for group in groups.values())
