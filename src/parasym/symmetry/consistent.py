"""Whether the parts of a symmetry fit each other: every wire, slot and shift fits the shapes of the tensors."""

from collections.abc import Callable, Mapping, Sequence
from math import isfinite, prod
from typing import Any

import torch

from parasym.core import BadInputError, ShapeError
from parasym.symmetry.binding import Binding, Slot
from parasym.symmetry.factor import Factor
from parasym.symmetry.flat import Flat
from parasym.symmetry.shift import Along, Inverse, Shift
from parasym.symmetry.swap import Swap
from parasym.symmetry.symmetry import Symmetry

Shapes = Mapping[str, tuple[int, ...]]


def check_consistent(symmetry: Symmetry) -> None:
    """Check that every factor could act on tensors of the shapes that the symmetry names; nothing is computed with them.

    Args:
        symmetry: What was read from outside.

    Raises:
        BadInputError: If one could not.
    """
    shapes = dict(symmetry.shapes)
    for name, shape in symmetry.shapes:
        _demand(all(n >= 0 for n in shape), f"`{name}` has the shape {shape}")
    unknown = [name for name in (*symmetry.pinned, *(first for _, first in symmetry.tied)) if name not in shapes]
    _demand(not unknown, f"it speaks of `{unknown[0] if unknown else ''}`, of which it has no shape")
    for frozen in symmetry.frozen:
        fits = shapes.get(frozen.tensor) == frozen.shape
        _demand(fits, f"it has frozen entries of `{frozen.tensor}` in the shape {frozen.shape}, which is not that of the tensor")
        try:
            frozen.mask  # noqa: B018 (it decodes what was read)
        except BadInputError as error:
            _demand(False, str(error).rstrip("."))
    _demand(len(symmetry.by_id) == len(symmetry.factors), "a factor is there twice")
    for factor in symmetry.factors:
        where = f"the factor {type(factor.group).__name__} on wire `{factor.wire.name}`"
        _demand(factor.group.size > 0 and all(wire.size > 0 for wire in (factor.wire, *factor.over)), f"{where} has no channels")
        _demand(bool(factor.bindings), f"{where} moves nothing")
        for binding in factor.bindings:
            for name in binding.tensors:
                _demand(name in shapes, f"{where} moves `{name}`, of which it has no shape")
            complaint = CHECKS[type(binding)](factor, binding, shapes)
            _demand(not complaint, f"{where} does not fit `{', '.join(binding.tensors[:3])}`: {complaint}")


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise BadInputError(f"The text is not a symmetry written by parasym: {otherwise}.")


def _slot_complaint(slots: Sequence[Slot], shape: tuple[int, ...]) -> str:
    """Return what is wrong with slots in a tensor; empty if nothing is."""
    if len({slot.axis for slot in slots}) < len(slots):
        return "two slots share an axis"
    for slot in slots:
        if not 0 <= slot.axis < len(shape):
            return f"there is no axis {slot.axis}"
        if len(slot.sizes) != len(slot.strides) or not slot.starts or not -1 <= slot.place < len(slot.sizes):
            return "a slot has sizes, strides and a place that do not belong together"
        if min((*slot.starts, *slot.strides)) < 0 or min(slot.sizes, default=1) < 1:
            return "a slot has a negative part"
        length = shape[slot.axis]
        last = max(slot.starts) + sum((size - 1) * stride for size, stride in zip(slot.sizes, slot.strides, strict=True))
        if last >= length or len(slot.starts) * prod(slot.sizes) > length:
            return f"a slot reaches beyond axis {slot.axis} of length {length}"
    return ""


def _binding(factor: Factor, binding: Binding, shapes: Shapes) -> str:
    shape = shapes[binding.tensor]
    slots = [*binding.region, *(slot for slot in binding.over if slot.axis not in {s.axis for s in binding.region})]
    # Of several slots of one axis the last one counts; the wire's own may have its outer wires beside it.
    known = {slot.axis: slot for slot in (*slots, *binding.over, *(() if binding.slot is None else (binding.slot,)))}
    complaint = _slot_complaint(list(known.values()), shape)
    if complaint:
        return complaint
    if len(binding.over) != len(factor.over):
        return f"it has {len(binding.over)} outer wires instead of {len(factor.over)}"
    for slot, wire in zip(binding.over, factor.over, strict=True):
        inside = known[slot.axis]
        if not 0 <= slot.place < len(inside.sizes) or inside.sizes[slot.place] != wire.size:
            return f"its outer wire `{wire.name}` has another size there"
    own, group = binding.slot, factor.group
    if (1 if own is None else len(own.starts) * own.sizes[own.place] if own.place >= 0 else 0) != group.length:
        return f"its group acts on {group.length} channels"
    try:
        group.power(torch.ones(1), float(abs(binding.power)))
    except ShapeError:
        return f"its group has no power {binding.power}"
    return ""


def _shift(factor: Factor, shift: Shift, shapes: Shapes) -> str:
    length = factor.group.size
    for step in shift.through:
        if step.weight not in shapes:
            return f"it goes through `{step.weight}`, of which it has no shape"
        weight = shapes[step.weight]
        if isinstance(step, Inverse):
            length *= prod(weight)
            continue
        if isinstance(step, Along):
            if prod(weight) not in (1, length):
                return f"`{step.weight}` has {prod(weight)} numbers instead of {length}"
            continue
        complaint = _slot_complaint(step.slots, weight)
        if complaint:
            return complaint
        sizes = _unflattened(weight, step.slots)
        met = [d for d in step.dims if d is not None]
        if len(step.dims) != len(sizes) or prod(step.shape) != length or len(set(met)) < len(met):
            return f"`{step.weight}` cannot take {length} channels there"
        if any(
            not 0 <= d < len(step.shape) or step.shape[d] != n for d, n in zip(step.dims, sizes, strict=True) if d is not None
        ):
            return f"`{step.weight}` cannot take a shift of shape {step.shape} there"
        if len(set(step.out)) < len(step.out) or any(not 0 <= k < len(sizes) for k in step.out):
            return f"`{step.weight}` has no axes {step.out}"
        length = prod([*(n for d, n in enumerate(step.shape) if d not in met), *(sizes[k] for k in step.out)])
    complaint = _slot_complaint(shift.slots, shapes[shift.tensor])
    if complaint:
        return complaint
    sizes = _unflattened(shapes[shift.tensor], shift.slots)
    dims = [d for d in shift.dims if d is not None]
    if len(shift.dims) != len(sizes) or sorted(dims) != list(range(len(shift.shape))):
        return "its axes are not those of the shift"
    if prod(shift.shape) != length or any(d is not None and shift.shape[d] != n for d, n in zip(shift.dims, sizes, strict=True)):
        return f"a shift of shape {shift.shape} does not fit {length} channels"
    return "" if shift.times and isfinite(shift.times) else f"it is multiplied by {shift.times}"


def _unflattened(shape: Sequence[int], slots: Sequence[Slot]) -> list[int]:
    """Return the lengths of the axes of a tensor, with those cut that slots cut."""
    cut = {slot.axis: slot for slot in slots}
    return [n for axis, m in enumerate(shape) for n in ([len(cut[axis].starts), *cut[axis].sizes] if axis in cut else [m])]


def _swap(factor: Factor, swap: Swap, shapes: Shapes) -> str:
    if len(swap.members) != factor.group.size:
        return f"it has {len(swap.members)} members instead of {factor.group.size}"
    forms = []
    for member in swap.members:
        form = []
        for part in member:
            complaint = _slot_complaint(part.slots, shapes[part.tensor])
            if complaint:
                return complaint
            slots = {slot.axis: slot for slot in part.slots}
            form.append(
                tuple(len(slots[k].starts) * prod(slots[k].sizes) if k in slots else n for k, n in enumerate(shapes[part.tensor]))
            )
        forms.append(form)
    return "" if all(form == forms[0] for form in forms) and forms[0] else "its members differ in shape"


def _flat(factor: Factor, flat: Flat, shapes: Shapes) -> str:
    if any(shapes[name] != shape for name, shape in flat.parts):
        return "its parts have other shapes"
    total = sum(prod(shape) for _, shape in flat.parts)
    return "" if total == factor.group.size else f"its parts have {total} numbers instead of {factor.group.size}"


CHECKS: Mapping[type, Callable[[Factor, Any, Shapes], str]] = {Binding: _binding, Shift: _shift, Swap: _swap, Flat: _flat}
"""By the kind of a binding; each returns what is wrong, or nothing."""
