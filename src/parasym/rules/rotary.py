"""Rotary embeddings: finds ``x cos + rotate(x) sin`` in whatever way it was written.

A value is followed back to linear forms in the two halves of one source. If the two halves of the
result are ``(c x1 - s x2, s x1 + c x2)``, the operation rotates the planes ``(x1, x2)``, and multiplication by a
complex number per plane commutes with it.
"""

from parasym.rules.builder import Builder
from parasym.rules.program import Cat, Expand, Fn, Kind, Pointwise, Reshape, Slice, Value
from parasym.rules.rule import Rule, Unsupported

Source = tuple[int, tuple[int, ...]]
"""A value by what it was reshaped from, and its shape."""
Form = dict[tuple[Source, int], dict[tuple, int]]
"""``(source, part) -> {names of factors: sign}``; a part is a half of the last axis, or every other entry of it."""
_DEPTH = 12


def rotated(b: Builder, out: Value) -> Value | None:
    """Return a rotary instruction's value if ``out`` is a rotation of planes, else ``None``.

    Args:
        b: The builder that wrote ``out``.
        out: A sum or a concatenation.
    """
    if not out.shape or out.shape[-1] % 2 or out.index in b.data_only:
        return None
    halves = _source(b, out, _pair(b, out, _DEPTH))
    if halves is not None and (out.shape[-1] > 2 or _differ(b, out)):
        return b.rotary(halves, interleaved=out.shape[-1] == 2 and len(out.shape) > 1)
    entries = halves
    if halves is None and _has_pairs(b, out):
        entries = _source(b, out, _pair(b, out, _DEPTH, alternating=True))
    if entries is None:
        return None
    pairs = b.reshape(entries, [*out.shape[:-1], out.shape[-1] // 2, 2])
    return b.reshape(b.rotary(pairs, interleaved=True), out.shape)


def _differ(b: Builder, out: Value) -> bool:
    """Whether angles may differ along the axis before a last axis of two, so that the former is one of planes."""
    angles = _angles(b, out)
    return not angles or any(c.shape[-2:-1] not in ((), (1,)) for c in angles)


def _angles(b: Builder, out: Value) -> list[Value]:
    """Return what the two summands of a sum are multiplied with."""
    step = b.producers.get(out.index)
    if not isinstance(step, Pointwise) or step.fn is not Fn.ADD or len(step.xs) != 2:
        return []
    made = [b.producers.get(x.index) for x in step.xs]
    return [_factor(b, one)[1] for one in made if isinstance(one, Pointwise) and one.fn is Fn.MUL and len(one.xs) == 2]


def _source(b: Builder, out: Value, forms: tuple[Form, Form] | None) -> Value | None:
    """Return what was turned, if the two parts of a value are those of a rotation."""
    if forms is None:
        return None
    first, second = forms
    sources = {source for source, _ in (*first, *second)}
    if len(sources) != 1:
        return None
    (source,) = sources
    index, shape = source
    if shape != out.shape or source == _name(b, out):
        return None
    a, minus_b = first.get((source, 0), {}), first.get((source, 1), {})
    plus_b, c = second.get((source, 0), {}), second.get((source, 1), {})
    turned = {key: -sign for key, sign in minus_b.items()}
    if not a or a != c or not plus_b or plus_b != turned:
        return None
    b.note(f"by {sorted(a.items())} {sorted(plus_b.items())}")  # other angles are another function
    x = b.program.values[index]
    return x if x.shape == shape else b.reshape(x, shape)


def _name(b: Builder, v: Value) -> Source:
    shape = v.shape
    while isinstance(step := b.producers.get(v.index), Reshape):
        v = step.x
    return v.index, shape


def _has_pairs(b: Builder, out: Value) -> bool:
    """Whether a sum has a summand whose entries came in pairs, so that it may turn every two neighbours."""
    step = b.producers.get(out.index)
    if not isinstance(step, Pointwise) or step.fn is not Fn.ADD or len(step.xs) != 2:
        return False
    made = [b.producers.get(x.index) for x in step.xs]
    factors = [x for one in made if isinstance(one, Pointwise) and one.fn is Fn.MUL for x in one.xs]
    return any(_unpaired(b, x) is not None for x in factors if x.index not in b.data_only)


def _unpaired(b: Builder, v: Value) -> Value | None:
    """Return the value of pairs, along a last axis of two, that was flattened into another one."""
    step = b.producers.get(v.index)
    if isinstance(step, Reshape) and step.x.shape[-1:] == (2,) and step.x.shape[:-2] == v.shape[:-1]:
        return step.x
    return None


def _pair(b: Builder, v: Value, depth: int, *, alternating: bool = False) -> tuple[Form, Form] | None:
    """Return the linear forms of the two halves of the last axis, or of its even and its odd entries."""
    step = b.producers.get(v.index)
    if depth and isinstance(step, Reshape):
        pairs = _unpaired(b, v) if alternating else None
        if pairs is not None or step.x.shape[-1:] == v.shape[-1:]:
            inner = _pair(b, step.x, depth - 1, alternating=alternating and pairs is None)
            return None if inner is None else (_reshaped(inner[0], step), _reshaped(inner[1], step))
    if depth and not alternating and isinstance(step, Cat) and step.dim == len(v.shape) - 1 and len(step.xs) == 2:
        if step.xs[0].shape != step.xs[1].shape:
            return None
        first, second = (_half(b, x, depth - 1) for x in step.xs)
        return None if first is None or second is None else (first, second)
    if depth and isinstance(step, Pointwise) and step.fn is Fn.ADD and len(step.xs) == 2:
        parts = [_pair(b, x, depth - 1, alternating=alternating) for x in step.xs]
        if parts[0] is None or parts[1] is None:
            return None
        return tuple(_sum(parts[0][k], parts[1][k], step.signs) for k in (0, 1))  # pyright: ignore[reportReturnType]
    if depth and isinstance(step, Pointwise) and step.fn is Fn.MUL and step.degrees == (1, 1):
        x, c = _factor(b, step)
        inner = None if x is None or x.shape != v.shape else _pair(b, x, depth - 1, alternating=alternating)
        if inner is None or not _twin(b, c, depth, alternating=alternating):
            return None
        return _times(inner[0], c), _times(inner[1], c)
    name = _name(b, v)
    return {(name, 0): {(): 1}}, {(name, 1): {(): 1}}


def _reshaped(form: Form, step: Reshape) -> Form:
    """Return a form in a value as one in what it is reshaped into."""
    before, after = step.x.shape, step.out.shape
    return {((index, after if shape == before else shape), part): f for ((index, shape), part), f in form.items()}


def _half(b: Builder, v: Value, depth: int) -> Form | None:
    """Return the linear form of a value that is one half of something."""
    step = b.producers.get(v.index)
    if not depth or step is None:
        return None
    if isinstance(step, Slice) and step.dim == len(step.x.shape) - 1:
        n = step.x.shape[-1]
        if v.shape[-1] * 2 != n or step.start not in (0, n // 2):
            return None
        return {(_name(b, step.x), int(step.start > 0)): {(): 1}}
    if isinstance(step, Reshape) and [n for n in step.x.shape if n > 1] == [n for n in v.shape if n > 1]:
        return _half(b, step.x, depth - 1)
    if isinstance(step, Pointwise) and step.fn is Fn.LINEAR and step.signs == (-1,):
        inner = _half(b, step.xs[0], depth - 1)
        return None if inner is None else {k: {f: -s for f, s in t.items()} for k, t in inner.items()}
    if isinstance(step, Pointwise) and step.fn is Fn.ADD and len(step.xs) == 2:
        parts = [_half(b, x, depth - 1) for x in step.xs]
        return None if parts[0] is None or parts[1] is None else _sum(parts[0], parts[1], step.signs)
    if isinstance(step, Pointwise) and step.fn is Fn.MUL and step.degrees == (1, 1):
        x, c = _factor(b, step)
        inner = None if x is None else _half(b, x, depth - 1)
        return None if inner is None else _times(inner, c)
    return None


def _factor(b: Builder, step: Pointwise) -> tuple[Value | None, Value]:
    """Return the factor that depends on parameters, and the one that does not."""
    x, y = step.xs
    if y.index in b.data_only and x.index not in b.data_only:
        return x, y
    if x.index in b.data_only and y.index not in b.data_only:
        return y, x
    return None, x


def _twin(b: Builder, c: Value, depth: int, *, alternating: bool = False) -> bool:
    """Whether the two halves of a factor's last axis, or its even and its odd entries, are equal."""
    if not c.shape or c.shape[-1] == 1:
        return True
    if c.kind is Kind.CONSTANT and c.data is not None:
        half = c.shape[-1] // 2
        first, second = (c.data[..., 0::2], c.data[..., 1::2]) if alternating else (c.data[..., :half], c.data[..., half:])
        return c.shape[-1] % 2 == 0 and bool((first == second).all())
    step = b.producers.get(c.index)
    if not depth or step is None:
        return False
    pairs = _unpaired(b, c) if alternating else None
    if pairs is not None:
        return _twin(b, pairs, depth - 1)
    if isinstance(step, Cat):
        equal = len(step.xs) == 2 and _name(b, step.xs[0]) == _name(b, step.xs[1])
        return not alternating and step.dim == len(c.shape) - 1 and equal
    if isinstance(step, Pointwise):
        aligned = all(letters[-1] in (None, len(c.shape) - 1) for letters in step.letters if letters)
        return aligned and all(_twin(b, x, depth - 1, alternating=alternating) for x in step.xs)
    if isinstance(step, Expand):
        return _twin(b, step.x, depth - 1, alternating=alternating)
    if isinstance(step, Reshape):
        same = bool(step.x.shape) and step.x.shape[-1] == c.shape[-1]
        return same and _twin(b, step.x, depth - 1, alternating=alternating)
    if isinstance(step, Slice):
        return step.dim != len(c.shape) - 1 and _twin(b, step.x, depth - 1, alternating=alternating)
    return False


def _times(form: Form, c: Value) -> Form:
    name = _factor_name(c)
    return {k: {tuple(sorted((*f, name))): s for f, s in t.items()} for k, t in form.items()}


def _factor_name(c: Value) -> int:
    """Return the same name for equal constants, even if they were made twice."""
    if c.kind is Kind.CONSTANT and c.data is not None:
        return -1 - hash((tuple(n for n in c.shape if n > 1), c.data.detach().cpu().double().numpy().tobytes()))
    return c.index


def _sum(first: Form, second: Form, signs: tuple[int, ...]) -> Form:
    out: Form = {}
    for form, sign in zip((first, second), signs, strict=True):
        for key, factors in form.items():
            target = out.setdefault(key, {})
            for name, s in factors.items():
                target[name] = target.get(name, 0) + s * sign
    return out


def _as_complex(b: Builder, x: Value) -> "ComplexValue":
    return ComplexValue(x)


def _as_real(b: Builder, x: "ComplexValue | Value") -> Value:
    if not isinstance(x, ComplexValue):
        raise Unsupported("complex numbers that are not pairs of real activations")
    return x.pair


class ComplexValue:
    """A complex activation, kept as its real pairs ``[..., 2]``."""

    def __init__(self, pair: Value) -> None:
        self.pair = pair


RULES = (
    Rule(("view_as_complex",), _as_complex),
    Rule(("view_as_real",), _as_real),
)
