"""A symmetry that could not act is refused with the reason: one case for every way in which its parts may not fit."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import torch

from parasym.core import BadInputError
from parasym.groups import GeneralLinear, Permutation, PositiveScaling, Translation
from parasym.symmetry import Along, Binding, Factor, Flat, FrozenEntries, Part, Shift, Slot, Swap, Symmetry, Through, Wire
from parasym.symmetry.consistent import check_consistent

SHAPES = (("w", (4, 3)), ("b", (4,)), ("v", (2, 4)), ("c", (2,)), ("u", (4, 3)), ("h", (6, 4)))
SLOT = Slot(0, (0,), (4,), (1,), 0)
W, B, V = Binding("w", SLOT), Binding("b", SLOT), Binding("v", replace(SLOT, axis=1), power=Fraction(-1))
HEADS = Slot(0, (0,), (2, 3), (3, 1), 1)
H = Binding("h", HEADS, (replace(HEADS, place=0),))
FROM, TO = Shift("b", (4,), (0,)), Shift("c", (2,), (0,), -1.0, through=(Through("v", (4,), (None, 0), (0,)),))
ALONG = Shift("b", (4,), (0,), through=(Along("b"),))
SWAP = Swap(((Part("w"), Part("b")), (Part("u"), Part("b"))))
ANGLES = Flat((("b", (4,)), ("c", (2,))))


def bound(*bindings: Any, group: Any = Permutation(4), over: tuple[Wire, ...] = (), **more: Any) -> Symmetry:  # noqa: B008
    return Symmetry((Factor(group, Wire("here", group.size), over, bindings),), SHAPES, **more)


def heads(binding: Binding, outer: int = 2) -> Symmetry:
    return bound(binding, group=Permutation(3), over=(Wire("heads", outer),))


def through(**changes: Any) -> Symmetry:
    return bound(FROM, replace(TO, through=(replace(TO.through[0], **changes),)), group=Translation(4))


GOOD = {
    "of an axis": bound(W, B, V, group=GeneralLinear(4)),
    "of heads": heads(H),
    "of a shift": bound(FROM, TO, group=Translation(4)),
    "of a shift along": bound(ALONG, group=Translation(4)),
    "of an exchange": bound(SWAP, group=Permutation(2)),
    "of angles": bound(ANGLES, group=Translation(6)),
    "of a power": bound(replace(B, power=Fraction(2)), group=PositiveScaling(4)),
    "of frozen entries": bound(B, frozen=(FrozenEntries.of("c", torch.tensor([True, False])),)),
}
BAD: dict[str, tuple[Symmetry, str]] = {
    "a negative length": (replace(bound(B), shapes=(*SHAPES, ("x", (-1,)))), r"`x` has the shape \(-1,\)"),
    "pinned what is not there": (bound(B, pinned=("x",)), "it speaks of `x`"),
    "tied to what is not there": (bound(B, tied=(("b", "x"),)), "it speaks of `x`"),
    "frozen in another shape": (
        bound(B, frozen=(FrozenEntries.of("c", torch.tensor([True, False, True])),)),
        r"frozen entries of `c` in the shape \(3,\)",
    ),
    "frozen what is not there": (bound(B, frozen=(FrozenEntries.of("x", torch.tensor([True])),)), "frozen entries of `x`"),
    "frozen by damaged bits": (bound(B, frozen=(FrozenEntries("c", (2,), "!"),)), "frozen entries of `c` are damaged"),
    "twice": (Symmetry(bound(B).factors * 2, SHAPES), "A symmetry has each factor once"),
    "no channels": (bound(replace(B, slot=None), group=Permutation(0)), "has no channels"),
    "an outer wire without channels": (heads(H, 0), "has no channels"),
    "nothing moves": (bound(), "on wire `here` moves nothing"),
    "moves what is not there": (bound(B, replace(B, tensor="x")), "moves `x`, of which it has no shape"),
    # Slots
    "no such axis": (bound(replace(B, slot=replace(SLOT, axis=1))), "there is no axis 1"),
    "a negative axis": (bound(replace(B, slot=replace(SLOT, axis=-1))), "there is no axis -1"),
    "an axis twice": (
        bound(replace(FROM, slots=(SLOT, SLOT)), group=Translation(4)),
        "two slots share an axis",
    ),
    "sizes without strides": (bound(replace(B, slot=replace(SLOT, strides=()))), "do not belong together"),
    "no start": (bound(replace(B, slot=replace(SLOT, starts=()))), "do not belong together"),
    "no such place": (bound(replace(B, slot=replace(SLOT, place=1))), "do not belong together"),
    "a place before the first": (bound(replace(B, slot=replace(SLOT, place=-2))), "do not belong together"),
    "a negative start": (bound(replace(B, slot=replace(SLOT, starts=(-1,)))), "a negative part"),
    "a negative stride": (bound(replace(B, slot=replace(SLOT, strides=(-1,)))), "a negative part"),
    "no size": (bound(replace(B, slot=replace(SLOT, sizes=(0,)))), "a negative part"),
    "too far": (bound(replace(B, slot=replace(SLOT, starts=(1,)))), "beyond axis 0 of length 4"),
    "too many": (bound(replace(B, slot=replace(SLOT, sizes=(5,), strides=(0,)))), "beyond axis 0 of length 4"),
    # Axes that bear a wire
    "outer wires missing": (heads(replace(H, over=())), "it has 0 outer wires instead of 1"),
    "an outer wire of another size": (heads(H, 3), "its outer wire `heads` has another size there"),
    "an outer wire at no place": (heads(replace(H, over=(replace(HEADS, place=-1),))), "its outer wire `heads` has another size"),
    "other channels": (bound(B, group=Permutation(3)), "its group acts on 3 channels"),
    "channels without a place": (bound(replace(B, slot=replace(SLOT, place=-1))), "its group acts on 4 channels"),
    "one number for many channels": (bound(replace(B, slot=None)), "its group acts on 4 channels"),
    "no such power": (bound(replace(B, power=Fraction(2))), "its group has no power 2"),
    "half a power": (bound(replace(B, power=Fraction(1, 2)), group=GeneralLinear(4)), "its group has no power 1/2"),
    # Shifts
    "through what is not there": (through(weight="x"), "goes through `x`|moves `x`"),
    "along another length": (
        bound(replace(ALONG, through=(Along("c"),)), group=Translation(4)),
        "`c` has 2 numbers instead of 4",
    ),
    "through a slot that is not there": (through(slots=(replace(SLOT, axis=2),)), "there is no axis 2"),
    "through too few axes": (through(dims=(0,)), "`v` cannot take 4 channels there"),
    "through another shape": (through(shape=(2,)), "`v` cannot take 4 channels there"),
    "through one axis twice": (through(dims=(0, 0)), "`v` cannot take 4 channels there"),
    "through another axis": (through(dims=(0, None), out=(1,)), r"`v` cannot take a shift of shape \(4,\) there"),
    "through an axis that is not its own": (through(dims=(None, 1)), r"`v` cannot take a shift of shape \(4,\) there"),
    "through to no axis": (through(out=(2,)), r"`v` has no axes \(2,\)"),
    "through to an axis twice": (through(out=(0, 0)), r"`v` has no axes \(0, 0\)"),
    "a shift at a slot that is not there": (
        bound(replace(FROM, slots=(replace(SLOT, axis=1),)), group=Translation(4)),
        "there is no axis 1",
    ),
    "a shift of too few axes": (bound(replace(FROM, dims=()), group=Translation(4)), "its axes are not those of the shift"),
    "a shift along no axis": (bound(replace(FROM, dims=(None,)), group=Translation(4)), "its axes are not those of the shift"),
    "a shift along an axis twice": (
        bound(Shift("v", (4,), (0, 0)), group=Translation(4)),
        "its axes are not those of the shift",
    ),
    "a shift of other channels": (bound(FROM, group=Translation(5)), r"a shift of shape \(4,\) does not fit 5 channels"),
    "a shift of another length": (bound(Shift("b", (5,), (0,)), group=Translation(5)), "does not fit 5 channels"),
    "a shift by nothing": (bound(replace(FROM, times=0.0), group=Translation(4)), r"it is multiplied by 0\.0"),
    "a shift without bounds": (bound(replace(FROM, times=float("inf")), group=Translation(4)), "it is multiplied by inf"),
    # Exchanges
    "other members": (bound(SWAP, group=Permutation(3)), "it has 2 members instead of 3"),
    "members of other shapes": (bound(Swap(((Part("w"),), (Part("v"),))), group=Permutation(2)), "its members differ in shape"),
    "members of nothing": (bound(Swap(((), ())), group=Permutation(2)), "differ in shape|moves nothing"),
    "members that reach beyond": (
        bound(Swap(((Part("w", (replace(SLOT, starts=(1,)),)),), (Part("u"),))), group=Permutation(2)),
        "beyond axis 0 of length 4",
    ),
    # Angles
    "parts of other shapes": (bound(Flat((("b", (3,)), ("c", (2,)))), group=Translation(5)), "its parts have other shapes"),
    "other angles": (bound(ANGLES, group=Translation(5)), "its parts have 6 numbers instead of 5"),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_fits_is_let_through(name: str) -> None:
    check_consistent(GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit_is_said(name: str) -> None:
    symmetry, words = BAD[name]
    with pytest.raises(BadInputError, match=words):
        check_consistent(symmetry)
