"""How a shift of a parameter passes an instruction.

A shift is a tensor ``t`` that is added to a parameter. On its way every axis of ``t`` lies along a place of the value it has
arrived in, or was summed against an activation: of ``x W`` the shift is ``x t``, whose first axis is *open* on ``x``. Such a
shift is no vector any more but still a known linear map of the same activation, so that another weight that reads the same
activation can take it over.
"""

from collections.abc import Iterator
from fractions import Fraction
from math import prod
from typing import Any, NamedTuple

from parasym.find.carrier import Carrier, Open, renamed, unrearranged
from parasym.find.contracting import Contracting
from parasym.find.ground import Ground, Step
from parasym.find.structure import Place
from parasym.find.sums import Sums
from parasym.find.template import Link, Template
from parasym.rules.program import (
    Cat,
    Contract,
    Expand,
    Fixed,
    Fn,
    Instruction,
    Kind,
    Normalize,
    Permute,
    Pointwise,
    Reduce,
    Reshape,
    Slice,
)
from parasym.symmetry import Along

_MOST = 256


class Passing:
    """Takes shifts through instructions.

    Args:
        ground: Types and places.
        sums: What sums to one.
        lost: Values that cannot be followed.
    """

    def __init__(self, ground: Ground, sums: Sums, lost: set[int]) -> None:
        self.ground = ground
        self._lost = lost
        self._made = {step.out.index: step for step in ground.steps if step.out is not None}
        self.subtracts = any(subtracts(step.code) for step in ground.steps)
        """Whether activations are taken from each other, so that a shift may be its own opposite."""
        self.contracting = Contracting(ground, sums, lost, opposite=self.subtracts)

    def carried(self, step: Step, operand: int, link: Link, c: Carrier) -> Iterator[Carrier]:
        """Yield a shift of a cell of an operand as it arrives in a cell of the result, in every form that is known.

        Only for instructions that let any shift through; see :meth:`lets`.

        Args:
            step: An instruction.
            operand: Which operand is shifted.
            link: A cell of the operand and one of the result.
            c: The shift.
        """
        code, passed = step.code, _passed(step.template, operand, link, c)
        if isinstance(code, Contract):
            if code.x is not code.y and code.out.real:
                arrived = None if passed is None else passed.of(c)
                yield from self.contracting.carried(step, operand, link, c, arrived)
        elif passed is not None:
            if isinstance(code, Pointwise) and code.fn is Fn.MUL:
                along = [self._vector(code, k, passed.at) for k in range(len(code.xs)) if k != operand]
                known = tuple(a for a in along if a is not None)
                if known and len(known) == len(along) and len(c.places) == len(c.at) and not c.riders:
                    yield passed.of(c)._replace(through=(*c.through, *known))
            else:
                arrived = passed.of(c)
                if isinstance(code, Reduce) and code.fn == "sum":  # how many, the form does not tell
                    arrived = arrived._replace(times=arrived.times * prod(code.x.shape[a] for a in code.dims))
                yield arrived

    def lets(self, step: Step, operand: int) -> bool:
        """Return whether an instruction may let any shift of an operand through.

        Args:
            step: The instruction.
            operand: Which operand is shifted.
        """
        code = step.code
        return self.contracting.meets(step.xs[1 - operand]) if isinstance(code, Contract) else _may_pass(code)

    def unfolded(self, c: Carrier) -> Carrier | None:
        """Return a shift that was summed against the result of a linear map as one summed against what the map reads.

        Of ``h t`` with ``h = x A`` that is ``x (A t)``.

        Args:
            c: The shift.
        """
        for index in dict.fromkeys(p.value for p in c.at if isinstance(p, Open)):
            step = self._made.get(index)
            if step is None or index in self._lost:
                continue
            code = step.code
            if isinstance(code, Pointwise) and code.fn is Fn.LINEAR and code.factor is not None:
                return renamed(c, index, code.xs[0].index, code.factor)
            if isinstance(code, (Reshape, Permute)):
                return unrearranged(c, step, index)
            if isinstance(code, Contract) and code.x is not code.y:
                for mine in (0, 1):
                    found = self.contracting.unfolded(step, code, mine, c)
                    if found is not None:
                        return found
        return None

    def _vector(self, step: Pointwise, operand: int, at: tuple[Place, ...]) -> Along | None:
        """Return a factor that is a power of one leaf number, or of a leaf vector lying exactly along the run."""
        power = float(step.degrees[operand])
        source = step.xs[operand]
        while not source.leaf:
            earlier = self._made.get(source.index)
            code = None if earlier is None else earlier.code
            if isinstance(code, Reshape):
                source = code.x
            elif isinstance(code, Pointwise) and code.fn is Fn.MUL and len(code.xs) == 1:
                power *= float(code.degrees[0])
                source = code.xs[0]
            else:
                return None
        wide = [letter for letter, n in zip(step.letters[operand], step.xs[operand].shape, strict=True) if n > 1]
        if source.index in self._lost:
            return None
        if prod(source.shape) == 1:
            return Along(source.name, power, source.offset)
        axis = wide[0] if len(wide) == 1 else None
        if axis is None or len(source.shape) != 1:
            return None
        out = self.ground.structure(step.out)
        if out.counts[axis] != 1 or at != out.run(axis, out.first):
            return None
        return Along(source.name, power, source.offset)


def subtracts(code: Instruction) -> bool:
    """Return whether an instruction takes one activation from another.

    Args:
        code: The instruction.
    """
    return isinstance(code, Pointwise) and -1 in code.signs and all(x.kind is Kind.ACTIVATION for x in code.xs)


def _may_pass(code: Instruction) -> bool:
    """Whether an instruction may let any shift through."""
    if isinstance(code, Pointwise):
        return code.fn in (Fn.ADD, Fn.LINEAR, Fn.MUL)
    return not isinstance(code, Normalize)


class _Passage(NamedTuple):
    """Where a shift arrives behind an instruction, as far as the form of the instruction tells.

    Attributes:
        at: Where every axis of the shift lies.
        riders: Where the other places of the activations lie that it was summed against.
        times: What it is multiplied by.
        moves: Whether it is anything else than before.
    """

    at: tuple[Any, ...]
    riders: tuple[tuple[Open, Place], ...]
    times: int | Fraction
    moves: bool

    def of(self, c: Carrier) -> Carrier:
        """Return the shift where it has arrived."""
        if not self.moves:
            return c
        times = c.times if self.times == 1 else c.times * self.times
        return Carrier(c.source, c.cell, c.run, self.at, c.sizes, self.riders, times, c.through)


def _passed(template: Template, operand: int, link: Link, c: Carrier) -> _Passage | None:
    key = (c.at, c.riders) if c.riders else c.at
    if key not in link.passages:
        if len(link.passages) >= _MOST:  # the form outlives the program, whose values may be named here
            link.passages.clear()
        link.passages[key] = _passage(template, operand, link, c)
    return link.passages[key]


def _passage(template: Template, operand: int, link: Link, c: Carrier) -> _Passage | None:
    step = template.step
    if not template.out.real:
        return None  # a position or a choice does not shift along
    places, where = c.places, link.places
    if not all(place in where for place in places):
        return None
    times: int | Fraction = 1
    x = template.structures[operand]
    if isinstance(step, Slice):  # a shift of a piece of a whole axis is not constant along it
        passes = x.counts[step.dim] > 1 or all(axis != step.dim for axis, _ in places)
    elif isinstance(step, Cat):
        passes = template.out.counts[step.dim] > 1
    elif isinstance(step, Pointwise):
        passes = step.fn in (Fn.ADD, Fn.LINEAR)
        if step.fn is Fn.LINEAR and step.factor is not None:
            times = step.factor
        elif passes:
            times = step.signs[operand]
        passes = bool(times) and (passes or _once(step, operand))
    elif isinstance(step, Reduce):
        passes = step.fn in ("mean", "max", "sum") and all(x.counts[a] == 1 for a in step.dims)
    elif isinstance(step, Fixed):
        kept = {axis for axis, _ in step.kept}
        single = all(n == 1 for a, n in enumerate(x.counts) if a not in kept)
        passes = single and ((step.fn == "linear" and step.averaging) or step.fn == "max")
    else:
        passes = isinstance(step, (Reshape, Permute, Expand, Contract))
    if not passes:
        return None
    at = tuple([p if isinstance(p, Open) else where[p] for p in c.at])
    riders = tuple([(opened, where[p]) for opened, p in c.riders])
    return _Passage(at, riders, times, times != 1 or at != c.at or riders != c.riders)


def _once(step: Pointwise, operand: int) -> bool:
    """Whether an operand is a plain factor of a product."""
    return step.fn is Fn.MUL and step.degrees[operand] == 1 and len({v.index for v in step.xs}) == len(step.xs)
