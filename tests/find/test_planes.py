"""Planes of rotary embeddings turn as a whole, or not at all."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from parasym.zoo.inputs import normal
from tests.find.derived import Derived, Model, check

T, D, HEADS, DIM = 3, 8, 2, 4
ANGLE = torch.arange(T)[:, None] * torch.tensor([1.0, 0.3])
TABLE = {"cos": ANGLE.cos().repeat(1, 2), "sin": ANGLE.sin().repeat(1, 2)}
Read = Callable[[Model, Tensor, Tensor], Tensor]


def _turned(m: Model, u: Tensor) -> Tensor:
    half = u.shape[-1] // 2
    return u * m.cos + torch.cat([-u[..., half:], u[..., :half]], -1) * m.sin


def _split(u: Tensor) -> Tensor:
    return u.view(len(u), T, HEADS, DIM).transpose(1, 2)


def _attend(m: Model, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return m.o((torch.softmax(_turned(m, q) @ _turned(m, k).mT, -1) @ v).transpose(1, 2).reshape(len(q), T, -1))


def _fused(m: Model, x: Tensor, cut: Callable[[Tensor], tuple[Tensor, ...]]) -> Tensor:
    return _attend(m, *cut(m.qkv(x)))


def _three(z: Tensor) -> tuple[Tensor, ...]:
    return tuple(map(_split, z.chunk(3, -1)))


def _of_each_head(z: Tensor) -> tuple[Tensor, ...]:
    return z.view(len(z), T, HEADS, 3 * DIM).transpose(1, 2).chunk(3, -1)


def _grouped(m: Model, x: Tensor) -> Tensor:
    z = m.qkv(x).view(len(x), T, HEADS + 2, DIM).transpose(1, 2)
    q, k, v = z[:, :HEADS], z[:, HEADS : HEADS + 1], z[:, HEADS + 1 :]
    return _attend(m, q, k.expand_as(q), v.expand_as(q))


def _interleaved(m: Model, x: Tensor) -> Tensor:
    q, k, v = _three(m.qkv(x))
    q, k = (
        torch.view_as_real(
            torch.view_as_complex(u.reshape(*u.shape[:-1], 2, 2)) * torch.polar(torch.ones_like(ANGLE), ANGLE)
        ).flatten(3)
        for u in (q, k)
    )
    return m.o((torch.softmax(q @ k.mT, -1) @ v).transpose(1, 2).reshape(len(q), T, -1))


def _neighbours(u: Tensor) -> Tensor:
    return torch.stack((-u[..., 1::2], u[..., ::2]), -1).flatten(-2)


def _pairs(u: Tensor) -> Tensor:
    real, imaginary = u.view(*u.shape[:-1], 2, 2).unbind(-1)
    return torch.stack((-imaginary, real), -1).reshape(u.shape)


def _twice(angles: Tensor) -> Tensor:
    return angles[:, :2].repeat_interleave(2, -1)


def _stacked(angles: Tensor) -> Tensor:
    return torch.stack((angles[:, :2], angles[:, :2]), -1).flatten(-2)


def _every_two(m: Model, x: Tensor, turn: Callable[[Tensor], Tensor], spread: Callable[[Tensor], Tensor]) -> Tensor:
    q, k, v = _three(m.qkv(x))
    q, k = (u * spread(m.cos) + turn(u) * spread(m.sin) for u in (q, k))
    return m.o((torch.softmax(q @ k.mT, -1) @ v).transpose(1, 2).reshape(len(q), T, -1))


def _neighbouring(turn: Callable[[Tensor], Tensor], spread: Callable[[Tensor], Tensor]) -> Callable[[], nn.Module]:
    return _model(partial(_every_two, turn=turn, spread=spread), 3 * DIM * HEADS)


def _model(run: Callable[..., Tensor], outputs: int) -> Callable[[], nn.Module]:
    return lambda: Model(run, qkv=nn.Linear(D, outputs, bias=False), o=nn.Linear(HEADS * DIM, D, bias=False), **TABLE)


def _scores(read: Read) -> Callable[[], nn.Module]:
    def run(m: Model, x: Tensor) -> Tensor:
        return read(m, *(_turned(m, _split(part(x))) for part in (m.q, m.k)))

    def build() -> nn.Module:
        return Model(run, q=nn.Linear(D, DIM * HEADS, bias=False), k=nn.Linear(D, DIM * HEADS, bias=False), **TABLE)

    return build


_inputs = normal((6, T, D))


def _case(name: str, build: Callable[[], nn.Module], expected: tuple[str, ...], why: str, rest: int = 0) -> Derived:
    return Derived(name, build, expected, why, _inputs, rest)


WHOLE = ("S(2)", "planes(2)^2", "GL(4)^2")
PLANES = ("planes(2)^2",)
LEFT = ("signs(2)^2", "scale(2)^2")
CASES = (
    _case("fused", _model(partial(_fused, cut=_three), 3 * DIM * HEADS), WHOLE, "as for three projections"),
    _case("fused, head by head", _model(partial(_fused, cut=_of_each_head), 3 * DIM * HEADS), WHOLE, "rows in another order"),
    _case("fused, one key for all", _model(_grouped, 4 * DIM), ("S(2)", "planes(2)", "GL(4)"), "one key and value head"),
    _case("fused, complex numbers", _model(_interleaved, 3 * DIM * HEADS), WHOLE, "planes of neighbours"),
    _case("neighbours", _neighbouring(_neighbours, _twice), WHOLE, "planes of neighbours, as in GPT-J"),
    _case("neighbours as pairs", _neighbouring(_pairs, _stacked), WHOLE, "the same written otherwise"),
    _case(
        "neighbours by other angles",
        _neighbouring(_neighbours, lambda angles: angles),
        ("S(2)", "GL(4)^2", "scale(2)^2", "signs(2)^2", "S(2)"),
        "the two parts of a plane are not turned by one angle; both pairs are by the same two, so they might be mixed",
        rest=4,
    ),
    _case(
        "neighbours bent",
        _neighbouring(lambda u: _neighbours(u).abs(), _twice),
        ("S(2)", "GL(4)^2", "scale(2)^2"),
        "no rotation: one summand forgets signs",
    ),
    _case("scores", _scores(lambda m, q, k: q @ k.mT), PLANES, "heads are outputs and stay"),
    _case(
        "lengths",
        _scores(lambda m, q, k: (q**2).sum(-1)),
        PLANES,
        "of planes, which the scale would change; keys are not read",
        rest=64,
    ),
    _case("real parts", _scores(lambda m, q, k: q[..., :2] @ k[..., :2].mT), LEFT, "a rotation would mix in imaginary parts"),
    _case("crossed", _scores(lambda m, q, k: q[..., :2] @ k[..., 2:].mT), LEFT, "real parts meet imaginary ones"),
    _case(
        "turned around",
        _scores(lambda m, q, k: q.roll(2, -1) @ k.mT),
        LEFT,
        "real parts meet imaginary ones, by a roll",
        rest=4,
    ),
    _case(
        "exchanged",
        _scores(lambda m, q, k: torch.cat([q[..., 2:], q[..., :2]], -1) @ k.mT),
        LEFT,
        "the same written out; that keys may turn the other way, nothing says",
        rest=4,
    ),
    _case(
        "lengths of real parts",
        _scores(lambda m, q, k: (q[..., :2] ** 2).sum(-1)),
        ("signs(2)^2",),
        "a rotation would change them; keys are not read",
        rest=64,
    ),
    _case("sum of both parts", _scores(lambda m, q, k: (q[..., :2] + q[..., 2:]) @ k[..., :2].mT), LEFT, "a rotation mixes them"),
    _case("bent", _scores(lambda m, q, k: q.tanh() @ k.mT), ("signs(2)^2",), "channels are told apart"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_planes_turn_as_a_whole_or_not_at_all(case: Derived):
    check(case)
