"""Blocks of equal constants beside each other: which wires that a concatenation keeps apart are one to everything else.

Zeros before and after some channels, as the shortcut of a narrow residual block adds them, give two wires. If all values that
bear one of them bear the other in the same way, the channels of both may change places with each other too. Only the constants
themselves bear one without the other.
"""

from collections import defaultdict

import torch

from parasym.find.axis import Leaf
from parasym.find.ground import Ground
from parasym.find.slots import slot_of
from parasym.find.terms import Term
from parasym.rules.program import Cat, Kind, Value
from parasym.symmetry import Slot

Profile = list[tuple[int, int, tuple[tuple[Leaf | None, int], ...], int]]


def joined_wires(ground: Ground) -> dict[Leaf, list[Leaf]]:
    """Return the wires that are one to all but constants of one number, as classes by their first.

    Args:
        ground: Types and places.
    """
    filled: dict[float, dict[Leaf, None]] = defaultdict(dict)
    uniform: set[int] = set()
    blank: set[tuple[int, int, int]] = set()
    for step in ground.types.program.code:
        if isinstance(step, Cat):
            at = 0
            for x in step.xs:
                number, terms = _number(x), ground.terms(x)[step.dim]
                if number is not None:
                    uniform.add(x.index)
                    if len(terms) == 1:
                        filled[number] |= dict.fromkeys(terms[0].wires)
                starts = [t.start for t in terms if number is not None or (x.index, step.dim, t.start) in blank]
                blank |= {(step.out.index, step.dim, at + start) for start in starts}
                at += x.shape[step.dim]
    wanted = {wire for wires in filled.values() if len(wires) > 1 for wire in wires} - ground.types.pinned
    if not wanted:
        return {}
    profiles = _profiles(ground, wanted, uniform, blank)
    classes: dict[Leaf, list[Leaf]] = {}
    for wires in filled.values():
        left = [wire for wire in wires if wire in wanted and profiles.get(wire)]
        while len(left) > 1:
            first = left[0]
            beside = [wire for wire in left[1:] if profiles[wire] == profiles[first]]
            alike = [first, *(wire for wire in beside if _same_to_constants(ground, first, wire, uniform))]
            classes[first] = alike
            left = [wire for wire in left if wire not in alike]
    return {first: wires for first, wires in classes.items() if len(wires) > 1}


def joined_slot(axis: int, terms: list[Term], place: int) -> Slot:
    """Return the slot of a wire that lies in several terms of an axis, all of its channels one after the other.

    Args:
        axis: The axis.
        terms: The terms, which differ in this wire only.
        place: Its place in each of them.
    """
    starts = tuple(t.start + k * t.strides[place] for t in terms for k in range(t.wires[place].size))
    one = slot_of(axis, terms[0], place)
    return Slot(axis, starts, tuple(1 if k == place else n for k, n in enumerate(one.sizes)), one.strides, place)


def _number(x: Value) -> float | None:
    """Return the number that all entries of a constant are."""
    if x.kind is not Kind.CONSTANT or x.data is None or not x.data.is_floating_point() or not x.data.numel():
        return None
    first = x.data.reshape(-1)[0]
    return float(first) if bool((x.data == first).all()) else None


def _profiles(ground: Ground, wires: set[Leaf], uniform: set[int], blank: set[tuple[int, int, int]]) -> dict[Leaf, Profile]:
    """Return where wires lie, beside which others; what is one number there does not count.

    Args:
        ground: Types and places.
        wires: Which wires.
        uniform: Constants of one number.
        blank: Values, axes and starts of the terms that came from them.
    """
    out: dict[Leaf, Profile] = {wire: [] for wire in wires}
    for value in ground.types.program.values:
        if value.index not in uniform:
            for axis, terms in enumerate(ground.terms(value)):
                for term in terms:
                    for place, wire in enumerate(term.wires):
                        if wire in out and (value.index, axis, term.start) not in blank:
                            beside = tuple(
                                (None if k == place else w, s)
                                for k, (w, s) in enumerate(zip(term.wires, term.strides, strict=True))
                            )
                            out[wire].append((value.index, axis, beside, place))
    return out


def _same_to_constants(ground: Ground, a: Leaf, b: Leaf, uniform: set[int]) -> bool:
    """Whether no constant tells the channels of two wires apart."""
    for value in ground.types.program.values:
        if value.kind is Kind.CONSTANT and value.index not in uniform:
            for axis, terms in enumerate(ground.terms(value)):
                at = [slot_of(axis, t, -1).positions().flatten() for t in terms if a in t.wires or b in t.wires]
                if at and (value.data is None or not _alike(value.data.cpu().index_select(axis, torch.cat(at)), axis)):
                    return False
    return True


def _alike(part: torch.Tensor, axis: int) -> bool:
    return bool((part == part.narrow(axis, 0, 1)).all())
