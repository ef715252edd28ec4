"""Rotary embeddings: finds ``x cos + rotate(x) sin`` in whatever way it was written.

A value is followed back to linear forms in the two halves of one source. If the two halves of the
result are ``(c x1 - s x2, s x1 + c x2)``, the operation rotates the planes ``(x1, x2)``, and multiplication by a
complex number per plane commutes with it.
"""

from parasym.rules.builder import Builder
from parasym.rules.program import Cat, Expand, Fn, Kind, Pointwise, Reshape, Slice, Value
from parasym.rules.rule import Rule, Unsupported

Form = dict[tuple[int, int], dict[tuple, int]]  # (source, half) -> {names of factors: sign}
_DEPTH = 12


def rotated(b: Builder, out: Value) -> Value | None:
    """Return a rotary instruction's value if ``out`` is a rotation of planes, else ``None``.

    Args:
        b: The builder that wrote ``out``.
        out: A sum or a concatenation.
    """
    if not out.shape or out.shape[-1] % 2 or out.index in b.data_only:
        return None
    forms = _pair(b, out, _DEPTH)
    if forms is None:
        return None
    first, second = forms
    sources = {source for source, _ in (*first, *second)}
    if len(sources) != 1 or out.index in sources:
        return None
    (source,) = sources
    x = b.program.values[source]
    if x.shape != out.shape:
        return None
    a, minus_b = first.get((source, 0), {}), first.get((source, 1), {})
    plus_b, c = second.get((source, 0), {}), second.get((source, 1), {})
    turned = {key: -sign for key, sign in minus_b.items()}
    if not a or a != c or not plus_b or plus_b != turned:
        return None
    b.note(f"by {sorted(a.items())} {sorted(plus_b.items())}")  # other angles are another function
    return b.rotary(x, interleaved=out.shape[-1] == 2 and len(out.shape) > 1)


def _pair(b: Builder, v: Value, depth: int) -> tuple[Form, Form] | None:
    """Return the linear forms of the two halves of the last axis."""
    step = b.producers.get(v.index)
    if depth and isinstance(step, Cat) and step.dim == len(v.shape) - 1 and len(step.xs) == 2:
        if step.xs[0].shape != step.xs[1].shape:
            return None
        first, second = (_half(b, x, depth - 1) for x in step.xs)
        return None if first is None or second is None else (first, second)
    if depth and isinstance(step, Pointwise) and step.fn is Fn.ADD and len(step.xs) == 2:
        parts = [_pair(b, x, depth - 1) for x in step.xs]
        if parts[0] is None or parts[1] is None:
            return None
        return tuple(_sum(parts[0][k], parts[1][k], step.signs) for k in (0, 1))  # pyright: ignore[reportReturnType]
    if depth and isinstance(step, Pointwise) and step.fn is Fn.MUL and step.degrees == (1, 1):
        x, c = _factor(b, step)
        inner = None if x is None or x.shape != v.shape else _pair(b, x, depth - 1)
        if inner is None or not _twin(b, c, depth):
            return None
        return _times(inner[0], c), _times(inner[1], c)
    return {(v.index, 0): {(): 1}}, {(v.index, 1): {(): 1}}


def _half(b: Builder, v: Value, depth: int) -> Form | None:
    """Return the linear form of a value that is one half of something."""
    step = b.producers.get(v.index)
    if not depth or step is None:
        return None
    if isinstance(step, Slice) and step.dim == len(step.x.shape) - 1:
        n = step.x.shape[-1]
        if v.shape[-1] * 2 != n or step.start not in (0, n // 2):
            return None
        return {(step.x.index, int(step.start > 0)): {(): 1}}
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


def _twin(b: Builder, c: Value, depth: int) -> bool:
    """Whether the two halves of a factor's last axis are equal."""
    if not c.shape or c.shape[-1] == 1:
        return True
    if c.kind is Kind.CONSTANT and c.data is not None:
        half = c.shape[-1] // 2
        return c.shape[-1] % 2 == 0 and bool((c.data[..., :half] == c.data[..., half:]).all())
    step = b.producers.get(c.index)
    if not depth or step is None:
        return False
    if isinstance(step, Cat):
        return step.dim == len(c.shape) - 1 and len(step.xs) == 2 and step.xs[0] is step.xs[1]
    if isinstance(step, Pointwise):
        aligned = all(letters[-1] in (None, len(c.shape) - 1) for letters in step.letters if letters)
        return aligned and all(_twin(b, x, depth - 1) for x in step.xs)
    if isinstance(step, Expand):
        return _twin(b, step.x, depth - 1)
    if isinstance(step, Reshape):
        return bool(step.x.shape) and step.x.shape[-1] == c.shape[-1] and _twin(b, step.x, depth - 1)
    if isinstance(step, Slice):
        return step.dim != len(c.shape) - 1 and _twin(b, step.x, depth - 1)
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
