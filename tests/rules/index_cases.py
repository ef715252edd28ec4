"""Pooling, reductions, look-ups and constants."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from parasym.symmetry import Slot
from parasym.testing.rule_contract import HIDDEN
from parasym.zoo.inputs import Inputs, normal, tokens
from tests.rules.rule_cases import BOTH_WAYS, LINEAR, PERMUTED, SCALED, SIGNED, RuleCase, aten, op_case


def _space(name: str, op: Callable[[Tensor], Tensor], expected: tuple[str, ...], n: int, **options: Any) -> RuleCase:
    """Return a case between two convolutions with kernels of one pixel, in ``n`` dimensions."""
    kind: Any = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[n]
    options = {"inputs": normal((6, 2, *[4] * n))} | options
    return op_case(name, op, expected, first=lambda: kind(2, 5, 1), second=lambda: kind(5, 3, 1), **options)


def _folded(x: Tensor) -> Tensor:
    return nn.functional.fold(nn.functional.unfold(x.tanh(), 2), (4, 4), 2)


# A constant common to a channel passes the maximum and an average; of the latter a linear map has more.
_MAX, _AVERAGE = (*SCALED, "shift(5)"), LINEAR
_POOLING = (
    *(_space(f"max_pool{n}d", lambda x, n=n: getattr(aten, f"max_pool{n}d")(x, [2] * n), _MAX, n) for n in (1, 2, 3)),
    *(
        _space(f"max_pool{n}d_with_indices", lambda x, n=n: getattr(aten, f"max_pool{n}d_with_indices")(x, [2] * n)[0], _MAX, n)
        for n in (2, 3)
    ),
    *(
        _space(f"avg_pool{n}d", lambda x, n=n: getattr(aten, f"avg_pool{n}d")(x, [2] * n), _AVERAGE, n, rest=None)
        for n in (1, 2, 3)
    ),
    *(
        _space(
            f"adaptive_avg_pool{n}d", lambda x, n=n: getattr(aten, f"adaptive_avg_pool{n}d")(x, [2] * n), _AVERAGE, n, rest=None
        )
        for n in (1, 2, 3)
    ),
    *(
        _space(
            f"_adaptive_avg_pool{n}d", lambda x, n=n: getattr(aten, f"_adaptive_avg_pool{n}d")(x, [2] * n), _AVERAGE, n, rest=None
        )
        for n in (2, 3)
    ),
    *(
        _space(f"adaptive_max_pool{n}d", lambda x, n=n: getattr(aten, f"adaptive_max_pool{n}d")(x, [2] * n)[0], _MAX, n)
        for n in (1, 2, 3)
    ),
    *(
        _space(name, lambda x, name=name, n=n, more=more: getattr(aten, name)(x, [8] * n, *more).tanh(), SIGNED, n)
        for name, n, more in (
            ("upsample_nearest1d", 1, ()),
            ("upsample_nearest2d", 2, ()),
            ("upsample_nearest3d", 3, ()),
            ("_upsample_nearest_exact1d", 1, ()),
            ("_upsample_nearest_exact2d", 2, ()),
            ("upsample_linear1d", 1, (False,)),
            ("upsample_bilinear2d", 2, (False,)),
            ("upsample_trilinear3d", 3, (False,)),
            ("upsample_bicubic2d", 2, (False,)),
        )
    ),
    _space("constant_pad_nd", lambda x: aten.constant_pad_nd(x, (1, 1), 0.0).tanh(), SIGNED, 2),
    _space("im2col", lambda x: nn.functional.unfold(x.tanh(), 2, padding=1).unflatten(1, (5, 4)), SIGNED, 2, rest=None),
    _space("col2im", _folded, SIGNED, 2, rest=None),
    _space("pad", lambda x: aten.pad(x, (1, 1, 1, 1), "reflect").tanh(), SIGNED, 2),
    _space("constant_pad_nd", lambda x: aten.constant_pad_nd(x, (1, 1), 0.5), PERMUTED, 2, label="not with zero", rest=None),
    # The difference kills the bias.
    _space("roll", lambda x: (x.roll(1, 2) - x).tanh(), (*SIGNED, "shift(5)"), 2),
    _space("flip", lambda x: (x.flip(2) - x).tanh(), (*SIGNED, "shift(5)"), 2),
    # One channel goes from the end to the front; the four keep their order, and may change places.
    op_case("roll", lambda x: x.roll(1, 1).tanh(), ("S(4)", "signs(4)", "signs(1)"), label="of the wire", wire=(), rest=None),
    op_case("flip", lambda x: x.flip(1).tanh(), ("signs(1)",), label="of the wire", wire=(), rest=None),
)

ROWS = (*HIDDEN[:2], ("second.weight", Slot(1, (0,), (5,), (1,), 0), -1))
_FRAMES = normal((12, 3, 4))


def _over(name: str, op: Callable[[Tensor], Tensor], expected: tuple[str, ...], **options: Any) -> RuleCase:
    """Return a case of a reduction over three frames, channel by channel."""
    return op_case(name, op, expected, inputs=_FRAMES, **options)


_HIDDEN = HIDDEN[:2]
# What lies as far apart after a rotation and a shift of everything; of channels that are compared one by one, signs and orders.
_APART = ("O(5)", "shift(5)", "scale(1)", "S(5)")
_BLOCKS = ("S(5)", "signs(5)", "shift(5)", "scale(1)", "S(5)")
_REDUCTION = (
    _over("sum", lambda x: x.tanh().sum(1), SIGNED),
    _over("mean", lambda x: x.tanh().mean(1), SIGNED),
    _over("nansum", lambda x: x.tanh().nansum(1), SIGNED),
    # The constant common to all frames passes the maximum.
    _over("amax", lambda x: x.amax(1), (*SCALED, "shift(5)")),
    _over("amin", lambda x: x.amin(1), (*SCALED, "shift(5)")),
    _over("max", lambda x: x.max(1)[0], (*SCALED, "shift(5)")),
    _over("min", lambda x: x.min(1)[0], (*SCALED, "shift(5)")),
    _over("linalg_vector_norm", lambda x: torch.linalg.vector_norm(x, dim=1), BOTH_WAYS),
    _over("linalg_vector_norm", lambda x: torch.linalg.vector_norm(x, ord=1, dim=1), BOTH_WAYS, label="of order 1"),
    _over("norm", lambda x: aten.norm(x, 2, [1]), BOTH_WAYS),
    _over("dist", lambda x: aten.dist(x[:, 0], x[:, 1])[None, None] * x.new_ones(12, 5), _APART, rest=None, wire=()),
    _over(
        "dist", lambda x: aten.dist(x[:, 0], x[:, 1], 1)[None, None] * x.new_ones(12, 5), _BLOCKS, rest=None, wire=(), label="1"
    ),
    _over("cdist", lambda x: torch.cdist(x[:, :1], x[:, 1:])[:, 0, :1] * x.new_ones(5), _APART, rest=None, wire=()),
    _over(
        "cdist", lambda x: torch.cdist(x[:, :1], x[:, 1:], 1)[:, 0, :1] * x.new_ones(5), _BLOCKS, rest=None, wire=(), label="1"
    ),
    _over(
        "_cdist_forward",
        lambda x: aten._cdist_forward(x[:, :1], x[:, 1:], 2.0, None)[:, 0, :1] * x.new_ones(5),
        _APART,
        rest=None,
        wire=(),
    ),
    # A variance kills the mean.
    _over("var", lambda x: x.var(1), (*BOTH_WAYS, "shift(5)"), rest=1),
    _over("std", lambda x: x.std(1), (*BOTH_WAYS, "shift(5)")),
    _over("var_mean", lambda x: torch.var_mean(x, 1)[0], (*BOTH_WAYS, "shift(5)"), rest=1),
    _over("logsumexp", lambda x: x.logsumexp(1), PERMUTED, rest=5),
    _over("prod", lambda x: x.prod(1), BOTH_WAYS),  # three factors, so that signs come through
    _over("any", lambda x: x.tanh().sum(1) * (x > 0.9).any(1), PERMUTED),
    _over("all", lambda x: x.tanh().sum(1) * (x > -0.9).all(1), PERMUTED),
    _over("argmax", lambda x: x.tanh().sum(1) * x.argmax(1), PERMUTED, rest=None),
    _over("argmin", lambda x: x.tanh().sum(1) * x.argmin(1), PERMUTED, rest=None),
    _over(
        "linalg_matrix_norm",
        lambda x: torch.linalg.matrix_norm(x)[:, None] * x.new_ones(12, 5),
        ("O(5)", "scale(1)", "S(5)"),
        rest=None,
        wire=(),
    ),
    _over(
        "linalg_matrix_norm",
        lambda x: torch.linalg.matrix_norm(x, 1)[:, None] * x.new_ones(12, 5),
        ("scale(1)", "signs(1)", "S(5)"),
        rest=None,
        wire=(),
        label="not Frobenius",
    ),
    _over("cumsum", lambda x: x.cumsum(1).tanh().sum(1), SIGNED),
    op_case("cumsum", lambda x: x.tanh().cumsum(1), ("signs(1)",), label="over the wire", rest=None),
    _over("cumprod", lambda x: x.cumprod(1).tanh().sum(1), PERMUTED),
    _over("logcumsumexp", lambda x: x.logcumsumexp(1).tanh().sum(1), PERMUTED),
    _over("topk", lambda x: x.topk(2, 1)[0].tanh().sum(1), PERMUTED),
    _over("sort", lambda x: x.sort(1)[0][:, 0].tanh(), PERMUTED),
    _over("sort", lambda x: x.sort(dim=1, stable=True, descending=True)[0][:, 0].tanh(), PERMUTED, label="stable"),
    _over("argsort", lambda x: x.tanh().sum(1) * x.argsort(1)[:, 0], PERMUTED, rest=None),
    _over("msort", lambda x: x.movedim(1, 0).msort()[0].tanh(), PERMUTED),
    _over("histc", lambda x: x.tanh().sum(1) * x.histc(2, 0, 1)[0], PERMUTED, rest=None),
    _over("kthvalue", lambda x: x.kthvalue(1, 1)[0].tanh(), PERMUTED),
    _over("median", lambda x: x.median(1)[0].tanh(), PERMUTED, missing=("signs(5)",)),
    _over("nanmedian", lambda x: x.nanmedian(1)[0].tanh(), PERMUTED, missing=("signs(5)",)),
    # What is sorted does not change if channels change places; what reads the ranks tells them apart.
    op_case("sort", lambda x: x.tanh().sort(1)[0], ("S(5)",), label="over the wire", wire=_HIDDEN, rest=None),
    op_case("topk", lambda x: x.tanh().topk(5, 1)[0], ("S(5)",), label="over the wire", wire=_HIDDEN, rest=None),
    op_case("argsort", lambda x: x * x.argsort(1), (), label="over the wire", wire=(), rest=None),
)


class Table(nn.Module):
    """Rows of a table, and a function of them."""

    def __init__(self, op: Callable[[Tensor, Tensor], Tensor]):
        super().__init__()
        self.first, self.second, self.op = nn.Embedding(6, 5), nn.Linear(5, 3), op

    def forward(self, index: Tensor) -> Tensor:
        return self.second(self.op(self.first.weight, index).tanh())


_TABLE = (("first.weight", 1, 1), ("second.weight", 1, -1))
_TOKENS: Inputs = tokens(6, (12,))
_ROWS = torch.tensor([0, 2, 2, 1, 0, 1])
_SKEW = (_ROWS[:, None] + torch.arange(5)) % 3
_DIAGONAL = ("signs(5)", "scale(5)")
# Two pairs that may be exchanged as pairs too, and the channel that nobody reads.
_PICKED = (*["S(2)"] * 3, *["signs(2)"] * 2, "signs(1)", "scale(1)")
_FOUR: dict[str, Any] = {"second": lambda: nn.Linear(4, 3), "wire": (), "rest": None}


# The function of 6 tokens is a table of 18 numbers; P = 48.
def _table(name: str, op: Callable[[Tensor, Tensor], Tensor], expected: tuple[str, ...] = SIGNED, **options: Any) -> RuleCase:
    return RuleCase(name, lambda: Table(op), expected, **({"inputs": _TOKENS, "wire": _TABLE, "rest": 30} | options))


def _filled(name: str, *args: Any) -> Callable[[Tensor], Tensor]:
    return lambda x: x.tanh() + getattr(aten, name)(x, *args)


def _every_other(x: Tensor, fn: Callable[[Tensor], Tensor]) -> Tensor:
    return aten.slice_scatter(x, fn(x[:, ::2]), 1, 0, 5, 2)


_APART = ("S(3) x S(2)", "signs(5)")
_SINGLE = ("S(5)", *["signs(1)"] * 5)


def _bags(*more: Any, **options: Any) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda w, i: nn.functional.embedding_bag(i, w, *more, **options)


_PAIRS = tokens(6, (12, 2))
_STARTS = torch.tensor([0, 2, 2, 5])
_WEIGHTS = torch.tensor([[1.0, -2.0]])
_INDEXING = (
    *(_table("embedding_bag", _bags(mode=mode), SIGNED, inputs=_PAIRS, rest=None, label=mode) for mode in ("sum", "mean")),
    _table("embedding_bag", _bags(mode="max"), PERMUTED, inputs=_PAIRS, rest=None, label="max"),
    _table("embedding_bag", _bags(_STARTS, mode="max"), PERMUTED, rest=None, label="max, one of them empty"),
    _table("embedding_bag", _bags(_STARTS, mode="mean", padding_idx=1), SIGNED, rest=None, label="mean, with padding"),
    _table(
        "embedding_bag",
        lambda w, i: nn.functional.embedding_bag(i, w, mode="sum", per_sample_weights=_WEIGHTS.expand(12, 2).to(w)),
        SIGNED,
        inputs=_PAIRS,
        rest=None,
        label="weighted",
    ),
    *(
        _table(name, lambda w, i, name=name: getattr(aten, name)(w, i, _STARTS)[0], rest=None)
        for name in ("_embedding_bag", "_embedding_bag_forward_only")
    ),
    op_case("unfold", lambda x: x.tanh().unfold(0, 3, 2).sum(-1), SIGNED, rest=None),
    op_case("unfold", lambda x: x.tanh().unfold(1, 1, 1)[..., 0], ("signs(1)",), label="of the wire", wire=(), rest=None),
    _table("embedding", lambda w, i: aten.embedding(w, i)),
    _table("index_select", lambda w, i: w.index_select(0, i)),
    _table("index", lambda w, i: w[i]),
    _table("gather", lambda w, i: w.gather(0, i[:, None].expand(12, 5))),
    _table("gather", lambda w, i: w.gather(0, i[:, None].repeat(1, 5)), label="repeated"),
    op_case(
        "gather",
        lambda x: x.gather(1, torch.tensor([3, 4, 0, 1]).expand(12, 4)).tanh(),
        _PICKED,
        label="the same everywhere",
        **_FOUR,
    ),
    # Channels that look up different rows are not told from each other by more than a sign of all.
    _table(
        "gather",
        lambda w, i: w.gather(0, (i[:, None] + torch.arange(5)) % 6),
        ("signs(1)",),
        label="of different rows",
        rest=None,
        missing=("signs(5)",),
    ),
    op_case("index", lambda x: x[:, [3, 4, 0, 1]].tanh(), _PICKED, **_FOUR),
    op_case(
        "index_select",
        lambda x: x.index_select(1, torch.tensor([3, 4, 0, 1])).tanh(),
        _PICKED,
        **_FOUR,
    ),
    op_case("index_add", lambda x: x.new_zeros(3, 5).index_add(0, _ROWS, x[:6]).tanh(), SIGNED),
    *(
        op_case(
            n,
            lambda x, n=n, more=more: getattr(aten, n)(x.new_zeros(3, 5), 0, _SKEW, x[:6], *more),
            ("signs(1)", "scale(1)"),
            label="of different rows",
            rest=None,
            missing=_DIAGONAL,
        )
        for n, more in (("scatter", ()), ("scatter_add", ()), ("scatter_reduce", ("sum",)))
    ),
    *(
        op_case(
            n,
            lambda x, n=n, to=to, more=more: getattr(aten, n)(
                x[6:9], 0, to[:, None].expand(len(to), 5), x[: len(to)], *more
            ).tanh(),
            SIGNED,
            label=" ".join(more),
        )
        for n, to, more in (
            ("scatter", torch.tensor([2, 0]), ()),
            ("scatter_add", _ROWS, ()),
            ("scatter_reduce", _ROWS, ("sum",)),
            ("scatter_reduce", _ROWS, ("mean",)),
        )
    ),
    op_case(
        "scatter_reduce",
        lambda x: aten.scatter_reduce(x[6:9], 0, _ROWS[:, None].expand(6, 5), x[:6], "amax"),
        SCALED,
        label="amax",
        rest=5,  # a constant common to both passes the maximum
    ),
    op_case("scatter", lambda x: aten.scatter(x, 0, torch.tensor([[2], [0]]).expand(2, 5), 0.0).tanh(), SIGNED, label="of zeros"),
    op_case(
        "scatter", lambda x: aten.scatter(x, 0, torch.tensor([[2], [0]]).expand(2, 5), 0.7).tanh(), PERMUTED, label="of numbers"
    ),
    op_case("index_copy", lambda x: x.new_zeros(3, 5).index_copy(0, _ROWS[[0, 1, 3]], x[:3]).tanh(), SIGNED),
    op_case("index_put", lambda x: x.new_zeros(3, 5).index_put((_ROWS[[0, 1, 3]],), x[:3]).tanh(), SIGNED),
    op_case("index_put", lambda x: x.index_put((x < 0,), x.new_zeros(())), SCALED, label="by a mask"),
    op_case("index_put", lambda x: x.index_put((x < 0.2,), x.new_zeros(())), PERMUTED, label="by another mask", rest=None),
    op_case("index_put", lambda x: x.index_put((x < 0,), x.new_ones(())), PERMUTED, label="of ones by a mask", rest=None),
    op_case("index_put", lambda x: x.tanh().index_put((x.new_ones(12) > 0,), x.new_zeros(5)) + x.sin(), SIGNED, label="of rows"),
    op_case(
        "index_put",
        lambda x: aten.index_put(x, [None, torch.tensor([1, 3])], x.new_ones(())).tanh(),
        ("S(3) x S(2)",),
        label="of ones",
        rest=None,
        wire=(),
    ),
    op_case("index_fill", lambda x: x.index_fill(1, torch.tensor([1, 3]), 0.7).tanh(), ("S(3) x S(2)",), rest=None, wire=()),
    op_case("index_fill", lambda x: x.tanh().index_fill(0, torch.tensor([1, 3]), 0.7), PERMUTED, label="of examples"),
    op_case("masked_scatter", lambda x: x.masked_scatter((x.new_ones(12, 1).cumsum(0) % 3 > 1).expand(12, 5), x).tanh(), SIGNED),
    op_case(
        "masked_scatter",
        lambda x: x.masked_scatter(torch.arange(60).view(12, 5) % 7 > 2, x),
        (),
        label="of single entries",
        rest=None,
        uncovered=True,
        wire=(),
    ),
    _table("one_hot", lambda w, i: torch.nn.functional.one_hot(i, 6).double() @ w),
    # The last two columns of an upper triangle are whole.
    op_case("triu", lambda x: aten.triu(x.view(3, 4, 5)).view(12, 5), ("S(2)", *_DIAGONAL), rest=None),
    op_case("tril", lambda x: aten.tril(x.view(3, 4, 5)).view(12, 5), _DIAGONAL, rest=None),
    op_case("copy", lambda x: aten.copy(x.sin(), x.tanh()), SIGNED, rest=None),
    op_case("copy", lambda x: aten.copy(x, x[0].tanh()), SIGNED, label="of a row", rest=None),
    op_case("fill", lambda x: x.tanh() + aten.fill(x, 0.3), PERMUTED),
    op_case("zero", lambda x: x.tanh() + aten.zero(x), SIGNED),
    op_case("slice_scatter", lambda x: aten.slice_scatter(x.tanh(), x[:4].sin(), 0, 0, 4), SIGNED),
    # Every other channel three times as large: the three may change places, and the two between.
    op_case("slice_scatter", lambda x: _every_other(x, lambda y: y * 3).tanh(), _APART, label="every other entry", wire=()),
    op_case(
        "slice_scatter",
        lambda x: _every_other(x, lambda y: y.relu() * 2),
        ("S(3) x S(2)", "scale(5)"),
        label="bent",
        wire=(),
        rest=None,
    ),
    op_case(
        "slice_scatter",
        lambda x: _every_other(x, lambda y: y * torch.tensor([1.0, 2.0, 2.0]).to(y)).tanh(),
        ("S(2) x S(2)", "signs(5)"),
        label="by numbers of their own",
        wire=(),
        rest=None,
    ),
    op_case(
        "slice_scatter", lambda x: _every_other(x, lambda y: y.flip(1)).tanh(), ("signs(1)",), label="mixed", wire=(), rest=None
    ),
    op_case("slice", lambda x: torch.cat([x[:, ::2], x[:, 1::2]], 1).tanh(), _SINGLE, label="of an odd axis", wire=(), rest=None),
    op_case("select_scatter", lambda x: aten.select_scatter(x.tanh(), x[3].sin(), 0, 4), SIGNED),
    # A constant added to every channel lets permutations through, zero lets everything through.
    op_case("zeros_like", _filled("zeros_like"), SIGNED),
    op_case("ones_like", _filled("ones_like"), PERMUTED),
    op_case("full_like", _filled("full_like", 0.3), PERMUTED),
    op_case("new_zeros", _filled("new_zeros", (12, 5)), SIGNED),
    op_case("new_ones", _filled("new_ones", (12, 5)), PERMUTED),
    op_case("new_full", _filled("new_full", (12, 5), 0.3), PERMUTED),
)

INDEX: tuple[RuleCase, ...] = (*_POOLING, *_REDUCTION, *_INDEXING)
