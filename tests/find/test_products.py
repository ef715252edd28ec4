"""Sums of products, written out: they are the contractions that they are."""

from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor, nn

from tests.find.shifted import Case, Linear, Model, check, matrix, plain

_X, _X2, _SEQUENCE = ((9, 3),), ((9, 3), (9, 3)), ((6, 5, 4),)


def _two(run: Callable[..., Tensor], **parts: nn.Module) -> Callable[[], Model]:
    return lambda: Model(run, a=plain(3, 3), b=plain(3, 3), **parts)


def _square(s: Any, x: Tensor) -> Tensor:
    h = s.a(x)
    return (h * h).sum(-1)


def _read_too(s: Any, x: Tensor, y: Tensor) -> Tensor:
    h = s.a(x) * s.b(y)
    return s.c(h.tanh()) + h.sum(-1, keepdim=True)


def _pooled(s: Any, x: Tensor) -> Tensor:
    return s.out((s.score(s.key(x).tanh()).softmax(1) * s.value(x)).sum(1))


def _scaled(gain: Callable[[], nn.Parameter]) -> Callable[[], Model]:
    def run(s: Any, x: Tensor) -> Tensor:
        return s.c(x + s.g * s.b(s.a(x).tanh())).tanh()

    return lambda: Model(run, a=Linear(3, 4), b=Linear(4, 3), c=Linear(3, 3), g=gain())


CASES = {
    case.name: case
    for case in (
        Case("two embeddings", _two(lambda s, x, y: (s.a(x) * s.b(y)).sum(-1)), _X2, (), 9, 1),
        Case("their mean", _two(lambda s, x, y: (s.a(x) * s.b(y)).mean(-1)), _X2, (), 9, 1),
        Case("all pairs", _two(lambda s, x, y: (s.a(x)[:, None] * s.b(y)).sum(-1)), _X2, (), 9, 1),
        Case("a square", lambda: Model(_square, a=plain(3, 3)), _X, (), 3, 1),
        # The product is read as well: what is summed may only be permuted and change signs, scales of ``a`` are undone by ``b``.
        Case("a product that is read itself", _two(_read_too, c=Linear(3, 2)), _X2, (), 3, 6 * 2**3),
        # The weights of a pool sum to one, so that what is added to all values is added to the pool; GL(2); a constant of scores.
        Case(
            "an attention pool",
            lambda: Model(_pooled, key=Linear(4, 3), score=Linear(3, 1), value=Linear(4, 2), out=Linear(2, 2)),
            _SEQUENCE,
            (1, 2),
            7,
            48,
        ),
        Case(
            "a sum over positions",
            lambda: Model(lambda s, x: s.b(s.a(x).sum(1)), a=Linear(4, 2), b=Linear(2, 2)),
            _SEQUENCE,
            (2,),
            6,
            1,
        ),
        # The gain scales with ``b``, and the bias of ``b`` goes through it into that of ``c``.
        Case("a single gain", _scaled(lambda: matrix(1)), _X, (3,), 4, 2 * 384),
        Case("a gain without axes", _scaled(lambda: nn.Parameter(matrix(1)[0].detach())), _X, (3,), 4, 2 * 384),
        Case(
            "a depthwise convolution",
            lambda: nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 3, groups=3), nn.Conv2d(3, 2, 1)),
            ((4, 3, 5, 5),),
            (3, 3),
            12,
            6 * 4**3,
        ),
    )
}


@pytest.mark.parametrize("name", CASES)
def test_products(name: str):
    check(CASES[name])
