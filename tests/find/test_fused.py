"""Parts of a fused axis are blocks of their own, wherever the axis that tells them apart lies."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from parasym.zoo.inputs import normal
from tests.find.derived import Derived, Model, check

T, D, HEADS, DIM = 3, 8, 2, 4
Cut = Callable[[Tensor], tuple[Tensor, ...]]


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (torch.softmax(q @ k.mT, -1) @ v).transpose(1, 2).reshape(len(q), T, -1)


def _model(cut: Cut, beside: bool = False) -> Callable[[], nn.Module]:
    def run(m: Model, x: Tensor) -> Tensor:
        z = m.qkv(x)
        out = m.o(_attend(*cut(z.view(len(x), T, -1))))
        return out + m.c(z.tanh()) if beside else out

    def build() -> nn.Module:
        parts = {"c": nn.Linear(3 * HEADS * DIM, D, bias=False)} if beside else {}
        return Model(run, qkv=nn.Linear(D, 3 * HEADS * DIM, bias=False), o=nn.Linear(HEADS * DIM, D, bias=False), **parts)

    return build


def _three_first(z: Tensor) -> tuple[Tensor, ...]:
    return z.view(len(z), T, 3, HEADS, DIM).permute(2, 0, 3, 1, 4).unbind(0)


def _of_each_head(z: Tensor) -> tuple[Tensor, ...]:
    return z.view(len(z), T, HEADS, 3, DIM).permute(3, 0, 2, 1, 4).unbind(0)


def _indexed(z: Tensor) -> tuple[Tensor, ...]:
    heads = z.view(len(z), T, HEADS, 3, DIM)
    return tuple(heads[..., k, :].transpose(1, 2) for k in range(3))


def _narrowed(z: Tensor) -> tuple[Tensor, ...]:
    heads = z.view(len(z), T, HEADS, 3, DIM).transpose(1, 2)
    pair, v = heads.split((2, 1), 3)
    return pair[:, :, :, 0], pair[:, :, :, 1], v.squeeze(3)


def _partly_bent(z: Tensor) -> tuple[Tensor, ...]:
    q, k, v = _of_each_head(z)
    return torch.cat([q[..., :2].tanh(), q[..., 2:]], -1), k, v


WHOLE = ("S(2)", "GL(4)^2", "GL(4)^2")
CASES = (
    Derived("three first", _model(_three_first), WHOLE, "queries meet keys, values meet what reads them", normal((6, T, D))),
    Derived("three of each head", _model(_of_each_head), WHOLE, "the same rows in another order", normal((6, T, D))),
    Derived("three of each head, by number", _model(_indexed), WHOLE, "the same", normal((6, T, D))),
    Derived("two and one of each head", _model(_narrowed), WHOLE, "the same, cut twice", normal((6, T, D))),
    Derived(
        "partly bent",
        _model(_partly_bent),
        ("S(2)", "S(2)^2", "signs(2)^2", "GL(2)^2", "GL(4)^2"),
        "two channels of queries pass an odd function, with the keys that they meet; values do not see it",
        normal((6, T, D)),
    ),
    Derived(
        "read as a whole too",
        _model(_of_each_head, beside=True),
        ("S(2)", "S(4)^2", "S(4)^2", "signs(4)^2", "signs(4)^2"),
        "an odd function of every entry is read beside: of linear maps orders and signs are left",
        normal((24, T, D)),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_parts_of_a_fused_axis_are_blocks_of_their_own(case: Derived):
    check(case)
