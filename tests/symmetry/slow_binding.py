"""The action of a binding and of a shift, entry by entry: slow, obvious, and without any reshaping."""

from itertools import product

import torch
from torch import Tensor

from parasym.groups import AbstractGroup, GeneralLinear, Orthogonal, Permutation, PlaneRotation
from parasym.symmetry import Binding, Shift, Slot


def matrix_of(group: AbstractGroup, g: Tensor, power: float) -> Tensor:
    """The matrix by which one element acts, written out by hand."""
    if isinstance(group, Permutation):
        return torch.eye(group.size, dtype=torch.float64)[g]
    if isinstance(group, (GeneralLinear, Orthogonal)):
        return g if power > 0 else torch.linalg.inv(g).T
    if isinstance(group, PlaneRotation):
        z = g if power > 0 else 1 / g.conj()
        re, im = torch.diag(z.real), torch.diag(z.imag)
        return torch.cat((torch.cat((re, -im), dim=1), torch.cat((im, re), dim=1)))
    return torch.diag(g.double() ** power)


def coordinates(slot: Slot, position: int) -> tuple[int, ...] | None:
    """Which start, and which channel of every wire, sits at a position of the axis."""
    for k, start in enumerate(slot.starts):
        for index in product(*(range(n) for n in slot.sizes)):
            if position == start + sum(i * s for i, s in zip(index, slot.strides, strict=True)):
                return (k, *index)
    return None


def slow_apply(binding: Binding, group: AbstractGroup, g: Tensor, x: Tensor) -> Tensor:
    """Every entry: find the fibre it lies on, multiply the fibre by the matrix."""
    own = binding.slot
    slots = {slot.axis: slot for slot in (*binding.region, *binding.over)}
    if own is not None:
        slots[own.axis] = own
    fibres: dict[tuple, dict[int, tuple[int, ...]]] = {}
    for index in product(*(range(n) for n in x.shape)):
        at = {axis: coordinates(slot, index[axis]) for axis, slot in slots.items()}
        if any(place is None for place in at.values()):
            continue
        over = tuple(at[slot.axis][1 + slot.place] for slot in binding.over)  # pyright: ignore[reportOptionalSubscript]
        entry, rest = 0, index
        if own is not None:
            start, *channels = at[own.axis]  # pyright: ignore[reportGeneralTypeIssues]
            entry = start * own.sizes[own.place] + channels[own.place]
            others = tuple(c for k, c in enumerate(channels) if k != own.place)
            rest = (*index[: own.axis], others, *index[own.axis + 1 :])
        fibres.setdefault((over, rest), {})[entry] = index
    out = x.clone()
    for (over, _), places in fibres.items():
        vector = torch.stack([x[places[k]] for k in range(len(places))]) + binding.offset
        moved = matrix_of(group, g[over], float(binding.power)) @ vector - binding.offset
        for k, place in places.items():
            out[place] = moved[k]
    return out


def slow_delta(shift: Shift, t: Tensor, x: Tensor) -> Tensor:
    """Every entry: find the channel of ``t`` that it bears."""
    t = t.reshape(shift.shape)
    slots = {slot.axis: slot for slot in shift.slots}
    out = torch.zeros_like(x)
    for index in product(*(range(n) for n in x.shape)):
        flat: list[int] = []
        for axis, i in enumerate(index):
            place = coordinates(slots[axis], i) if axis in slots else (i,)
            if place is None:
                break
            flat.extend(place)
        else:
            where = {dim: i for dim, i in zip(shift.dims, flat, strict=True) if dim is not None}
            out[index] = shift.times * t[tuple(where[d] for d in range(t.ndim))]
    return out
