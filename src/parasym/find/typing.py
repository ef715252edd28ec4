"""Gives every axis of every value its type, by unification over the program."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from parasym.find.axis import (
    UNIT,
    Axis,
    Conflict,
    Leaf,
    Mark,
    Sum,
    fresh,
    product,
    resolve,
    split_product,
    split_sum,
    unify,
)
from parasym.find.planes import Marks, Plane, turning
from parasym.find.terms import Term, leaves, terms
from parasym.rules.program import (
    Cat,
    Contract,
    Expand,
    Fixed,
    Instruction,
    Kind,
    Normalize,
    Permute,
    Pin,
    Pointwise,
    Program,
    Reduce,
    Reshape,
    Rotary,
    Slice,
    Value,
    operands,
    result,
    segments,
)


class PinnedAxis(NamedTuple):
    """An axis on which nothing may act.

    Attributes:
        axis: Its type.
        value: The value that it is an axis of.
        dim: Which of its axes.
        step: The instruction that pins it, ``None`` for an input or an output of the model.
    """

    axis: Axis
    value: Value
    dim: int
    step: Instruction | None


@dataclass
class Types:
    """The types of a program, and what the unification found out on the way.

    Attributes:
        program: The program, with instructions that could not be typed replaced by pins.
        axes: For every value, the type of each axis.
        pinned: Wires on which nothing may act.
        planes: Wires of planes that rotary embeddings turn.
        turning: Those of them that may be turned and scaled, with the marks of their real and imaginary parts.
        pins: What pins them.
    """

    program: Program
    axes: list[list[Axis]]
    pinned: set[Leaf] = field(default_factory=set)
    planes: set[Leaf] = field(default_factory=set)
    turning: dict[Leaf, Marks] = field(default_factory=dict)
    pins: list[PinnedAxis] = field(default_factory=list)
    _terms: dict[Axis, tuple[Term, ...]] = field(default_factory=dict)
    _wires: dict[Axis, frozenset[Leaf]] = field(default_factory=dict)

    def terms(self, axis: Axis) -> tuple[Term, ...]:
        """Return the products of wires that make up an axis."""
        known = self._terms.get(axis)
        if known is None:
            known = self._terms[axis] = tuple(terms(axis))
        return known

    def wires(self, axis: Axis) -> frozenset[Leaf]:
        """Return the wires of an axis."""
        known = self._wires.get(axis)
        if known is None:
            known = self._wires[axis] = frozenset(leaves(axis))
        return known


def infer_types(program: Program) -> Types:
    """Return the most general types of a program.

    Args:
        program: A lowered model. Not modified.
    """
    program = replace(program, values=list(program.values))
    run = _Typing(program)
    code: list[Instruction] = []
    for step in program.code:
        try:
            run.step(step)
            code.append(step)
        except Conflict:
            code += run.give_up(step)
    for value in program.values:
        if value.kind is Kind.INPUT:
            run.pin(value)
    for value in program.outputs:
        run.pin(value)
    one: dict[Axis, Axis] = {}  # equal axes become one object: later passes know them by identity
    axes = [[one.setdefault(kind, kind) for kind in map(resolve, run.of(v))] for v in program.values]
    pins = [pin._replace(axis=resolve(pin.axis)) for pin in run.pins]
    pinned = {leaf for pin in pins for leaf in leaves(pin.axis)}
    planes = {leaf for *_, axis in run.planes for leaf in leaves(axis)}
    types = Types(replace(program, code=code), axes, pinned, planes, pins=pins)
    if planes:
        rows = ((v, tuple(types.terms(axis) for axis in mine)) for v, mine in zip(program.values, axes, strict=True))
        types.turning = turning(run.planes, rows)
    return types


_CONFLICTS: dict[type, str] = {
    Slice: "a slice cuts through a product of channels",
    Reshape: "a reshape cuts through channels",
}
"""Why an instruction that cannot be typed pins what it touches."""


def _fixed_map(step: Instruction, reason: str) -> list[Instruction]:
    """Return a slice or a reshape as a fixed map of the axes that it cuts, which lets the others pass."""
    if isinstance(step, Slice):
        kept = tuple((k, k) for k in range(len(step.x.shape)) if k != step.dim)
        linked = (((step.dim,), (step.dim,)),)
        of = ("slice", step.dim, step.start)
    elif isinstance(step, Reshape) and 0 not in step.x.shape:
        runs = [(_wide(ins, step.x.shape), _wide(outs, step.out.shape)) for ins, outs in segments(step.x.shape, step.out.shape)]
        kept = tuple((ins[0], outs[0]) for ins, outs in runs if len(ins) == len(outs) == 1)
        linked = tuple((ins, outs) for ins, outs in runs if ins and not len(ins) == len(outs) == 1)
        of = ("reshape", step.x.shape, step.out.shape)
    else:
        return []
    return [Fixed(step.x, step.out, kept, averaging=True, of=of, reason=reason, coarse=linked, call=step.call)]


def _operand_letters(step: Pointwise | Contract | Cat) -> tuple[tuple[int | None, ...], ...]:
    """Return for every axis of every operand the letter under which it must fit the others, ``None`` where it need not."""
    if isinstance(step, Pointwise):
        return step.letters
    if isinstance(step, Contract):
        return step.x_letters, step.y_letters
    return tuple(tuple(None if k == step.dim else k for k in range(len(x.shape))) for x in step.xs)


def _wide(axes: list[int], shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(k for k in axes if shape[k] > 1)


class _Typing:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.axes: dict[int, list[Axis]] = {}
        self.pins: list[PinnedAxis] = []
        self.planes: list[Plane] = []
        for value in program.values:
            if value.kind is not Kind.ACTIVATION:
                self.axes[value.index] = [fresh(n) for n in value.shape]

    def pin(self, value: Value, step: Instruction | None = None) -> None:
        self.pins += [PinnedAxis(axis, value, k, step) for k, axis in enumerate(self.of(value))]

    def of(self, value: Value) -> list[Axis]:
        if value.index not in self.axes:
            self.axes[value.index] = [fresh(n) for n in value.shape]
        return self.axes[value.index]

    def give_up(self, step: Instruction) -> list[Instruction]:
        """Return what stands for an instruction that cannot be typed: it pins the axes that do not fit, or all."""
        reason = _CONFLICTS.get(type(step), "axes meet that are cut in ways that do not fit together")
        out = result(step)
        instead = self._apart(step, reason) if isinstance(step, (Pointwise, Contract, Cat)) else _fixed_map(step, reason)
        if instead and out is not None and out.index not in self.axes:
            try:
                for one in instead:
                    self.step(one)
                return instead
            except Conflict:
                pass
        touched = operands(step) if out is None else (*operands(step), out)
        if out is not None:
            self.axes[out.index] = [fresh(n) for n in out.shape]
        pin = Pin(touched, reason=reason, call=step.call)
        self._pin(pin)
        return [pin]

    def _apart(self, step: Pointwise | Contract | Cat, reason: str) -> list[Instruction]:
        """Return an instruction on copies of those operands that do not fit, each with a pinned axis in place of it."""
        known: dict[int, Axis] = {}
        made: list[Instruction] = []
        xs: list[Value] = []
        for x, letters in zip(operands(step), _operand_letters(step), strict=True):
            unfit: list[int] = []
            for k, (letter, axis) in enumerate(zip(letters, self.of(x), strict=True)):
                if letter is not None:
                    try:
                        unify(known.setdefault(letter, axis), axis)
                    except Conflict:
                        unfit.append(k)
            if unfit:
                copy = Value(len(self.program.values), x.shape, Kind.ACTIVATION, x.real)
                self.program.values.append(copy)
                kept = tuple((k, k) for k in range(len(x.shape)) if k not in unfit)
                linked = tuple(((k,), (k,)) for k in unfit)
                made.append(Fixed(x, copy, kept, averaging=True, of=("same",), reason=reason, coarse=linked, call=step.call))
                x = copy
            xs.append(x)
        if isinstance(step, Contract):
            return [*made, replace(step, x=xs[0], y=xs[1])]
        return [*made, replace(step, xs=tuple(xs))]

    def step(self, step: Instruction) -> None:
        handler = getattr(self, "_" + type(step).__name__.lower())
        if isinstance(step, Pin):
            handler(step)
            return
        out = result(step)
        assert out is not None
        axes = handler(step)
        if out.index in self.axes:  # written before: the new value has the type of the old one
            for old, new in zip(self.axes[out.index], axes, strict=True):
                unify(old, new)
        else:
            self.axes[out.index] = axes

    def _pointwise(self, step: Pointwise) -> list[Axis]:
        out: list[Axis | None] = [None] * len(step.out.shape)
        for x, letters in zip(step.xs, step.letters, strict=True):
            for letter, axis in zip(letters, self.of(x), strict=True):
                if letter is None:
                    continue
                known = out[letter]
                if known is None:
                    out[letter] = axis
                elif known is not axis:
                    unify(known, axis)
        return [UNIT if axis is None else axis for axis in out]

    def _contract(self, step: Contract) -> list[Axis]:
        known: dict[int, Axis] = {}
        for value, letters in ((step.x, step.x_letters), (step.y, step.y_letters)):
            for letter, axis in zip(letters, self.of(value), strict=True):
                if letter in known:
                    unify(known[letter], axis)
                known[letter] = axis
        return [known[letter] for letter in step.out_letters]

    def _reduce(self, step: Reduce) -> list[Axis]:
        return [axis for k, axis in enumerate(self.of(step.x)) if k not in step.dims]

    def _normalize(self, step: Normalize) -> list[Axis]:
        return list(self.of(step.x))

    def _fixed(self, step: Fixed) -> list[Axis]:
        kept = {out: x for x, out in step.kept}
        axes = self.of(step.x)
        out = [axes[kept[k]] if k in kept else fresh(n) for k, n in enumerate(step.out.shape)]
        self.pins += [PinnedAxis(axis, step.out, k, step) for k, axis in enumerate(out) if k not in kept]
        self.pins += [PinnedAxis(axis, step.x, k, step) for k, axis in enumerate(axes) if k not in kept.values()]
        return out

    def _permute(self, step: Permute) -> list[Axis]:
        axes = self.of(step.x)
        return [axes[k] for k in step.order]

    def _expand(self, step: Expand) -> list[Axis]:
        lead = len(step.out.shape) - len(step.x.shape)
        axes = self.of(step.x)
        return [axes[k - lead] if k >= lead and step.x.shape[k - lead] == n else fresh(n) for k, n in enumerate(step.out.shape)]

    def _slice(self, step: Slice) -> list[Axis]:
        axes = list(self.of(step.x))
        axis = axes[step.dim]
        length = step.out.shape[step.dim]
        if step.start:
            _, axis = split_sum(axis, step.start)
        if length < resolve(axis).size:
            axis, _ = split_sum(axis, length)
        axes[step.dim] = axis
        return axes

    def _cat(self, step: Cat) -> list[Axis]:
        for x in step.xs:
            # A lone channel of zeros is told from its neighbours, and may change places with other channels of zeros.
            if x.kind is Kind.CONSTANT and self.of(x)[step.dim] == UNIT and x.shape[step.dim] == 1:
                self.of(x)[step.dim] = Leaf(1)
        out = list(self.of(step.xs[0]))
        for x in step.xs[1:]:
            for k, axis in enumerate(self.of(x)):
                if k != step.dim:
                    unify(out[k], axis)
        out[step.dim] = Sum(tuple(self.of(x)[step.dim] for x in step.xs))
        return out

    def _rotary(self, step: Rotary) -> list[Axis]:
        axes = self.of(step.x)
        first, second = Mark(), Mark()
        wire = UNIT if step.interleaved else fresh(step.x.shape[-1] // 2)
        unify(axes[-1], Sum((product([first, wire]), product([second, wire]))))
        self.planes.append((first, second, axes[-2] if step.interleaved else wire))
        return list(axes)

    def _pin(self, step: Pin) -> None:
        for value in step.xs:
            self.pin(value, step)

    def _reshape(self, step: Reshape) -> list[Axis]:
        if 0 in step.x.shape:
            raise Conflict
        out: list[Axis] = []
        for ins, outs in segments(step.x.shape, step.out.shape):
            flat = product([resolve(self.of(step.x)[k]) for k in ins])
            for k in outs[:-1]:
                head, flat = split_product(flat, step.out.shape[k])
                out.append(head)
            if outs:
                out.append(flat)
        return out
