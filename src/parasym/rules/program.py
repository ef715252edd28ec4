"""The small language into which every operation is lowered.

A program is a list of instructions on values. There are ten instructions; each floor above
(types, groups, exponents, translations) knows what each of them lets through, so a rule for an
operation only says how the operation is written in this language.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field, fields
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

NOTE = {"note": True}
"""Metadata of a field that people read: instructions that differ in nothing else do the same."""

Linked = tuple[tuple[int, ...], tuple[int, ...]]


class Kind(Enum):
    """What a value is."""

    ACTIVATION = "activation"
    PARAMETER = "parameter"
    STATE = "state"
    CONSTANT = "constant"
    INPUT = "input"


@dataclass(eq=False, slots=True)
class Value:
    """A tensor of the program.

    Attributes:
        index: Position in ``program.values``.
        shape: Its shape.
        kind: What it is.
        real: Whether it holds floating-point numbers; booleans and indices cannot be scaled.
        name: Parameter or buffer name, or the node's name.
        data: The numbers of a constant, if they are known.
        offset: For a buffer that is only read as ``buffer + offset``, the offset.
        truth: Whether it holds truth values; as an index they are a mask, not positions.
    """

    index: int
    shape: tuple[int, ...]
    kind: Kind
    real: bool = True
    name: str = ""
    data: Tensor | None = None
    offset: float = 0.0
    truth: bool = False

    @property
    def leaf(self) -> bool:
        """Whether the value is a parameter or a buffer that may move."""
        return self.kind in (Kind.PARAMETER, Kind.STATE)


class Fn(Enum):
    """What an element-wise function lets through.

    ``ADD`` equal exponents; ``MUL`` exponents times the degrees add up; ``LINEAR`` a fixed factor;
    ``HOMOGENEOUS`` positive scales; ``ABS`` positive scales, and it swallows signs; ``ODD`` signs; ``EVEN`` swallows
    signs; ``GENERIC`` nothing. ``ORDER`` compares numbers, and swallows a positive scale that all sides share;
    ``EQUALITY`` swallows their sign too.
    """

    ADD = "add"
    MUL = "mul"
    LINEAR = "linear"
    HOMOGENEOUS = "homogeneous"
    ABS = "abs"
    ODD = "odd"
    EVEN = "even"
    ORDER = "order"
    EQUALITY = "equality"
    GENERIC = "generic"

    __hash__ = object.__hash__  # the members are one each, and they are looked up for every instruction


class Origin(NamedTuple):
    """Where an operation of a model was called.

    Attributes:
        target: The operation.
        module: Path of the module that called it.
        source: Source line that called it, as ``file:line``.
    """

    target: Any
    module: str
    source: str


@dataclass(eq=False, slots=True)
class AbstractInstruction:
    """One instruction.

    Attributes:
        call: Number of the operation that it belongs to, in ``program.origins``; -1 if it belongs to none.
    """

    call: int = field(default=-1, kw_only=True, metadata=NOTE)


@dataclass(eq=False, slots=True)
class Pointwise(AbstractInstruction):
    """``out = fn(*xs)`` element by element.

    Attributes:
        fn: What the function lets through.
        xs: Operands.
        out: Output.
        degrees: Of a product, the power to which each operand is taken.
        signs: The signs of the terms of a sum, or the factor 1 or -1 of a linear map; 0 if it is another number.
        factor: Of a linear map, the number it multiplies by; ``None`` if that is not known.
        letters: For every operand and each of its axes the axis of ``out`` that it lies on, ``None`` where it is
            broadcast; by default operands are aligned from the right.
    """

    fn: Fn
    xs: tuple[Value, ...]
    out: Value
    degrees: tuple[int | Fraction, ...] = ()
    signs: tuple[int, ...] = ()
    letters: tuple[tuple[int | None, ...], ...] = ()
    factor: Fraction | None = None

    def __post_init__(self) -> None:
        """Align operands from the right, and take products of first powers, where nothing else is said."""
        if self.fn is Fn.MUL and not self.degrees:
            self.degrees = (1,) * len(self.xs)
        if not self.letters:
            shape = self.out.shape
            self.letters = tuple([_from_the_right(x.shape, shape) for x in self.xs])


def _from_the_right(shape: tuple[int, ...], out: tuple[int, ...]) -> tuple[int | None, ...]:
    lead = len(out) - len(shape)
    return tuple([k + lead if n == out[k + lead] else None for k, n in enumerate(shape)])


@dataclass(eq=False, slots=True)
class Contract(AbstractInstruction):
    """``out[o] = sum x[l] * y[m]`` over the letters that ``out`` lacks. Letters are unique in each operand."""

    x: Value
    y: Value
    out: Value
    x_letters: tuple[int, ...]
    y_letters: tuple[int, ...]
    out_letters: tuple[int, ...]


@dataclass(eq=False, slots=True)
class Reduce(AbstractInstruction):
    """``out`` is ``x`` summed over ``dims``, which it lacks; or averaged, or maximized.

    ``homogeneous`` is any symmetric function that follows scales and signs of all entries, ``generic`` any symmetric one.
    """

    fn: str
    x: Value
    out: Value
    dims: tuple[int, ...]


@dataclass(eq=False, slots=True)
class Normalize(AbstractInstruction):
    """``out`` is ``x`` normalized jointly over ``dims``.

    Attributes:
        x: Input.
        out: Output, of the same shape.
        dims: Axes over which statistics are taken.
        odd: Whether ``x -> -x`` gives ``out -> -out``; a softmax is not odd.
        scale_free: Whether positive factors disappear; only without an epsilon.
        sums_to: What the output sums to over ``dims``: 0, 1, or ``None`` if that is not known.
    """

    x: Value
    out: Value
    dims: tuple[int, ...]
    odd: bool = True
    scale_free: bool = False
    sums_to: int | None = None


@dataclass(eq=False, slots=True)
class Fixed(AbstractInstruction):
    """A fixed map on some axes that treats the ``kept`` axes as a batch.

    Attributes:
        x: Input.
        out: Output.
        kept: Pairs of axes ``(of x, of out)`` that pass through; all others are pinned.
        averaging: Whether what is constant over the other axes stays the same constant.
        fn: ``linear``, or ``max`` for a maximum.
        of: Which map it is, where the operation that it belongs to does not say.
        reason: Why some axes are pinned although the map itself may not force that.
        coarse: Those axes, in groups that a finer rule would link: axes of ``x`` and axes of ``out``.
    """

    x: Value
    out: Value
    kept: tuple[tuple[int, int], ...]
    averaging: bool = False
    fn: str = "linear"
    of: tuple[Hashable, ...] = ()
    reason: str = field(default="", metadata=NOTE)
    coarse: tuple[Linked, ...] = field(default=(), metadata=NOTE)


@dataclass(eq=False, slots=True)
class Reshape(AbstractInstruction):
    """``out`` holds the elements of ``x`` in the same order."""

    x: Value
    out: Value


@dataclass(eq=False, slots=True)
class Permute(AbstractInstruction):
    """Axis ``k`` of ``out`` is axis ``order[k]`` of ``x``."""

    x: Value
    out: Value
    order: tuple[int, ...]


@dataclass(eq=False, slots=True)
class Expand(AbstractInstruction):
    """``x`` repeated along axes of length one or new leading axes."""

    x: Value
    out: Value


@dataclass(eq=False, slots=True)
class Slice(AbstractInstruction):
    """``out`` is ``x[start : start + length]`` along ``dim``."""

    x: Value
    out: Value
    dim: int
    start: int


@dataclass(eq=False, slots=True)
class Cat(AbstractInstruction):
    """``out`` is the concatenation of ``xs`` along ``dim``."""

    xs: tuple[Value, ...]
    out: Value
    dim: int


@dataclass(eq=False, slots=True)
class Rotary(AbstractInstruction):
    """``out`` rotates planes of the last axis of ``x`` by angles that differ from position to position.

    Attributes:
        x: Input.
        out: Output.
        interleaved: Whether the last axis has length two and holds real and imaginary parts of the planes of the
            axis before it; otherwise plane ``i`` of the last axis holds channels ``i`` and ``i + n/2``.
    """

    x: Value
    out: Value
    interleaved: bool


@dataclass(eq=False, slots=True)
class Pin(AbstractInstruction):
    """Nothing may act on these values: inputs, outputs, operations without a rule.

    Attributes:
        xs: The values.
        reason: Why, where not the operation itself but what is known of it forces that.
        uncovered: Whether the operation has no rule, or its rule does not cover it, which is listed elsewhere.
        replaced: Whether nothing reads them, since constants stand in their place.
    """

    xs: tuple[Value, ...]
    reason: str = field(default="", metadata=NOTE)
    uncovered: bool = field(default=False, metadata=NOTE)
    replaced: bool = field(default=False, metadata=NOTE)


Instruction = Pointwise | Contract | Reduce | Normalize | Fixed | Reshape | Permute | Expand | Slice | Cat | Rotary | Pin


class Split(NamedTuple):
    """An axis that a rule has cut in runs, so that their channels are told apart although the operation may not ask for it.

    Attributes:
        call: Number of the operation.
        axes: The axis before and behind, as values with the number of the axis.
        reason: Why it was cut.
    """

    call: int
    axes: tuple[tuple[Value, int], ...]
    reason: str


@dataclass
class Program:
    """A model in the small language.

    Attributes:
        values: All values.
        code: The instructions, in order of execution.
        outputs: The values that the model returns.
        loops: Indices of values that are written more than once.
        tags: For every written value the operation that wrote it, with its arguments, and which of its instructions it was.
        origins: Where every operation was called, by its number.
        splits: Axes that rules have cut for want of a finer way.
    """

    values: list[Value] = field(default_factory=list)
    code: list[Instruction] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    loops: set[int] = field(default_factory=set)
    tags: dict[int, tuple[tuple[Any, ...], int]] = field(default_factory=dict)
    origins: list[Origin] = field(default_factory=list)
    splits: list[Split] = field(default_factory=list)

    def origin(self, step: "Instruction | Split") -> Origin:
        """Return where the operation was called that an instruction belongs to.

        Args:
            step: An instruction of the program, or a note of one.
        """
        return self.origins[step.call] if 0 <= step.call < len(self.origins) else Origin("", "", "")

    def tag(self, value: Value) -> tuple[str, int]:
        """Return the operation that wrote a value, with the numbers it was called with.

        Two branches must have this in common to be the same function.

        Args:
            value: A value that is written.
        """
        tag, position = self.tags.get(value.index, ((), 0))
        return _plain(tag), position


def _plain(x: Any) -> str:
    """Return arguments as text, without the tensors among them."""
    if isinstance(x, Value) or hasattr(x, "pair"):
        return "*"
    if isinstance(x, (tuple, list)):
        return f"({','.join(map(_plain, x))})"
    if isinstance(x, dict):
        return f"{{{','.join(f'{k}={_plain(v)}' for k, v in x.items())}}}"
    return repr(x)


def attributes(step: Instruction) -> dict[str, Hashable]:
    """Return all that an instruction does beside the values it reads and writes: every other field but notes, by name.

    Whoever asks whether two instructions do the same compares these, so that no attribute can be forgotten.

    Args:
        step: Any instruction.

    Example:
        >>> x, y = Value(0, (5,), Kind.INPUT), Value(1, (3,), Kind.ACTIVATION)
        >>> attributes(Slice(x, y, dim=0, start=2))
        {'dim': 0, 'start': 2}
    """
    names = _own_fields(type(step))
    return dict(zip(names, [getattr(step, name) for name in names], strict=True))


@lru_cache(maxsize=64)
def _own_fields(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if f.type not in (Value, tuple[Value, ...]) and f.metadata != NOTE)


def properties(value: Value) -> dict[str, Hashable]:
    """Return what a value is, apart from which one it is, its shape and its numbers.

    Args:
        value: Any value.
    """
    return {f.name: getattr(value, f.name) for f in fields(value) if f.name not in ("index", "name", "shape", "data")}


def content(data: Tensor) -> tuple[Hashable, ...]:
    """Return something that only tensors of the same shape, type and numbers have.

    Args:
        data: Any dense tensor with numbers.
    """
    plain = data.detach().cpu().resolve_conj().resolve_neg().contiguous()
    return tuple(plain.shape), str(plain.dtype), plain.reshape(-1).view(torch.uint8).numpy().tobytes()


def operands(step: Instruction) -> tuple[Value, ...]:
    """Return the inputs of an instruction.

    Args:
        step: Any instruction.
    """
    if isinstance(step, (Pointwise, Cat, Pin)):
        return step.xs
    if isinstance(step, Contract):
        return (step.x, step.y)
    return (step.x,)


def result(step: Instruction) -> Value | None:
    """Return the output of an instruction, or ``None`` for a pin.

    Args:
        step: Any instruction.
    """
    return None if isinstance(step, Pin) else step.out


def segments(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """Return the smallest runs of axes that a reshape maps onto each other.

    Args:
        before: The old shape.
        after: The new shape.

    Example:
        >>> segments((2, 3, 4), (6, 2, 2))
        [([0, 1], [0]), ([2], [1, 2])]
    """
    out: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(before) or j < len(after):
        ins, outs = [], []
        while True:
            a, b = prod(before[k] for k in ins), prod(after[k] for k in outs)
            if a == b and (ins or outs) and (a > 1 or (i == len(before) and j == len(after))):
                break
            if a == b and ins and outs:
                break
            if (a <= b and i < len(before)) or j == len(after):
                ins.append(i)
                i += 1
            else:
                outs.append(j)
                j += 1
        out.append((ins, outs))
    return out
