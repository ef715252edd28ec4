"""Writes programs: the functions that rules are made of."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import prod
from typing import Any

import torch
from torch import Tensor

from parasym.rules.program import (
    Cat,
    Contract,
    Expand,
    Fixed,
    Fn,
    Instruction,
    Kind,
    Linked,
    Normalize,
    Origin,
    Permute,
    Pin,
    Pointwise,
    Program,
    Reduce,
    Reshape,
    Rotary,
    Slice,
    Split,
    Value,
    content,
    operands,
    result,
    segments,
)
from parasym.rules.rule import Unsupported

# An epsilon this small drowns in rounding next to every variance above 1e-8, in float64 too. BatchNorm refuses
# an epsilon of exactly zero in train mode.
NEGLIGIBLE = 1e-24

Operand = Value | float | int | bool | complex


class Builder:
    """Appends instructions to a program and returns the values they define.

    Every method returns a new :class:`Value`. Arguments that are Python numbers become constants.

    Attributes:
        program: What has been written so far.
    """

    def __init__(self) -> None:
        self.program = Program()
        self._shifted: dict[tuple[str, float], Value] = {}
        self.producers: dict[int, Instruction] = {}
        self._patches: dict[tuple[Any, ...], Value] = {}
        self._reshaped: dict[tuple[int, tuple[int, ...]], Value] = {}
        self.data_only: set[int] = set()
        self.stepped: dict[int, tuple[int, int, int, int]] = {}
        """Of every slice with a step what it was taken of: value, axis, start and step."""
        self._tag: tuple[Any, ...] = ()
        self._position = 0
        self.drawing: set[str] = set()
        """Names of the operations that draw random numbers."""

    def at(self, origin: Origin) -> None:
        """Say where the operation was called that the instructions to come belong to."""
        self.program.origins.append(origin)

    def begin(self, *tag: Any) -> None:
        """Say which operation the instructions to come belong to: its name and its arguments."""
        self._tag, self._position = tag, 0

    def note(self, more: str) -> None:
        """Say what else tells the operation from others."""
        self._tag = (*self._tag, more)

    def by(self, *indices: Value) -> None:
        """Say which entries the operation looks up: look-ups of other entries are other functions."""
        for x in indices:
            known = x.kind is Kind.CONSTANT and x.data is not None
            self.note(f"by {hash(content(x.data)) if known and x.data is not None else x.index}")

    def earlier(self, queries: int, keys: int) -> Value:
        """Return which keys come no later than each query, as a constant; its numbers are not known if it is large."""
        small = queries * keys <= 1 << 22
        data = torch.ones(queries, keys, dtype=torch.bool).tril() if small else None
        return self.constant(data, (queries, keys), real=False)

    def emit(self, step: Instruction) -> None:
        """Append an instruction."""
        step.call = len(self.program.origins) - 1
        self.program.code.append(step)
        out = result(step)
        if out is not None:
            self.producers.setdefault(out.index, step)
            # What only rearranges is not counted: the same rearrangement of one value is written once.
            self._position += not isinstance(step, (Reshape, Permute, Slice))
            self.program.tags[out.index] = (self._tag, self._position)
            if all(x.index in self.data_only for x in operands(step)) and not out.leaf:
                self.data_only.add(out.index)

    def value(self, shape: Sequence[int], kind: Kind = Kind.ACTIVATION, *, real: bool = True, name: str = "") -> Value:
        """Return a new value."""
        value = Value(len(self.program.values), tuple(map(int, shape)), kind, real, name)
        self.program.values.append(value)
        if kind in (Kind.CONSTANT, Kind.INPUT):
            self.data_only.add(value.index)
        return value

    def drawn(self, shape: Sequence[int]) -> Value:
        """Return numbers that the operation draws, independently for every entry."""
        self.drawing.update(str(name) for name in self._tag[:1])
        return self.value(shape, real=False)

    def constant(self, data: Tensor | None, shape: Sequence[int], *, real: bool = True, name: str = "") -> Value:
        """Return a constant; ``data`` is ``None`` where its numbers are not known."""
        value = self.value(shape, Kind.CONSTANT, real=real, name=name)
        value.data = data
        value.truth = data is not None and data.dtype is torch.bool
        return value

    def filled(self, shape: Sequence[int], number: float = 0.0, *, real: bool = True) -> Value:
        """Return a constant of one number, which takes no memory."""
        return self.constant(torch.full((), number).expand(tuple(shape)), shape, real=real)

    def _folded(self, x: Value, rearrange: Callable[[Tensor], Tensor]) -> Value | None:
        """Return a rearranged constant as a constant of its own, so that its copies share no wire."""
        if x.kind is not Kind.CONSTANT or x.data is None:
            return None
        data = rearrange(x.data)
        return self.constant(data, data.shape, real=x.real)

    def number(self, x: Operand) -> Value:
        """Return ``x`` as a value."""
        return x if isinstance(x, Value) else self.constant(torch.tensor(x), ())

    def shifted(self, x: Value, offset: float) -> Value:
        """Return a buffer plus a number, as a leaf of its own that moves the buffer."""
        key = (x.name, x.offset + offset)
        if key not in self._shifted:
            self._shifted[key] = self.value(x.shape, Kind.STATE, name=x.name)
            self._shifted[key].offset = key[1]
        return self._shifted[key]

    def pointwise(
        self, fn: Fn, *xs: Operand, degrees: tuple[int | Fraction, ...] = (), signs: Sequence[int] = (), real: bool = True
    ) -> Value:
        """Return ``fn`` of broadcast operands."""
        values = tuple([x if isinstance(x, Value) else self.number(x) for x in xs])
        out = self.value(_broadcast([v.shape for v in values]), real=real)
        self.emit(Pointwise(fn, values, out, degrees, tuple(signs) or (1,) * len(values)))
        return out

    def add_along(self, x: Value, vector: Value, axis: int, *, sign: int = 1) -> Value:
        """Return ``x`` plus, or minus, a vector that lies along one axis of it."""
        return self._along(Fn.ADD, x, [vector], axis, (), (1, sign))

    def mul_along(self, x: Value, *vectors: tuple[Value, int | Fraction], axis: int) -> Value:
        """Return ``x`` times powers of vectors that lie along one axis of it, given with their degrees."""
        degrees = (1, *(degree for _, degree in vectors))
        return self._along(Fn.MUL, x, [v for v, _ in vectors], axis, degrees, (1,) * len(degrees))

    def _along(
        self, fn: Fn, x: Value, vectors: list[Value], axis: int, degrees: tuple[int | Fraction, ...], signs: tuple[int, ...]
    ) -> Value:
        for vector in vectors:
            if vector.shape != (x.shape[axis],):
                raise Unsupported(f"a vector of shape {vector.shape} along axis {axis} of {x.shape}")
        out = self.value(x.shape)
        letters = (tuple(range(len(x.shape))), *[(axis,)] * len(vectors))
        self.emit(Pointwise(fn, (x, *vectors), out, degrees, signs, letters))
        return out

    def add(self, *xs: Operand, signs: Sequence[int] = ()) -> Value:
        """Return the sum (or signed sum) of the operands."""
        return self.pointwise(Fn.ADD, *xs, signs=signs)

    def mul(self, x: Operand, y: Operand) -> Value:
        """Return the product; a product with a number is a linear map."""
        for a, b in ((x, y), (y, x)):
            if isinstance(b, Value) and _is_number(a):
                return self.scaled(b, None if isinstance(a, Value) else a)
        return self.pointwise(Fn.MUL, x, y)

    def scaled(self, x: Value, number: complex | Fraction | None = None) -> Value:
        """Return ``x`` times a number, ``None`` for one that is not known."""
        known = None
        if isinstance(number, Fraction):
            known = number
        elif isinstance(number, (int, float)) and math.isfinite(number):
            known = Fraction(number)
        out = self.value(x.shape)
        self.emit(Pointwise(Fn.LINEAR, (x,), out, signs=(0,), factor=known or None))
        return out

    def power(self, x: Operand, degree: float | Fraction) -> Value:
        """Return ``x ** degree``."""
        exact = Fraction(degree).limit_denominator(1000)
        return self.pointwise(Fn.MUL, x, degrees=(int(exact) if exact.denominator == 1 else exact,))

    def contract(self, x: Value, y: Value, spec: str) -> Value:
        """Return an einsum of two operands, such as ``"bi,oi->bo"``."""
        inputs, out = spec.split("->")
        left, right = inputs.split(",")
        size = dict(zip(left, x.shape, strict=True))
        spread = False
        for c, n in zip(right, y.shape, strict=True):
            known = size.setdefault(c, n)
            if n != known:
                if 1 not in (n, known):
                    raise Unsupported(f"a contraction {spec} of shapes {x.shape} and {y.shape}")
                size[c], spread = max(n, known), True
        if any(n == 0 for c, n in size.items() if c not in out):
            return self.filled([size[c] for c in out])  # a sum over nothing
        value = self.value([size[c] for c in out])
        if spread:
            x, left = self._unspread(x, left, size)
            y, right = self._unspread(y, right, size)
        x, left = self._unpermuted(x, left)
        y, right = self._unpermuted(y, right)
        letters = [tuple(ord(c) for c in part) for part in (left, right, out)]
        self.emit(Contract(x, y, value, *letters))
        return value

    def _unspread(self, x: Value, letters: str, size: dict[str, int]) -> tuple[Value, str]:
        """Drop the axes of length one that are broadcast against a longer one."""
        kept = [k for k, c in enumerate(letters) if x.shape[k] == size[c]]
        return self.reshape(x, [x.shape[k] for k in kept]), "".join(letters[k] for k in kept)

    def _unpermuted(self, x: Value, letters: str) -> tuple[Value, str]:
        """Return what was transposed and its letters: a contraction does not care for the order of axes."""
        step = self.producers.get(x.index)
        if not isinstance(step, Permute) or x.index in self.program.loops:
            return x, letters
        before = [""] * len(letters)
        for letter, source in zip(letters, step.order, strict=True):
            before[source] = letter
        return self._unpermuted(step.x, "".join(before))

    def reduce(self, fn: str, x: Value, dims: Sequence[int], *, keepdim: bool = False) -> Value:
        """Return ``x`` reduced over ``dims``; ``fn`` is ``sum``, ``mean``, ``max``, ``homogeneous`` or ``generic``."""
        axes = tuple(sorted({d % x_ndim(x) for d in dims})) if dims else tuple(range(len(x.shape)))
        if any(x.shape[k] == 0 for k in axes):
            if fn != "sum":
                raise Unsupported(f"a {fn} over an axis of length 0")
            return self.filled([1 if k in axes else n for k, n in enumerate(x.shape) if keepdim or k not in axes])
        out = self.value([n for k, n in enumerate(x.shape) if k not in axes])
        self.emit(Reduce(fn, x, out, axes))
        return self.reshape(out, [1 if k in axes else n for k, n in enumerate(x.shape)]) if keepdim else out

    def square_sum(self, x: Value, dims: Sequence[int], *, keepdim: bool = False) -> Value:
        """Return the sum of squares over ``dims``: a contraction of ``x`` with itself."""
        axes = {d % x_ndim(x) for d in dims} if dims else set(range(len(x.shape)))
        letters = [chr(97 + k) for k in range(len(x.shape))]
        kept = "".join(c for k, c in enumerate(letters) if k not in axes)
        out = self.contract(x, x, f"{''.join(letters)},{''.join(letters)}->{kept}")
        return self.reshape(out, [1 if k in axes else n for k, n in enumerate(x.shape)]) if keepdim else out

    def summed_product(self, x: Value, dims: Sequence[int]) -> Value | None:
        """Return the sum of ``x`` over ``dims`` as a contraction of the two values that it is a product of, if it is one."""
        step = self.producers.get(x.index)
        if not isinstance(step, Pointwise) or step.fn is not Fn.MUL or x.index in self.program.loops:
            return None
        if step.degrees == (2,):
            return self.square_sum(step.xs[0], dims)
        if step.degrees != (1, 1) or any(v.kind is Kind.CONSTANT or not v.real for v in step.xs):
            return None
        bears = [{a for a in letters if a is not None} for letters in step.letters]
        if not bears[0] & bears[1] & set(dims):
            return None
        parts = []
        for v, letters, other in zip(step.xs, step.letters, bears[::-1], strict=True):
            v = self.reshape(v, [n for n, a in zip(v.shape, letters, strict=True) if a is not None])
            axes = [a for a in letters if a is not None]
            alone = [k for k, a in enumerate(axes) if a in dims and a not in other]
            v = self.reduce("sum", v, alone) if alone else v
            parts.append((v, "".join(chr(97 + a) for k, a in enumerate(axes) if k not in alone)))
        (a, left), (b, right) = parts
        kept = "".join(c for k in range(len(x.shape)) if k not in dims and (c := chr(97 + k)) in left + right)
        out = self.contract(a, b, f"{left},{right}->{kept}")
        return self.reshape(out, [n for k, n in enumerate(x.shape) if k not in dims])

    def normalize(self, x: Value, dims: Sequence[int], *, eps: float = 0.0) -> Value:
        """Return ``x`` centred and scaled to unit variance over ``dims``."""
        out = self.value(x.shape)
        axes = tuple(sorted(d % x_ndim(x) for d in dims))
        self.emit(Normalize(x, out, axes, odd=True, scale_free=eps <= NEGLIGIBLE, sums_to=0))
        return out

    def softmax(self, x: Value, dim: int, *, log: bool = False) -> Value:
        """Return the softmax (or its logarithm) of ``x`` over ``dim``."""
        out = self.value(x.shape)
        self.emit(Normalize(x, out, (dim % x_ndim(x),), odd=False, sums_to=None if log else 1))
        return out

    def fixed(
        self,
        x: Value,
        shape: Sequence[int],
        kept: Sequence[tuple[int, int]],
        *,
        averaging: bool = False,
        fn: str = "linear",
        real: bool | None = None,
        reason: str = "",
        coarse: Sequence[Linked] = (),
    ) -> Value:
        """Return a fixed map of ``x`` on all axes but the kept ones.

        A reason says why some of the axes, in groups of ``x`` and of the result, are not known any better.
        """
        out = self.value(shape, real=x.real if real is None else real)
        self.emit(Fixed(x, out, tuple(kept), averaging, fn, reason=reason, coarse=tuple(coarse)))
        return out

    def patches(
        self, x: Value, shape: Sequence[int], kept: Sequence[tuple[int, int]], geometry: tuple[Any, ...], *, averaging: bool
    ) -> Value:
        """Return a fixed map of ``x`` on all axes but the kept ones; the same map of the same value is made once.

        Two convolutions that look at the same patches are linear maps of one value. Where a window is one place wide in all
        directions, that value is ``x`` itself.

        Args:
            x: What it maps.
            shape: Shape of the result.
            kept: Pairs of axes ``(of x, of the result)`` that pass through.
            geometry: All that tells the map from others of these shapes.
            averaging: Whether what is constant over the other axes stays the same constant.
        """
        if len(kept) == len(x.shape):
            return self.reshape(x, shape)
        key = (x.index, tuple(shape), tuple(kept), geometry)
        if key not in self._patches or x.index in self.program.loops:
            self._patches[key] = self.fixed(x, shape, kept, averaging=averaging)
        return self._patches[key]

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """Return ``x`` in another shape."""
        if tuple(shape) == x.shape:
            return x
        if prod(shape) != prod(x.shape):
            raise Unsupported(f"a reshape of {x.shape} to {tuple(shape)}")
        if not prod(shape):
            return self.filled(shape, real=x.real)
        key = (x.index, tuple(shape))
        if key not in self._reshaped:
            folded = self._folded(x, lambda data: data.reshape(tuple(shape)))
            out = self.value(shape, real=x.real) if folded is None else folded
            if folded is None:
                self.emit(Reshape(x, out))
            self._reshaped[key] = out
        return self._reshaped[key]

    def permute(self, x: Value, order: Sequence[int]) -> Value:
        """Return ``x`` with its axes in another order."""
        order = tuple(k % x_ndim(x) for k in order)
        folded = self._folded(x, lambda data: data.permute(order))
        if folded is not None:
            return folded
        out = self.value([x.shape[k] for k in order], real=x.real)
        self.emit(Permute(x, out, order))
        return out

    def expand(self, x: Value, shape: Sequence[int]) -> Value:
        """Return ``x`` broadcast to ``shape``."""
        if tuple(shape) == x.shape:
            return x
        out = self.value(shape, real=x.real)
        self.emit(Expand(x, out))
        return out

    def slice(self, x: Value, dim: int, start: int, length: int) -> Value:
        """Return ``length`` entries of ``x`` from ``start`` along ``dim``.

        A slice of a rearranged value is taken before the rearrangement where that is possible: slicing the three
        of ``[3, heads, dim]`` cuts the fused axis into three independent blocks instead of pinning it, and slicing that of
        ``[heads, 3, dim]`` cuts what every head has of it.
        """
        dim = dim % x_ndim(x)
        if start == 0 and length == x.shape[dim]:
            return x
        if not length:
            return self.filled([0 if k == dim else n for k, n in enumerate(x.shape)], real=x.real)
        folded = self._folded(x, lambda data: data.narrow(dim, start, length))
        if folded is not None:
            return folded
        joined = self._of_joined(x, dim, start, length)
        if joined is not None:
            return joined
        if self._fused(x, dim):
            step = self.producers[x.index]
            if isinstance(step, Permute):
                return self.permute(self.slice(step.x, step.order[dim], start, length), step.order)
            assert isinstance(step, Reshape)
            axis, outer, inner = fused_axis(step.x.shape, x.shape, dim) or (dim, 1, 1)
            fused = step.x
            if outer > 1:
                shape = fused.shape
                fused = self.reshape(fused, [*shape[:axis], outer, shape[axis] // outer, *shape[axis + 1 :]])
                axis += 1
            part = self.slice(fused, axis, start * inner, length * inner)
            return self.reshape(part, [length if k == dim else n for k, n in enumerate(x.shape)])
        out = self.value([length if k == dim else n for k, n in enumerate(x.shape)], real=x.real)
        self.emit(Slice(x, out, dim, start))
        return out

    def _of_joined(self, x: Value, dim: int, start: int, length: int) -> Value | None:
        """Return a slice of a concatenation as slices of what was joined."""
        step = self.producers.get(x.index)
        if not isinstance(step, Cat) or step.dim != dim or x.index in self.program.loops:
            return None
        parts, before = [], 0
        for part in step.xs:
            first, last = max(start - before, 0), min(start + length - before, part.shape[dim])
            if first < last:
                parts.append(self.slice(part, dim, first, last - first))
            before += part.shape[dim]
        return self.cat(parts, dim)

    def _fused(self, x: Value, dim: int) -> bool:
        """Whether ``dim`` of a rearranged value is a part, but not the innermost one, of an axis of what was rearranged."""
        step = self.producers.get(x.index) if x.index not in self.program.loops else None
        if isinstance(step, Permute):
            return self._fused(step.x, step.order[dim])
        if not isinstance(step, Reshape):
            return False
        where = fused_axis(step.x.shape, x.shape, dim)
        return where is not None and (where[2] > 1 or (where[1] == 1 and self._fused(step.x, where[0])))

    def cat(self, xs: Sequence[Value], dim: int) -> Value:
        """Return the concatenation of ``xs`` along ``dim``."""
        dim = dim % x_ndim(xs[0])
        xs = [x for x in xs if x.shape[dim]] or xs[:1]
        if len(xs) == 1:
            return xs[0]
        total = sum(x.shape[dim] for x in xs)
        out = self.value([total if k == dim else n for k, n in enumerate(xs[0].shape)], real=all(x.real for x in xs))
        self.emit(Cat(tuple(xs), out, dim))
        return out

    def rotary(self, x: Value, *, interleaved: bool) -> Value:
        """Return ``x`` with the planes of its last axis rotated."""
        out = self.value(x.shape)
        self.emit(Rotary(x, out, interleaved))
        return out

    def flow(self, x: Value, into: Value) -> None:
        """Say that ``into`` also takes the value ``x``: the state of a recurrence, or an updated buffer."""
        self.program.loops.add(into.index)
        self.program.code.append(Pointwise(Fn.LINEAR, (x,), into, signs=(1,), call=len(self.program.origins) - 1))
        self.data_only.discard(into.index)

    def split(self, reason: str, *axes: tuple[Value, int]) -> None:
        """Say why an axis was cut in runs whose channels may not change places, although they could if one knew better."""
        self.program.splits.append(Split(len(self.program.origins) - 1, axes, reason))

    def pin(self, *xs: Value, reason: str = "", uncovered: bool = False, replaced: bool = False) -> None:
        """Let nothing act on these values; a reason says why it is not known any better."""
        self.emit(Pin(tuple(xs), reason, uncovered, replaced))


def _broadcast(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    first, n = shapes[0], max(map(len, shapes))
    if all(shape == first for shape in shapes):
        return first
    sizes = [{1, *column} for column in zip(*((1,) * (n - len(shape)) + shape for shape in shapes), strict=True)]
    if any(len(size) > 2 for size in sizes):
        raise Unsupported(f"operands of shapes {', '.join(map(str, shapes))}")
    return tuple(0 if 0 in size else max(size) for size in sizes)


def fused_axis(before: tuple[int, ...], after: tuple[int, ...], dim: int) -> tuple[int, int, int] | None:
    """Return the axis of ``before`` that ``dim`` of ``after`` is a part of, and the sizes of the parts outside and inside."""
    if not prod(before):
        return None
    for ins, outs in segments(before, after):
        if dim in outs:
            sources = [k for k in ins if before[k] > 1]
            wide = [k for k in outs if after[k] > 1]
            if len(sources) == 1 and dim in wide:
                at = wide.index(dim)
                return sources[0], prod(after[k] for k in wide[:at]), prod(after[k] for k in wide[at + 1 :])
    return None


def x_ndim(x: Value) -> int:
    """Return the number of axes, at least one."""
    return max(len(x.shape), 1)


def _is_number(x: Operand) -> bool:
    return not isinstance(x, Value)
