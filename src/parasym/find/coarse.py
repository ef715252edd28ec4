"""What is pinned only because no rule knows any better, and which parameters that may cost a group.

A pin is *forced* if it comes from an input, an output, or an axis of an operation that tells its entries apart whatever else is
known of it, such as the positions that a convolution slides over. Every other pin has a reason in words: it is *coarse*. A wire
that only coarse pins hold might have a group if the rule were finer, and so might every parameter that bears it.

A coarse pin names axes that a finer rule would link, such as the entries that are looked up and the places they go to. Where
one side of such a link is held for good the other would be too, so that the link is forced: this is iterated until nothing
changes. A rule that cuts an axis in runs, which may not change places then, notes that too: it may cost what has the axis as a
whole, unless something pins it. All of it is one walk over the pins, linear in their number but for the iteration.

It must not blame a rule for what is forced: looking up the rows of a table by tokens pins the rows, since the tokens are an
input, and a position that the model returns pins what was searched. Scales and signs of whole values have no wire: what they
lose, :mod:`parasym.find.coarse_scales` finds. Of translations and exchanges it says which bounds of their searches were reached,
not which pins they meet.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from parasym.find.axis import Axis, Leaf
from parasym.find.coarse_scales import lost_scales
from parasym.find.ground import Ground
from parasym.find.relation import Relations
from parasym.find.template import letters_of
from parasym.find.terms import leaves
from parasym.find.typing import PinnedAxis, Types
from parasym.rules.program import (
    Cat,
    Fixed,
    Instruction,
    Kind,
    Pin,
    Program,
    Reshape,
    Slice,
    Split,
    Value,
    operands,
    result,
    segments,
)
from parasym.symmetry import Coarse

Wires = frozenset[Leaf]
_UNKNOWN = "channels are told apart by a constant whose numbers are not known: it is on the meta device, or too large"
_LOST = "axes are cut into so many blocks that scales and signs are not followed"


@dataclass(frozen=True)
class _Link:
    """Axes that one instruction pins and that a finer rule would link; an axis of single blocks has no wire, and is held."""

    step: Fixed | Pin
    sides: tuple[Wires, ...]

    @property
    def wires(self) -> Wires:
        return frozenset().union(*self.sides)


def coarse_pins(ground: Ground, used: Sequence[Value], untold: Collection[Leaf]) -> tuple[Coarse, ...]:
    """Return the pins that no shape forces, each with the parameters it may cost a group, in the order of the program.

    Args:
        ground: Types of a program, with what pins them.
        used: The parameters and buffers that are used.
        untold: Wires of which it is not known which channels constants tell apart.
    """
    types = ground.types
    held = [*_held(types), *_unknown(types, untold), *_lost(ground)]
    splits = [(split, mates) for split in types.program.splits if (mates := _mates(types, split))]
    if not held and not splits:
        return ()
    bearing: dict[Leaf, list[Value]] = {}
    for value in used:
        for wire in dict.fromkeys(wire for axis in types.axes[value.index] for wire in types.wires(axis)):
            bearing.setdefault(wire, []).append(value)
    found: dict[tuple[str, str, str, str], set[int]] = {}
    whole = {id(step): step for step, reason, _ in held if isinstance(step, Pin) or reason == _LOST}
    scales = lost_scales(ground, used, tuple(whole.values()))
    for step, reason, wires in held:
        costs = {value.index for wire in wires if wire.size > 1 for value in bearing.get(wire, ())} | scales.get(id(step), set())
        if reason == _LOST:
            costs |= {x.index for x in operands(step) if x.leaf}
        if costs:
            origin = types.program.origin(step)
            found.setdefault((str(origin.target), origin.module, origin.source, reason), set()).update(costs)
    for split, mates in splits:
        origin = types.program.origin(split)
        key = (str(origin.target), origin.module, origin.source, split.reason)
        found.setdefault(key, set()).update(value.index for value in used if value.index in mates)
    return tuple(_coarse(*key, [value for value in used if value.index in costs]) for key, costs in found.items() if costs)


def untried(search: str, reason: str, values: Iterable[Value]) -> Coarse:
    """Return what is said of parameters for which a search was not carried to its end.

    Args:
        search: What was searched for.
        reason: Why it ended before.
        values: Values, of which only parameters and buffers count.
    """
    return _coarse(search, "", "", reason, [value for value in values if value.leaf and value.name])


def upstream(program: Program, indices: Collection[int]) -> dict[int, None]:
    """Return the parameters and buffers that values are made of.

    Args:
        program: The program.
        indices: Indices of the values.
    """
    reached = set(indices)
    for step in reversed(program.code):
        out = result(step)
        if out is not None and out.index in reached:
            reached.update(x.index for x in operands(step))
    return {value.index: None for value in program.values if value.leaf and value.index in reached}


def _coarse(operation: str, module: str, source: str, reason: str, values: list[Value]) -> Coarse:
    sizes = {value.name: prod(value.shape) for value in values}
    return Coarse(operation, module, source, reason, tuple(sizes), sum(sizes.values()))


# -- what holds which wires ---------------------------------------------------------------------------


def _held(types: Types) -> Iterator[tuple[Instruction, str, Wires]]:
    """Yield the instructions that pin wires which nothing pins for good; those without a rule are listed elsewhere."""
    links = [link for step in types.program.code for link in _links(types, step)]
    shown = _shown(types.program) if links else ()
    links = [link for link in links if not (isinstance(link.step, Fixed) and link.step.out.index in shown)]
    forced = _forced(types.pins, {id(link.step) for link in links}, links) if links else set()
    for link in links:
        if not (isinstance(link.step, Pin) and link.step.uncovered):
            yield link.step, link.step.reason, link.wires - forced


def _links(types: Types, step: Instruction) -> list[_Link]:
    if isinstance(step, Pin) and step.reason:
        return [_Link(step, (_wires([axis]),)) for x in step.xs for axis in types.axes[x.index]]
    if isinstance(step, Fixed) and step.coarse:
        axes = types.axes[step.x.index], types.axes[step.out.index]
        return [
            _Link(step, tuple(_wires(own[a] for a in side) for own, side in zip(axes, sides, strict=True) if side))
            for sides in step.coarse
        ]
    return []


def _shown(program: Program) -> set[int]:
    """Return the values that hold no real numbers, such as positions, and that the outputs show without any being computed."""
    shown = {value.index for value in program.outputs if not value.real}
    for step in reversed(program.code):
        out = result(step)
        if out is not None and out.index in shown:
            shown |= {x.index for x in operands(step) if not x.real}
    return shown


def _wires(axes: Iterable[Axis]) -> Wires:
    return frozenset(leaf for axis in axes for leaf in leaves(axis))


def _forced(pins: list[PinnedAxis], coarse: set[int], links: list[_Link]) -> set[Leaf]:
    """Return the wires that are pinned for good: directly, or because one side of a link is."""
    forced = {leaf for pin in pins if id(pin.step) not in coarse or not _is_coarse(pin) for leaf in leaves(pin.axis)}
    while True:
        more = {wire for link in links for side in link.sides if side <= forced for wire in link.wires} - forced
        if not more:
            return forced
        forced |= more


def _is_coarse(pin: PinnedAxis) -> bool:
    step = pin.step
    if isinstance(step, Fixed):
        return any(pin.dim in sides[0 if pin.value is step.x else 1] for sides in step.coarse)
    return isinstance(step, Pin) and bool(step.reason)


def _unknown(types: Types, untold: Collection[Leaf]) -> Iterator[tuple[Instruction, str, Wires]]:
    """Yield the instructions that read a constant without numbers, with the wires that are told apart for its sake."""
    if untold:
        wires = frozenset(untold) - types.pinned
        for step in types.program.code:
            for x in operands(step):
                if x.kind is Kind.CONSTANT and x.data is None:
                    yield step, _UNKNOWN, _wires(types.axes[x.index]) & wires


def _lost(ground: Ground) -> Iterator[tuple[Instruction, str, Wires]]:
    """Yield the instructions whose exponents all vanish because nobody can follow them."""
    for step in ground.steps:
        known = step.template.known.get(Relations)
        if known is not None and known[0].lost and not isinstance(step.code, Pin):
            values = step.xs if step.out is None else (*step.xs, step.out)
            yield step.code, _LOST, _wires(axis for x in values for axis in ground.types.axes[x.index])


def _mates(types: Types, split: Split) -> set[int]:
    """Return the values that have an axis which was cut as a whole; none if something pins it, or nobody reads what was cut."""
    if not any(split.axes[-1][0] is x for step in types.program.code for x in operands(step)):
        return set()
    pinned = {(pin.value.index, pin.dim) for pin in types.pins}
    seen = {(value.index, dim) for value, dim in split.axes}
    joins = [pairs for step in types.program.code for pairs in _same_axes(step)]
    while True:
        more = {place for pairs in joins if not seen.isdisjoint(pairs) for place in pairs} - seen
        if not more:
            break
        seen |= more
    return set() if seen & pinned else {index for index, _ in seen}


def _same_axes(step: Instruction) -> list[set[tuple[int, int]]]:
    """Return the axes of operands and result that are the same, whole and in order."""
    out, letters = result(step), letters_of(step)
    if out is None:
        return []
    values = (*operands(step), out)
    if letters is not None:
        by_letter: dict[int, set[tuple[int, int]]] = {}
        for value, mine in zip(values, letters, strict=True):
            for axis, letter in enumerate(mine):
                if letter is not None:
                    by_letter.setdefault(letter, set()).add((value.index, axis))
        return list(by_letter.values())
    if isinstance(step, (Slice, Cat)):
        return [{(value.index, axis) for value in values} for axis in range(len(out.shape)) if axis != step.dim]
    runs = segments(step.x.shape, out.shape) if isinstance(step, Reshape) else []
    return [{(values[0].index, ins[0]), (out.index, outs[0])} for ins, outs in runs if len(ins) == len(outs) == 1]
