"""Element-wise operations between two linear layers."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from tests.rules.rule_cases import (
    BOTH_WAYS,
    LINEAR,
    PERMUTED,
    SCALED,
    SIGNED,
    RuleCase,
    aten,
    op_case,
    two_case,
)


def _applied(name: str, *more: float) -> Callable[[Tensor], Tensor]:
    return lambda x: getattr(aten, name)(x, *more)


def _both(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, y: getattr(aten, name)(x, y)


def _small(name: str) -> Callable[[Tensor], Tensor]:
    """Return the operation on numbers between -1/2 and 1/2, where inverse functions are defined."""
    return lambda x: getattr(aten, name)(0.5 * torch.tanh(x))


def _wide(name: str) -> Callable[[Tensor], Tensor]:
    """Return the operation on numbers that cross several integers."""
    return lambda x: getattr(aten, name)(3 * x)


def _above_one(name: str) -> Callable[[Tensor], Tensor]:
    """Return the operation on numbers above one; the square swallows signs."""
    return lambda x: getattr(aten, name)(x.square() + 1)


_HOMOGENEOUS = (
    op_case("relu", torch.relu, SCALED),
    op_case("leaky_relu", partial(torch.nn.functional.leaky_relu, negative_slope=0.1), SCALED),
    op_case("rrelu", lambda x: aten.rrelu(x, 0.1, 0.3, False), SCALED),
    op_case("clamp", lambda x: aten.clamp(x, 0, None), SCALED),
    op_case("clamp", lambda x: aten.clamp(x, -0.5, 1.0), PERMUTED, label="at other numbers"),
    # A constant: it is not odd.
    op_case("clamp", lambda x: aten.clamp(x, 0.5, -0.5), PERMUTED, rest=None, label="the wrong way round"),
    *(
        op_case("hardtanh", lambda x: aten.hardtanh(x, 0.5, -0.5), PERMUTED, rest=None, label="the wrong way round")
        for _ in range(torch.__version__ >= "2.13")  # refused before
    ),
    op_case("clip", lambda x: aten.clip(x, None, 0), SCALED),
    op_case("clamp_min", lambda x: aten.clamp_min(x, 0), SCALED),
    op_case("clamp_max", lambda x: aten.clamp_max(x, 0), SCALED),
    op_case("abs", torch.abs, BOTH_WAYS),
    op_case("absolute", torch.absolute, BOTH_WAYS),
    op_case("square", torch.square, BOTH_WAYS),
    op_case("pow", lambda x: x**3, BOTH_WAYS),
    op_case("reciprocal", lambda x: torch.reciprocal(x), BOTH_WAYS),
    op_case("sqrt", lambda x: torch.sqrt(x * x), BOTH_WAYS),
    op_case("rsqrt", lambda x: torch.rsqrt(x * x), BOTH_WAYS),
    op_case("neg", torch.neg, LINEAR),
    op_case("negative", lambda x: aten.negative(x), LINEAR),
)

_ODD = (
    *(op_case(name, _applied(name), SIGNED) for name in ("tanh", "sin", "atan", "sinh", "asinh", "erf")),
    *(op_case(name, _applied(name), SIGNED) for name in ("tan",)),
    *(op_case(name, _applied(name), SIGNED, rest=None) for name in ("softshrink", "hardshrink")),
    *(op_case(name, _small(name), SIGNED) for name in ("asin", "atanh", "erfinv")),
    # Half a step is rounded to even, on both sides of zero.
    *(op_case(name, _wide(name), SIGNED, rest=None) for name in ("round", "trunc", "frac")),
    op_case("clamp", lambda x: aten.clamp(x, -0.5, 0.5), SIGNED, label="at opposite numbers"),
)

_EVEN = tuple(op_case(name, _applied(name), SIGNED) for name in ("cos", "cosh"))

_SMOOTH = (
    "gelu",
    "silu",
    "mish",
    "sigmoid",
    "softplus",
    "elu",
    "celu",
    "selu",
    "hardswish",
    "hardsigmoid",
    "log_sigmoid",
    "erfc",
)

_GENERIC = (
    *(op_case(name, _applied(name), PERMUTED) for name in _SMOOTH),
    op_case("log_sigmoid_forward", lambda x: aten.log_sigmoid_forward(x)[0], PERMUTED),
    # The exponential turns a bias into a factor.
    *(op_case(name, _applied(name), PERMUTED, rest=5) for name in ("exp", "expm1", "exp2")),
    op_case("relu6", lambda x: aten.relu6(9 * x), PERMUTED),
    op_case("acos", _small("acos"), PERMUTED),
    *(op_case(name, _above_one(name), SIGNED) for name in ("log", "log1p", "log2", "log10", "acosh", "lgamma", "digamma")),
    op_case("special_expit", _applied("special_expit"), PERMUTED),
    op_case("threshold", _applied("threshold", 0.1, 0.7), PERMUTED, rest=None),
    op_case("threshold", _applied("threshold", 0.0, 0.0), SCALED, label="at zero"),
    op_case("threshold", _applied("threshold", 0.0, 0.7), PERMUTED, label="at zero to a number", rest=None),
    op_case("hardtanh", _applied("hardtanh", -0.3, 0.5), PERMUTED),
    *(op_case(name, _wide(name), PERMUTED, rest=None) for name in ("floor", "ceil")),
    # The identity on finite numbers.
    op_case("nan_to_num", _applied("nan_to_num"), PERMUTED, rest=None, missing=("signs(5)", "scale(5)", "O(5)", "GL(5)")),
)

_SUM = ("GL(5)", "shift(5)", "shift(5)")
_PRODUCT = ("S(5)", "signs(5)", "signs(5)", "scale(5)", "scale(5)")

_BINARY = (
    # Two of five hidden directions never reach the output, and 8 inputs can be sent there.
    *(two_case(name, _both(name), _SUM, rest=6) for name in ("add", "sub", "subtract")),
    two_case("add", lambda x, y: torch.add(x.tanh(), y.tanh(), alpha=2), SIGNED, label="with a factor"),
    op_case("add_", lambda x: (2 * x.tanh()).add_(x.sin()), SIGNED),
    op_case("rsub", lambda x: aten.rsub(x.tanh(), 1.0), PERMUTED),
    *(two_case(name, _both(name), _PRODUCT) for name in ("mul", "multiply", "div", "divide", "true_divide")),
    # A constant common to both passes the maximum, which the rule does not use.
    *(two_case(name, _both(name), SCALED, rest=5) for name in ("maximum", "minimum", "fmax", "fmin")),
    two_case("atan2", torch.atan2, PERMUTED, rest=5),  # the common scale of both is lost
    two_case("hypot", torch.hypot, PERMUTED, rest=5, missing=("scale(5)",)),
    two_case("copysign", torch.copysign, PERMUTED, rest=None, missing=("signs(5)", "scale(5)")),
    two_case("logaddexp", torch.logaddexp, PERMUTED, rest=5),  # a constant common to both
    *(two_case(n, _both(n), PERMUTED, rest=None, missing=("signs(5)", "scale(5)")) for n in ("fmod", "remainder")),
    two_case("floor_divide", torch.floor_divide, PERMUTED, rest=None),
    two_case("xlogy", lambda x, y: torch.xlogy(x, y * y + 1), SIGNED, rest=5, missing=("signs(5)",)),  # linear in the first
)


def _masked(name: str, *more: float) -> Callable[[Tensor], Tensor]:
    """Return ``tanh(x)`` where a comparison holds, and zero elsewhere."""
    return lambda x: x.tanh() * getattr(aten, name)(torch.floor(2 * x), *more)


def _masked_by_two(name: str) -> Callable[[Tensor], Tensor]:
    return lambda x: x.tanh() * getattr(aten, name)(x > -0.2, x > 0.4)


_CHOICES = (
    *(op_case(name, _masked(name, 0.0), PERMUTED) for name in ("eq", "ne", "lt", "le", "gt", "ge")),
    *(op_case(name, _masked_by_two(name), PERMUTED) for name in ("logical_and", "logical_or", "logical_xor")),
    *(op_case(name, _masked_by_two(name), PERMUTED) for name in ("bitwise_and", "bitwise_or", "bitwise_xor")),
    *(op_case(name, _masked_by_two(name), PERMUTED) for name in ("__and__", "__or__")),
    op_case("logical_not", lambda x: x.tanh() * aten.logical_not(x > 0.2), PERMUTED),
    op_case("bitwise_not", lambda x: x.tanh() * aten.bitwise_not(x > 0.2), PERMUTED),
    # True of every finite number, which the rule does not use.
    op_case("isfinite", lambda x: x.tanh() * aten.isfinite(x), PERMUTED, missing=("signs(5)",)),
    op_case("isnan", lambda x: x.tanh() * ~aten.isnan(x), PERMUTED, missing=("signs(5)",)),
    op_case("isinf", lambda x: x.tanh() * ~aten.isinf(x), PERMUTED, missing=("signs(5)",)),
    # What is compared with zero, or with what has the same scale, may be scaled; with zero for equality, turned around too.
    op_case("gt", lambda x: torch.where(x > 0, x, 0.1 * x), SCALED, label="zero"),
    op_case("gt", lambda x: torch.where(x > 0.2, x, 0.1 * x), PERMUTED, label="a number", rest=None),
    op_case("lt", lambda x: (x < 0) * x - 0.3 * (x >= 0) * x, SCALED, label="zero"),
    op_case(
        "ge", lambda x: torch.where(x >= x.mean(1, keepdim=True), x, -2 * x), ("S(5)", "scale(1)"), label="the mean", rest=None
    ),
    op_case("le", lambda x: torch.where(x.abs() <= x * 2, x, 3 * x), SCALED, label="another of its scale"),
    op_case("le", lambda x: torch.where(x * x <= x, x, 3 * x), PERMUTED, label="another of another scale", rest=None),
    op_case("ne", lambda x: x.abs() * (x != 0), BOTH_WAYS, label="zero"),
    op_case("eq", lambda x: torch.where(x == x.relu(), x, -x), SCALED, label="its positive part"),
    two_case(
        "gt", lambda x, y: torch.where(y > 0, x.tanh(), x.sin()), (*SIGNED, "scale(5)"), label="of another", wire=(), rest=None
    ),
    op_case("logical_not", lambda x: torch.where(aten.logical_not(x > 0), 0.1 * x, x), SCALED, label="of a sign"),
    op_case("logical_and", lambda x: x * aten.logical_and(x > 0, x), SCALED, label="of a number"),
    op_case("where", lambda x: torch.where(x > 0, x, 0.1 * x + 0.3), PERMUTED, label="with a number added", rest=None),
    op_case("where", lambda x: torch.where(x > 0, x, x * x), PERMUTED, label="of two degrees"),
    op_case("masked_fill", lambda x: x.masked_fill(x < 0, 0.0), SCALED, label="what is negative"),
    op_case("masked_fill", lambda x: x.masked_fill(x < 0, 0.5), PERMUTED, label="what is negative with a number", rest=None),
    op_case("where", lambda x: torch.where(x > 0.2, x.tanh(), x.sin()), PERMUTED),
    op_case("where", lambda x: torch.where(x > 0.2, x.tanh(), 0.0), PERMUTED, label="or zero"),
    op_case("masked_fill", lambda x: x.tanh().masked_fill(x > 0.2, 0.5), PERMUTED),
    op_case("masked_fill", lambda x: x.tanh().masked_fill(x > 0.2, 0.0), PERMUTED, label="with zero"),
)


_OTHERS = torch.tensor([[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 1, 0]]).bool()
_FIRST = torch.tensor([0, 1, 1, 1]).bool().expand(5, 4)
_NUMBERS = torch.arange(1.0, 21.0).reshape(5, 4)


class Chosen(nn.Module):
    """A first layer some of whose entries are constants, by a choice under a constant mask."""

    mask: Tensor
    frozen: Tensor

    def __init__(self, mask: Tensor, frozen: Tensor, *, otherwise: bool = False):
        super().__init__()
        self.first, self.second, self.otherwise = nn.Linear(4, 5), nn.Linear(5, 3), otherwise
        self.register_buffer("mask", mask)
        self.register_buffer("frozen", frozen)

    def forward(self, x: Tensor) -> Tensor:
        w = self.first.weight
        w = torch.where(~self.mask, self.frozen, w) if self.otherwise else torch.where(self.mask, w, self.frozen)
        return self.second(nn.functional.linear(x, w, self.first.bias).relu())


def _chosen(expected: tuple[str, ...], label: str, rest: int, *model: Tensor, **options: bool) -> RuleCase:
    return RuleCase("where", partial(Chosen, *model, **options), expected, rest=rest, label=label)


_CHOSEN = (
    _chosen(("scale(5)",), "zeros at other places in every row", 10, _OTHERS, torch.zeros(5, 4)),
    _chosen((), "numbers at other places in every row", 10, _OTHERS, _NUMBERS),
    _chosen((), "numbers where the mask is false", 10, _OTHERS, _NUMBERS, otherwise=True),
    # What numbers stand behind trainable entries is no matter: those in front are the same in every row.
    _chosen(("S(5)",), "one number for all rows", 5, _FIRST, torch.where(_FIRST, _NUMBERS, 2.0)),
    _chosen(SCALED, "zero for all rows", 5, _FIRST, torch.where(_FIRST, _NUMBERS, 0.0)),
    _chosen((), "all frozen", 20, torch.zeros(5, 4).bool(), _NUMBERS),
)


class Slopes(nn.Module):
    """A learned slope per channel, by the operation that ``torch.prelu`` is made of."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(5))

    def forward(self, x: Tensor) -> Tensor:
        return aten._prelu_kernel(x, self.weight)


class Four(nn.Module):
    """A function of four linear layers, then one more."""

    def __init__(self, op: Callable[..., Tensor]):
        super().__init__()
        self.layers, self.op = nn.ModuleList(nn.Linear(4, 5) for _ in range(4)), op
        self.second = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.op(*(layer(x) for layer in self.layers)))


_FOUR = ("S(5)", *["signs(5)"] * 3, *["scale(5)"] * 3)

_COMPOSED = (
    *(op_case(name, _applied(name), BOTH_WAYS, rest=None) for name in ("sign", "sgn")),
    op_case("heaviside", lambda x: aten.heaviside(x.detach(), x.new_zeros(())) * x, SCALED, rest=None),
    op_case("heaviside", lambda x: aten.heaviside(x.detach() - 0.2, x.new_zeros(())) * x, PERMUTED, label="elsewhere", rest=None),
    op_case("prelu", nn.PReLU(5), SCALED),
    op_case("_prelu_kernel", Slopes(), SCALED),
    op_case("glu", nn.GLU(), BOTH_WAYS, first=lambda: nn.Linear(4, 10), wire=()),
    op_case("addcmul", lambda x: torch.addcmul(x.tanh(), x.sin(), x.tanh(), value=0.5), PERMUTED),
    # The factor in front of the second product keeps the two from being exchanged.
    RuleCase(
        "addcmul",
        lambda: Four(lambda a, b, c, d: torch.addcmul(a * b, c, d, value=0.5)),
        _FOUR,
        wire=(),
        rest=58,
        label="with a factor",
    ),
    # Constants move between the summands by their weights, which the rule does not know.
    two_case("lerp", lambda x, y: torch.lerp(x, y, 0.3), _SUM, rest=6),
    two_case("lerp", lambda x, y: torch.lerp(x, y, torch.sigmoid(x)), PERMUTED, label="by a gate", rest=None),
)

POINTWISE: tuple[RuleCase, ...] = (*_HOMOGENEOUS, *_ODD, *_EVEN, *_GENERIC, *_BINARY, *_CHOICES, *_CHOSEN, *_COMPOSED)
