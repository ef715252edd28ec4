"""Operations that draw random numbers: what passes keeps the law of the outputs, not their values.

Numbers drawn independently have the law of their rearrangements, so channels may be exchanged, and scaled where the numbers
multiply; a map that mixes channels would have to mix what is drawn.
"""

from parasym.rules.builder import Builder
from parasym.rules.program import Fn, Value
from parasym.rules.rule import Rule


def dropped(b: Builder, x: Value) -> Value:
    """Return ``x`` times numbers that are drawn for each of its entries.

    Args:
        b: The builder.
        x: What is dropped out of.
    """
    return b.mul(x, b.drawn(x.shape))


def _dropout(b: Builder, x: Value, p: float = 0.5, train: bool = False) -> Value:
    return dropped(b, x) if train and p > 0 else x


def _feature_dropout(b: Builder, x: Value, p: float, train: bool) -> Value:
    """One number for every sample and channel."""
    return b.mul(x, b.drawn([n if k < 2 else 1 for k, n in enumerate(x.shape)])) if train and p > 0 else x


def _native_dropout(b: Builder, x: Value, p: float, train: bool | None) -> tuple[Value, Value]:
    out = _dropout(b, x, p, bool(train))
    return out, out


def _alpha_dropout(b: Builder, x: Value, p: float, train: bool) -> Value:
    """What is dropped becomes a constant, and all is scaled and shifted by two more."""
    return b.pointwise(Fn.GENERIC, x, b.drawn(x.shape)) if train and p > 0 else x


def _rrelu(b: Builder, x: Value, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, *_: object) -> Value:
    """A slope for every negative entry, drawn anew in train mode."""
    out = b.pointwise(Fn.HOMOGENEOUS, x)
    return dropped(b, out) if training and lower != upper else out


def _rrelu_with_noise(
    b: Builder, x: Value, noise: Value, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, *_: object
) -> tuple[Value, Value]:
    return _rrelu(b, x, lower, upper, training), b.drawn(noise.shape)


def _bernoulli(b: Builder, x: Value, *_: object, **__: object) -> Value:
    return b.pointwise(Fn.GENERIC, x, b.drawn(x.shape))


def _like(b: Builder, x: Value, *_: object, **__: object) -> Value:
    """Numbers in the shape of an activation, independent of it and of each other."""
    return b.drawn(x.shape)


RULES = (
    Rule(("dropout",), _dropout),
    Rule(("feature_dropout",), _feature_dropout),
    Rule(("native_dropout",), _native_dropout),
    Rule(("alpha_dropout", "feature_alpha_dropout"), _alpha_dropout),
    Rule(("rrelu",), _rrelu),
    Rule(("rrelu_with_noise_functional",), _rrelu_with_noise),
    Rule(("bernoulli",), _bernoulli),
    Rule(("rand_like", "randn_like"), _like),
)
