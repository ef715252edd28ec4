"""What is pinned only because no rule knows any better, and which parameters that may cost a group.

A pin is *forced* if it comes from an input, an output, or an axis of an operation that tells its entries apart whatever else is
known of it, such as the positions that a convolution slides over. Every other pin has a reason in words: it is *coarse*. A wire
that only coarse pins hold might have a group if the rule were finer, and so might every parameter that bears it.

A coarse pin names axes that a finer rule would link, such as the entries that are looked up and the places they go to. Where
one side of such a link is held for good the other would be too, so that the link is forced: this is iterated until nothing
changes. All of it is one walk over the pins, linear in their number but for the iteration.

It must not blame a rule for what is forced: looking up the rows of a table by tokens pins the rows, since the tokens are an
input, and a position that the model returns pins what was searched. What it misses is a pin that costs no wire but a scale or
a sign of a whole value, and it says nothing of translations.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod

from parasym.find.axis import Axis, Leaf
from parasym.find.ground import Ground
from parasym.find.relation import Relations
from parasym.find.terms import leaves
from parasym.find.typing import PinnedAxis, Types
from parasym.rules.program import Fixed, Instruction, Kind, Pin, Program, Value, operands, result
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
    if not held:
        return ()
    bearing: dict[Leaf, list[Value]] = {}
    for value in used:
        for wire in dict.fromkeys(wire for axis in types.axes[value.index] for wire in types.wires(axis)):
            bearing.setdefault(wire, []).append(value)
    found: dict[tuple[str, str, str, str], set[int]] = {}
    for step, reason, wires in held:
        costs = {value.index for wire in wires if wire.size > 1 for value in bearing.get(wire, ())}
        if reason == _LOST:
            costs |= {x.index for x in operands(step) if x.leaf}
        if costs:
            origin = types.program.origin(step)
            found.setdefault((str(origin.target), origin.module, origin.source, reason), set()).update(costs)
    return tuple(_coarse(*key, [value for value in used if value.index in costs]) for key, costs in found.items())


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
