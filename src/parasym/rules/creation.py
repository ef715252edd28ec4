"""Constants made in the shape of an activation: they do not depend on its numbers."""

from collections.abc import Callable, Sequence

from parasym.rules.builder import Builder, Operand
from parasym.rules.program import Value
from parasym.rules.rule import Rule


def _like(number: float) -> Callable[..., Value]:
    def lower(b: Builder, x: Value, *_: object, **__: object) -> Value:
        return b.filled(x.shape, number)

    return lower


def _new(number: float) -> Callable[..., Value]:
    def lower(b: Builder, x: Value, shape: Sequence[int], *_: object, **__: object) -> Value:
        return b.filled(shape, number)

    return lower


def _full_like(b: Builder, x: Value, number: Operand, *_: object, **__: object) -> Value:
    if isinstance(number, Value):
        return b.expand(number, x.shape)
    return b.filled(x.shape, float(number.real))


def _new_full(b: Builder, x: Value, shape: Sequence[int], number: Operand, *_: object, **__: object) -> Value:
    if isinstance(number, Value):
        return b.expand(number, shape)
    return b.filled(shape, float(number.real))


def _copy(b: Builder, x: Value, source: Value, *_: object) -> Value:
    """What is copied into a tensor takes its place."""
    return b.expand(source, x.shape)


RULES = (
    Rule(("copy",), _copy),
    Rule(("zeros_like", "zero"), _like(0.0)),
    Rule(("ones_like",), _like(1.0)),
    Rule(("new_zeros",), _new(0.0)),
    Rule(("new_ones",), _new(1.0)),
    Rule(("full_like", "fill"), _full_like),
    Rule(("new_full",), _new_full),
)
