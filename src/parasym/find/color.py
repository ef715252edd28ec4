"""Color refinement: channels may be exchanged only if every constant treats them alike."""

from math import prod

import torch

from parasym.find.axis import Leaf
from parasym.find.typing import Types
from parasym.rules.program import Kind, Value

Cells = tuple[tuple[int, ...], ...]
_FEW = 32
"""Entries of every slice that are looked at first."""


def cells(types: Types) -> dict[Leaf, Cells | None]:
    """Return for every wire that a constant bears which channels are exchangeable, ``None`` if that is not known.

    Two channels are exchangeable if their slices agree in every constant; a constant whose numbers are
    not known makes all channels different.

    Args:
        types: The types of a program.
    """
    colors: dict[Leaf, torch.Tensor] = {}
    unknown: set[Leaf] = set()
    told_apart: set[Leaf] = set()
    for value in types.program.values:
        if value.kind is not Kind.CONSTANT or 0 in value.shape:
            continue
        for axis in range(len(value.shape)):
            for start, term in ((t.start, t) for t in types.terms(types.axes[value.index][axis])):
                for place, leaf in enumerate(term.wires):
                    if leaf in types.pinned or leaf in unknown or leaf in told_apart:
                        continue
                    if value.data is None:
                        unknown.add(leaf)
                        continue
                    mine = _colors(value, axis, start, term.wires, term.strides, place)
                    colors[leaf] = mine if leaf not in colors else _refine(colors[leaf], mine)
                    if int(colors[leaf].max()) == leaf.size - 1:
                        told_apart.add(leaf)
    out: dict[Leaf, Cells | None] = {leaf: _classes(c) for leaf, c in colors.items() if leaf not in unknown}
    return out | dict.fromkeys(unknown)


def _colors(value: Value, axis: int, start: int, wires: tuple[Leaf, ...], strides: tuple[int, ...], place: int) -> torch.Tensor:
    assert value.data is not None
    positions = torch.tensor(start)
    for k, (wire, stride) in enumerate(zip(wires, strides, strict=True)):
        positions = positions.unsqueeze(-1) + torch.arange(wire.size) * stride
        del k
    data = value.data.cpu()
    data, positions = (torch.view_as_real(data) if data.is_complex() else data).movedim(axis, 0), positions.flatten()
    whole = len(positions) == len(data) and torch.equal(positions, torch.arange(len(data)))
    part = data if whole else data[positions]
    return _classes_of_slices(part.unflatten(0, [wire.size for wire in wires]).movedim(place, 0).unsqueeze(-1))


def _classes_of_slices(x: torch.Tensor) -> torch.Tensor:
    """Return a number for every slice along the first axis, equal where slices are: a few entries tell most of them apart."""
    few = x
    for k in range(1, x.ndim):
        few = few.narrow(k, 0, min(x.shape[k], max(1, _FEW // prod(few.shape[1:k]))))
    _, colors, counts = torch.unique(few.flatten(1), dim=0, return_inverse=True, return_counts=True)
    again = (counts[colors] > 1).nonzero().flatten()
    if few.numel() == x.numel() or len(again) == 0:
        return colors
    alike = x[again].flatten(1)
    finer = torch.zeros(len(again), dtype=torch.long)
    if not bool((alike == alike[:1]).all()):
        finer = torch.unique(alike, dim=0, return_inverse=True)[1]
    return torch.unique(colors.index_copy(0, again, len(counts) + finer), return_inverse=True)[1]


def _refine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.unique(torch.stack((a, b)), dim=1, return_inverse=True)[1]


def _classes(colors: torch.Tensor) -> Cells:
    if int(colors.max()) == len(colors) - 1:
        return tuple([(channel,) for channel in range(len(colors))])
    groups: dict[int, list[int]] = {}
    for channel, color in enumerate(colors.tolist()):
        groups.setdefault(color, []).append(channel)
    return tuple(tuple(group) for group in groups.values())
