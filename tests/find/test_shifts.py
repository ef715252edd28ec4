"""Shifts that move from one parameter to others, against answers derived by hand and the rank of the Jacobian."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from parasym import find, verify
from parasym.core import model_params
from tests.find.shifted import Case, Linear, Model, check, found, matrix, plain


def _pair(run: Callable[..., Tensor], kind: Callable[[int, int], nn.Module] = Linear, **parts: nn.Module) -> Callable[[], Model]:
    """Two layers ``a`` and ``b`` that read the same, and ``c`` that reads four channels."""
    return lambda: Model(run, **({"a": kind(3, 2), "b": kind(3, 2), "c": kind(4, 2)} | parts))


def _adapted(run: Callable[..., Tensor], *, layers: Callable[[int, int], nn.Module] = plain) -> Callable[[], Model]:
    return lambda: Model(run, base=Linear(3, 4), down=layers(3, 2), up=layers(2, 4), out=Linear(4, 2))


def _cell(kind: Callable[..., nn.Module], steps: int) -> Callable[[], Model]:
    def run(model: Any, x: Tensor) -> Tensor:
        state = None
        for _ in range(steps):
            state = model.cell(x, state)
        return model.out(state[0] if isinstance(state, tuple) else state)

    return lambda: Model(run, cell=kind(3, 3), out=Linear(3, 2))


def _two(run: Callable[..., Tensor], n: int = 3, **parts: Any) -> Callable[[], Model]:
    return lambda: Model(run, **{k: v() for k, v in parts.items()}, a=Linear(n, 4), c=Linear(4, 2))


def _added(model: Any, h: Tensor, other: Tensor) -> Tensor:
    return h + model.c(torch.cat([h, other.tanh()], -1))


def _read_by_two(model: Any, h: Tensor) -> Tensor:
    return model.a(h).tanh() * model.b(h)


def _gated(h: Tensor) -> Tensor:
    first, second = h.chunk(2, -1)
    return first.tanh() * second.sigmoid()


def conv(n: int, m: int, size: int = 1, **options: Any) -> nn.Conv2d:
    return nn.Conv2d(n, m, size, **options)


def _convs(second: Callable[[], nn.Module]) -> Callable[[], Model]:
    return lambda: Model(lambda s, x: s.c((s.a(x) + s.b(x)).tanh()), a=conv(2, 3, 3), b=second(), c=conv(3, 2))


_X, _IM = ((7, 3),), ((5, 3, 4, 4),)
_CELLS = {"lstm": (nn.LSTMCell, (3, 3, 3, 3)), "gru": (nn.GRUCell, (3, 3)), "rnn": (nn.RNNCell, (3,))}


def _normed(*layers: nn.Module) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(*layers)


JOINED = (
    Case("a bias", _pair(lambda s, x: s.c(torch.cat([s.a(x), s.b(x).tanh()], -1))), _X, (2,), 6, 8),
    # Two linear maps of the same side by side are one, of rank three: 41 numbers make a map of 20.
    Case("two biases", _pair(lambda s, x: s.c(torch.cat([s.a(x), s.b(x)], -1)), c=Linear(4, 5)), _X, (2, 2), 12, 2, 9),
    Case(
        "before a layer that is cut again",
        _pair(lambda s, x: _gated(s.c(torch.cat([s.a(x), s.b(x).tanh()], -1))), c=Linear(4, 6)),
        _X,
        (2,),
        6,
        8,
    ),
    Case("channels of images", _pair(lambda s, x: s.c(torch.cat([s.a(x), s.b(x).tanh()], 1)), conv), _IM, (2,), 6, 8),
    Case(
        "before a border of zeros",
        _pair(lambda s, x: s.c(torch.cat([s.a(x), s.b(x).tanh()], 1)), conv, c=conv(4, 2, 3, padding=1)),
        _IM,
        (),
        4,
        8,
    ),
    # The residual sum is one more linear map of the same channels.
    Case("and added", _pair(lambda s, x: s.o(_added(s, s.a(x), s.b(x)).tanh()), o=Linear(2, 2)), _X, (2,), 2, 64, 4),
)
TWICE = (
    *(
        Case(f"{name} called {n} times", _cell(kind, n), _X, shifts, sum(shifts), 48)
        for name, (kind, shifts) in _CELLS.items()
        for n in (2, 3)
    ),
    Case(
        "one parameter in two sums",
        _two(
            lambda s, x: s.c((x @ s.d + s.v + s.b).tanh() + (s.a(x) + s.v).tanh()),
            d=lambda: matrix(3, 4),
            v=lambda: matrix(4),
            b=lambda: matrix(4),
        ),
        _X,
        (4,),
        4,
        384,
    ),
    # In the next two nothing reads ``a.bias``.
    Case(
        "one of two sums lacks a partner",
        _two(
            lambda s, x: s.c((x @ s.d + s.v + s.b).tanh() + (x @ s.a.weight.T + s.v).tanh()),
            d=lambda: matrix(3, 4),
            v=lambda: matrix(4),
            b=lambda: matrix(4),
        ),
        _X,
        (),
        0,
        384,
        4,
    ),
    Case(
        "the same with opposite signs",
        _two(
            lambda s, x: s.c((x @ s.d + s.v + s.b).tanh() + (x @ s.a.weight.T + s.v - s.b).tanh()),
            d=lambda: matrix(3, 4),
            v=lambda: matrix(4),
            b=lambda: matrix(4),
        ),
        _X,
        (),
        0,
        384,
        4,
    ),
    Case("added twice", _two(lambda s, x: s.c((s.a(x) + s.v + s.v).tanh()), v=lambda: matrix(4)), _X, (4,), 4, 384),
)
POOLED = (
    Case(
        "a maximum, flattened", _normed(nn.Conv1d(3, 2, 1), nn.MaxPool1d(2), nn.Flatten(), Linear(4, 2)), ((9, 3, 4),), (2,), 4, 2
    ),
    Case("a maximum in two dimensions", _normed(conv(3, 2), nn.MaxPool2d(2), nn.Flatten(), Linear(8, 2)), _IM, (2,), 4, 2),
    Case("an adaptive maximum", _normed(conv(3, 2), nn.AdaptiveMaxPool2d(2), nn.Flatten(), Linear(8, 2)), _IM, (2,), 4, 2),
    Case("an average", _normed(conv(3, 2), nn.AvgPool2d(2), nn.Flatten(), Linear(8, 2)), ((9, 3, 4, 4),), (2,), 6, 1),
    Case(
        "a maximum of positive parts", _normed(conv(3, 2), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), Linear(8, 2)), _IM, (), 2, 2
    ),
    Case(
        "a grouped convolution",
        _normed(conv(3, 4), conv(4, 4, 3, groups=2), nn.Tanh(), nn.Flatten(), Linear(16, 2)),
        _IM,
        (4,),
        12,
        128,
    ),
)
NORMED = (
    Case("no gain", _normed(Linear(3, 4), nn.Tanh(), nn.LayerNorm(4, elementwise_affine=False), Linear(4, 2)), _X, (2,), 2, 48),
    Case(
        "no gain, no bias",
        _normed(Linear(3, 4), nn.Tanh(), nn.LayerNorm(4, elementwise_affine=False), plain(4, 2)),
        _X,
        (2,),
        2,
        48,
    ),
    Case(
        "no gain, read by two",
        lambda: Model(
            lambda s, x: _read_by_two(s, s.n(s.f(x).tanh())),
            f=Linear(3, 4),
            n=nn.LayerNorm(4, elementwise_affine=False),
            a=Linear(4, 2),
            b=Linear(4, 2),
        ),
        _X,
        (2, 2),
        4,
        192,
    ),
    Case(
        "no gain, times a number of each sample",
        lambda: Model(
            lambda s, x: s.a(s.n(s.f(x).tanh()) * 0.3 * x[:, :1]),
            f=Linear(3, 4),
            n=nn.LayerNorm(4, elementwise_affine=False),
            a=Linear(4, 2),
        ),
        _X,
        (2,),
        2,
        48,
    ),
    Case("a gain", _normed(Linear(3, 4), nn.Tanh(), nn.LayerNorm(4), Linear(4, 2)), _X, (2, 4), 10, 768),
    Case(
        "images, flattened",
        _normed(conv(3, 4), nn.Tanh(), nn.LayerNorm([4, 2, 2], elementwise_affine=False), nn.Flatten(), Linear(16, 2)),
        ((9, 3, 2, 2),),
        (2,),
        2,
        48,
    ),
    Case(
        "groups, flattened",
        _normed(conv(3, 4), nn.Tanh(), nn.GroupNorm(2, 4, affine=False), nn.Flatten(), Linear(16, 2)),
        ((9, 3, 2, 2),),
        (4,),
        4,
        32,
    ),
    Case(
        "channels and positions, but only channels are summed",
        _normed(conv(3, 4), nn.Tanh(), nn.GroupNorm(1, 4, affine=False), conv(4, 2)),
        ((9, 3, 2, 2),),
        (),
        0,
        48,
    ),
)
LOW_RANK = (
    Case("an adapter", _adapted(lambda s, x: s.out((s.base(x) + 0.5 * s.up(s.down(x))).tanh())), _X, (6, 8), 14, 384),
    Case(
        "an adapter on sequences",
        _adapted(lambda s, x: s.out((s.base(x) + s.up(s.down(x)) / 3).tanh())),
        ((5, 4, 3),),
        (6, 8),
        14,
        384,
    ),
    Case("scaled between", _adapted(lambda s, x: s.out((s.base(x) - s.up(s.down(x) * 0.7)).tanh())), _X, (6, 8), 14, 384),
    Case("a nonlinearity between", _adapted(lambda s, x: s.out((s.base(x) + s.up(s.down(x).relu())).tanh())), _X, (), 2, 768),
    Case("of another input", _adapted(lambda s, x: s.out((s.base(x) + s.up(s.down(x.tanh()))).tanh())), _X, (), 4, 384),
    Case(
        "a number that is not known",
        _adapted(lambda s, x: s.out((s.base(x) + x[:, :1] * s.up(s.down(x))).tanh())),
        _X,
        (),
        4,
        384,
    ),
    Case(
        "a chain of three",
        lambda: Model(
            lambda s, x: s.base(x) + s.up(s.mid(s.down(x))), base=Linear(3, 4), down=plain(3, 2), mid=plain(2, 2), up=plain(2, 4)
        ),
        _X,
        (6, 4, 8),
        18,
        1,
    ),
    Case(
        "multiplied first",
        lambda: Model(lambda s, x: x @ (s.w + s.a @ s.b), w=matrix(3, 4), a=matrix(3, 2), b=matrix(2, 4)),
        _X,
        (6, 8),
        14,
        1,
    ),
    Case(
        "convolutions",
        lambda: Model(
            lambda s, x: s.base(x) + s.up(s.down(x)),
            base=conv(2, 3, 3),
            down=conv(2, 2, 3, bias=False),
            up=conv(2, 3, bias=False),
        ),
        ((9, 2, 4, 4),),
        (36, 6),
        42,
        1,
    ),
)
PARALLEL = (
    Case("two layers", _two(lambda s, x: s.c((s.a(x) + s.b(x)).tanh()), b=lambda: Linear(3, 4)), _X, (12, 4), 16, 384),
    Case(
        "two layers, weighted", _two(lambda s, x: s.c((s.a(x) - 2 * s.b(x)).tanh()), b=lambda: Linear(3, 4)), _X, (12, 4), 16, 384
    ),
    Case(
        "three layers",
        _two(lambda s, x: s.c((s.a(x) + s.b(x) + s.d(x)).tanh()), b=lambda: Linear(3, 4), d=lambda: Linear(3, 4)),
        _X,
        (12, 12, 4, 4),
        32,
        384,
    ),
    Case(
        "of different inputs", _two(lambda s, x: s.c((s.a(x) + s.b(x.tanh())).tanh()), b=lambda: Linear(3, 4)), _X, (4,), 4, 384
    ),
    Case("two convolutions", _convs(lambda: conv(2, 3, 3)), ((5, 2, 5, 5),), (54, 3), 57, 48),
    # Both see the pixel in the middle of their windows.
    Case("of different windows", _convs(lambda: conv(2, 3, 3, padding=1, dilation=2)), ((5, 2, 5, 5),), (3,), 3, 48, 6),
)


def _square(run: Callable[..., Tensor]) -> Callable[[], Model]:
    return lambda: Model(run, w=matrix(3, 3), a=matrix(3, 3), b=matrix(3, 3))


# What is read twice moves by a square of its shift, which nothing takes away: nine directions of every first factor stay unsaid.
SQUARES = (
    Case("a matrix times itself", _square(lambda s, x: x @ s.w + x @ s.a @ s.a + x @ s.b), _X, (9,), 9, 2, 9),
    Case("multiplied first", _square(lambda s, x: x @ s.w + x @ (s.a @ s.a) + x @ s.b), _X, (9,), 9, 2, 9),
    Case("on both sides of another", _square(lambda s, x: x @ s.w + x @ s.a @ s.b @ s.a), _X, (9,), 10, 2, 8),
    Case("before both branches", _square(lambda s, x: (h := x @ s.a) @ s.w + h @ s.a @ s.b), _X, (9,), 10, 2, 8),
    Case("times its transpose", _square(lambda s, x: x @ s.w + x @ s.a @ s.a.T + x @ s.b), _X, (9,), 12, 1, 6),
)


def _keys_of_a_cut_sequence(s: Any, x: Tensor) -> Tensor:
    x = torch.cat([s.token.expand(len(x), -1, -1), x], 1)
    return (s.q(x) @ s.k(x)[:, :-1].mT).softmax(-1) @ s.v(x)[:, :-1]


def _parts_of_a_sum(s: Any, x: Tensor, y: Tensor) -> Tensor:
    z = torch.cat([s.a(x).sigmoid(), x[:, :2], y[:, :2]], 1) + s.p
    return s.c(torch.cat([(z[:, :4] + s.more[0]).sigmoid(), (z[:, 4:] + s.more[1]).sigmoid()], 1))


PARTS = (
    # The scores do not see what is constant over all positions, whatever was joined to them or cut off before.
    Case(
        "keys of a cut sequence",
        lambda: Model(_keys_of_a_cut_sequence, token=matrix(1, 1, 4), q=plain(4, 3), k=Linear(4, 3), v=plain(4, 2)),
        ((6, 5, 4),),
        (3,),
        12,
        1,
    ),
    # Each part of ``p`` goes where the part of the sum does, and nowhere else.
    Case(
        "parts of a sum",
        lambda: Model(
            _parts_of_a_sum, p=matrix(8), a=Linear(3, 4), c=Linear(8, 2), more=nn.ParameterList([matrix(4), matrix(4)])
        ),
        ((9, 3), (9, 3)),
        (4, 2, 2),
        8,
        24,
    ),
)

NUMBERS = (
    Case("in a sum", lambda: Model(lambda s, x: (s.a(x) + s.b(x)).tanh(), a=Linear(3, 1), b=Linear(3, 1)), _X, (3, 1), 4, 1),
    Case("one behind the other", lambda: Model(lambda s, x: s.b(s.a(x)).tanh(), a=Linear(3, 1), b=Linear(1, 1)), _X, (1,), 2, 2),
    Case("behind a gain", _normed(Linear(3, 4), nn.Tanh(), nn.LayerNorm(4), Linear(4, 1)), _X, (4, 1), 9, 768),
    Case(
        "on both sides of a function",
        lambda: Model(lambda s, x: s.a(x).sigmoid() + s.b, a=Linear(3, 1), b=matrix(1)),
        _X,
        (),
        0,
        1,
    ),
)
CASES = {
    f"{kind}: {case.name}": case
    for kind, cases in (
        ("joined", JOINED),
        ("twice", TWICE),
        ("pooled", POOLED),
        ("parts", PARTS),
        ("normed", NORMED),
        ("low rank", LOW_RANK),
        ("parallel", PARALLEL),
        ("square", SQUARES),
        ("single numbers", NUMBERS),
    )
    for case in cases
}


@pytest.mark.parametrize("name", CASES)
def test_shifts(name: str):
    check(CASES[name])


def test_a_shift_of_a_matrix_goes_through_another():
    """Of ``w + A B`` a shift ``t`` of ``A`` takes ``t B`` from ``w``, and one of ``B`` takes ``A t``."""
    _, _, symmetry = found(CASES["low rank: multiplied first"])
    params = {k: torch.randn(shape, dtype=torch.float64) for k, shape in (("w", (3, 4)), ("a", (3, 2)), ("b", (2, 4)))}
    for factor, shape in zip(symmetry.factors, ((3, 2), (2, 4)), strict=True):
        t = torch.randn(shape, dtype=torch.float64)
        moved = factor.act(t.flatten(), params)
        name = factor.tensors[0]
        torch.testing.assert_close(moved[name], params[name] + t)
        torch.testing.assert_close(moved["w"], params["w"] - (t @ params["b"] if name == "a" else params["a"] @ t))
        torch.testing.assert_close(moved["w"] + moved["a"] @ moved["b"], params["w"] + params["a"] @ params["b"])


@pytest.mark.parametrize("start", [nn.LayerNorm(3, elementwise_affine=False), nn.Softmax(-1)], ids=["zero", "one"])
def test_what_a_state_starts_from_says_nothing_of_what_it_becomes(start: nn.Module):
    """A state that starts from numbers of a known sum has no such sum one step later."""
    torch.manual_seed(0)
    model = Model(lambda s, x: s.out(s.cell(x, s.start(x[:, 0])[None])[0]), cell=nn.GRU(3, 3, batch_first=True), out=Linear(3, 2))
    model.start = start
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    symmetry = find(model.double(), (x,))
    assert {f.tensors for f in symmetry.factors if f.group.label.startswith("shift")} == {("cell.bias_ih_l0", "cell.bias_hh_l0")}
    verify(model, symmetry, (x,), complete=False).raise_if_fails()


def test_the_cases_are_in_double_precision_and_move():
    model, _, symmetry = found(CASES["joined: a bias"])
    element = symmetry.sample(generator=torch.Generator().manual_seed(0))
    assert all(p.dtype == torch.float64 for p in model.parameters())
    assert (element(model_params(model))["c.bias"] - model_params(model)["c.bias"]).abs().max() > 1e-3
