"""Operations that rearrange, and linear maps."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from parasym.symmetry import Slot
from parasym.testing.rule_contract import HIDDEN, Bearing
from parasym.zoo.inputs import normal
from tests.rules.rule_cases import BOTH, LINEAR, SCALED, SIGNED, Between, RuleCase, aten, op_case, two_case

SIX = ("S(6)", "signs(6)")
FRAMES = normal((12, 2, 4))  # 12 examples of 2 frames of 4 numbers


def _into(slot: Slot) -> tuple[Bearing, ...]:
    return (*HIDDEN[:2], ("second.weight", slot, -1))


ROWS = _into(Slot(1, (0,), (2, 6), (6, 1), 1))
COLUMNS = _into(Slot(1, (0,), (6, 2), (2, 1), 0))
COPIES = _into(Slot(1, (0,), (2, 5), (5, 1), 1))
NEIGHBOURS = _into(Slot(1, (0,), (5, 2), (2, 1), 0))
LEFT: tuple[Bearing, ...] = (*BOTH[:2], ("second.weight", Slot(1, (0,), (5,), (1,), 0), -1))


def _frames(name: str, op: Callable[[Tensor], Tensor], wire: tuple[Bearing, ...] = ROWS, width: int = 12) -> RuleCase:
    """Return a case with the operation on the tanh of frames, then flattened."""

    def build() -> nn.Module:
        return Between(lambda x: op(x.tanh()).flatten(1), nn.Linear(4, 6), nn.Linear(width, 3))

    return RuleCase(name, build, SIX, inputs=FRAMES, wire=wire)


_AXES = (
    _frames("view", lambda x: x.view(12, 12)),
    _frames("reshape", lambda x: x.reshape(12, -1)),
    _frames("_unsafe_view", lambda x: aten._unsafe_view(x, (12, 12))),
    _frames("_reshape_alias", lambda x: aten._reshape_alias(x, (12, 12), (12, 1))),
    _frames("flatten", lambda x: x.flatten(1)),
    _frames("permute", lambda x: x.permute(0, 2, 1), COLUMNS),
    *(_frames(n, lambda x, n=n: getattr(aten, n)(x, 1, 2), COLUMNS) for n in ("transpose", "swapaxes", "swapdims")),
    *(_frames(n, lambda x, n=n: getattr(aten, n)(x, 2, 1), COLUMNS) for n in ("movedim", "moveaxis")),
    *(_frames(n, lambda x, n=n: getattr(aten, n)(x), COLUMNS) for n in ("mT", "adjoint")),
    _frames("unsqueeze", lambda x: x.unsqueeze(2)),
    _frames("squeeze", lambda x: x.view(12, 2, 1, 6).squeeze(2)),
    _frames("select", lambda x: aten.select(x, 1, 0) - aten.select(x, 1, 1), _into(Slot(1, (0,), (6,), (1,), 0)), 6),
    _frames("unbind", lambda x: torch.stack(x.unbind(1), -1), COLUMNS),
)


def _max_out(name: str, unflattened: Callable[[Tensor], Tensor]) -> RuleCase:
    expected = ("S(3)", "S(2)^3", "scale(3)", "shift(3)")
    return op_case(
        name,
        lambda x: unflattened(x).amax(-1),
        expected,
        first=lambda: nn.Linear(4, 6),
        second=lambda: nn.Linear(3, 4),
        wire=(),
    )


# The two columns that read one channel may be exchanged; that only their sum counts, no rule says.
TWICE = (*SIGNED, "S(2)^5")


def _copied(name: str, op: Callable[[Tensor], Tensor], wire: tuple[Bearing, ...] = COPIES) -> RuleCase:
    """Return a case of two copies of every hidden channel."""
    return op_case(name, lambda x: op(x.tanh()).flatten(1), TWICE, second=lambda: nn.Linear(10, 3), wire=wire, rest=15)


_COPIED = (
    _max_out("unflatten", lambda x: aten.unflatten(x, 1, (3, 2))),
    _max_out("view", lambda x: x.view(-1, 3, 2)),
    _copied("expand", lambda x: x.unsqueeze(1).expand(-1, 2, -1)),
    _copied("broadcast_to", lambda x: torch.broadcast_to(x.unsqueeze(1), (12, 2, 5))),
    _copied("expand_as", lambda x: x.unsqueeze(1).expand_as(x.new_zeros(12, 2, 5))),
    _copied("repeat", lambda x: x.repeat(1, 2)),
    _copied("tile", lambda x: aten.tile(x, (1, 2))),
    _copied("repeat_interleave", lambda x: x.repeat_interleave(2, dim=1), NEIGHBOURS),
)


def _gathered(name: str, op: Callable[[list[Tensor]], Tensor]) -> RuleCase:
    return two_case(
        name,
        lambda x, y: op([x.tanh(), y.relu()]).flatten(1),
        (*SIGNED, *SCALED),
        second=lambda: nn.Linear(10, 3),
        wire=LEFT,
    )


def _gate(name: str, op: Callable[[Tensor], tuple[Tensor, ...]], *, strided: bool = False) -> RuleCase:
    """Return a case of an axis cut in two: ``tanh`` of one half times the other half."""

    def gated(x: Tensor) -> Tensor:
        gate, value = op(x)
        return gate.tanh() * value

    # Of two slices with a step only what is common to all channels of the other half is found.
    free = ("signs(1)", "scale(1)") if strided else ("signs(5)", "scale(5)")
    expected = ("S(5)", "signs(5)", *free)
    return op_case(name, gated, expected, first=lambda: nn.Linear(4, 10), wire=(), rest=4 if strided else 0)


_CUT = (
    *(_gathered(name, lambda xs, name=name: getattr(aten, name)(xs, 1)) for name in ("cat", "concat", "concatenate")),
    # The members of a stack share one wire; what is not common to its channels is lost.
    two_case(
        "stack",
        lambda x, y: torch.stack([x.tanh(), y.relu()], 1).flatten(1),
        ("S(5)", "signs(1)", "scale(1)"),
        second=lambda: nn.Linear(10, 3),
        wire=(),
        rest=4,
    ),
    *(_gate(n, lambda x, n=n: getattr(aten, n)(x, 5, 1)) for n in ("split", "unsafe_split")),
    *(_gate(n, lambda x, n=n: getattr(aten, n)(x, (5, 5), 1)) for n in ("split_with_sizes", "split_with_sizes_copy")),
    *(_gate(n, lambda x, n=n: getattr(aten, n)(x, 2, 1)) for n in ("chunk", "unsafe_chunk")),
    _gate("slice", lambda x: (x[:, :5], x[:, 5:])),
    _gate("slice", lambda x: (x[:, ::2], x[:, 1::2]), strided=True),
    _gate("narrow", lambda x: (x.narrow(1, 0, 5), x.narrow(1, 5, 5))),
)

_SAME = (
    *(op_case(n, lambda x, n=n: getattr(aten, n)(x.tanh()), SIGNED) for n in ("alias", "clone", "contiguous", "lift_fresh_copy")),
    *(op_case(n, lambda x, n=n: getattr(aten, n)(x.tanh()), SIGNED, rest=None) for n in ("detach", "detach_")),
    *(op_case(n, lambda x, n=n: getattr(aten, n)(x.tanh(), x), SIGNED) for n in ("type_as", "view_as")),
    op_case("to", lambda x: aten.to(x.tanh(), torch.float64), SIGNED),
    op_case("_to_copy", lambda x: aten._to_copy(x.tanh(), dtype=torch.float64), SIGNED),
    op_case("dropout", lambda x: aten.dropout(x.tanh(), 0.5, False), SIGNED),
    op_case("feature_dropout", lambda x: aten.feature_dropout(x.tanh(), 0.5, False), SIGNED),
    op_case("native_dropout", lambda x: aten.native_dropout(x.tanh(), 0.5, False)[0], SIGNED),
)


def _images(
    name: str, op: Callable[[Tensor], Tensor], sizes: tuple[int, int], expected: tuple[str, ...], **options: object
) -> RuleCase:
    """Return a case between two convolutions with kernels of one pixel."""
    inner, outer = sizes
    return op_case(
        name,
        lambda x: op(x).relu(),
        expected,
        first=lambda: nn.Conv2d(2, inner, 1),
        second=lambda: nn.Conv2d(outer, 3, 1),
        inputs=normal((6, 2, 4, 4)),
        wire=(),
        **options,
    )


SHUFFLED = ("S(2)", "S(3)^2", "scale(3)^2")
_PIXELS = (
    _images("pixel_shuffle", lambda x: aten.pixel_shuffle(x, 2), (8, 2), ("S(2)", "scale(2)")),
    _images("pixel_unshuffle", lambda x: aten.pixel_unshuffle(x, 2), (3, 12), ("S(3)", "scale(3)")),
    # Groups of channels and the channels of a group are exchanged, not all six.
    _images("channel_shuffle", lambda x: aten.channel_shuffle(x, 2), (6, 6), SHUFFLED),
    _images("native_channel_shuffle", lambda x: aten.native_channel_shuffle(x, 2), (6, 6), SHUFFLED, rest=None),
)


class Through(nn.Module):
    """A layer whose weight passes an operation first."""

    def __init__(self, shape: tuple[int, ...], op: Callable[[Tensor, Tensor], Tensor]):
        super().__init__()
        self.weight, self.op = nn.Parameter(torch.randn(shape)), op

    def forward(self, x: Tensor) -> Tensor:
        return self.op(x, self.weight)


def _second(name: str, shape: tuple[int, ...], op: Callable[[Tensor, Tensor], Tensor], axis: int, **options: object) -> RuleCase:
    wire = (*HIDDEN[:2], ("second.weight", axis, -1))
    return op_case(name, lambda x: x.tanh(), SIGNED, second=lambda: Through(shape, op), wire=wire, **options)


class Gain(nn.Module):
    """``g * tanh(x)``, the gains by an outer product with ones."""

    def __init__(self, name: str):
        super().__init__()
        self.weight, self.name = nn.Parameter(torch.rand(5)), name

    def forward(self, x: Tensor) -> Tensor:
        return getattr(aten, self.name)(x.new_ones(12), self.weight) * x.tanh()


class Pairing(nn.Module):
    """A bilinear form of a pair."""

    def __init__(self):
        super().__init__()
        self.form = nn.Bilinear(5, 5, 3)

    def forward(self, pair: tuple[Tensor, Tensor]) -> Tensor:
        return self.form(*pair)


_MATMUL = (
    *(_second(n, (3, 5), lambda x, w, n=n: x @ getattr(aten, n)(w), 1) for n in ("t", "numpy_T")),
    op_case("linear", nn.Identity(), LINEAR),
    op_case("linear", torch.tanh, SIGNED, label="with a bend"),
    *(_second(n, (5, 3), lambda x, w, n=n: getattr(aten, n)(x, w), 0) for n in ("matmul", "mm")),
    *(_second(n, (5,), lambda x, w, n=n: getattr(aten, n)(x, w), 0) for n in ("mv", "inner")),
    _second("bmm", (3, 5, 3), lambda x, w: aten.bmm(x.view(3, 4, 5), w), 1),
    *(_second(n, (5,), lambda x, w, n=n: torch.stack([getattr(aten, n)(r, w) for r in x.unbind(0)]), 0) for n in ("dot", "vdot")),
    _second("addmm", (5, 3), lambda x, w: aten.addmm(x.new_ones(3), x, w), 0),
    _second("addmv", (5,), lambda x, w: aten.addmv(x.new_ones(12), x, w), 0),
    _second("baddbmm", (3, 5, 3), lambda x, w: aten.baddbmm(x.new_ones(3, 4, 3), x.view(3, 4, 5), w), 1),
    _second("addbmm", (3, 5, 3), lambda x, w: aten.addbmm(x.new_ones(4, 3), x.view(3, 4, 5), w), 1, rest=None),
    *(op_case(n, Gain(n), ("S(5)", "signs(5)", "signs(5)", "scale(5)")) for n in ("outer", "ger")),
    two_case(
        "bilinear",
        lambda x, y: (x, y.tanh()),
        ("GL(5)", "S(5)", "signs(5)"),
        second=Pairing,
        wire=(("right.weight", 0, 1), ("right.bias", 0, 1), ("second.form.weight", 2, -1)),
    ),
    op_case("einsum", lambda x: torch.einsum("bi,bi->bi", x.tanh(), x), SIGNED),
    _second("einsum", (3, 5), lambda x, w: torch.einsum("bi,oi->bo", x, w), 1),
)

SHAPE: tuple[RuleCase, ...] = (*_AXES, *_COPIED, *_CUT, *_SAME, *_PIXELS, *_MATMUL)
