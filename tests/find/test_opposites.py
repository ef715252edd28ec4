"""Shifts that meet themselves with the opposite sign: networks whose outputs are compared."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from parasym import find
from tests.find.shifted import Case, Linear, Model, check, matrix

_X2 = ((9, 3), (9, 3))
_IDS = ((9,), (9,))


def _score(s: Any, x: Tensor) -> Tensor:
    return s.b(s.a(x).tanh())


def _reward(run: Any) -> Any:
    return lambda: Model(run, a=Linear(3, 4), b=Linear(4, 1))


def _dueling(s: Any, x: Tensor) -> Tensor:
    h = s.a(x).tanh()
    advantage = s.actions(h)
    return s.b(h) + advantage - advantage.mean(-1, keepdim=True)


CASES = {
    case.name: case
    for case in (
        # The bias of what is compared is seen by nobody; signs and permutations of the hidden units are 2^4 4!.
        Case("two scores", _reward(lambda s, x, y: (_score(s, x) - _score(s, y)).sigmoid()), _X2, (1,), 1, 384),
        Case("two scores added", _reward(lambda s, x, y: (_score(s, x) + _score(s, y)).sigmoid()), _X2, (), 0, 384),
        Case("one score counts twice", _reward(lambda s, x, y: (2 * _score(s, x) - _score(s, y)).sigmoid()), _X2, (), 0, 384),
        Case(
            "twins, their distance channel by channel",
            lambda: Model(lambda s, x, y: s.b((s.a(x) - s.a(y)).abs()), a=Linear(3, 4), b=Linear(4, 2)),
            _X2,
            (4,),
            8,
            384,
        ),
        # A rotation of the embedding and a shift of it.
        Case(
            "twins, their distance",
            lambda: Model(lambda s, x, y: ((s.a(x) - s.a(y)) ** 2).sum(-1), a=Linear(3, 3)),
            _X2,
            (3,),
            6,
            1,
        ),
        # ``a`` and ``b`` move against each other, and what both do alike is seen by nobody: six directions of six.
        Case(
            "two biases on either side",
            lambda: Model(
                lambda s, x, y: ((x @ s.w + s.a + s.b) - (y @ s.w + s.a + s.b)).tanh(),
                w=matrix(3, 3),
                a=matrix(3),
                b=matrix(3),
            ),
            _X2,
            (3, 3),
            6,
            1,
        ),
        Case(
            "two biases on one side",
            lambda: Model(
                lambda s, x, y: ((x @ s.w + s.a + s.b) - (y @ s.w + s.b)).tanh(), w=matrix(3, 3), a=matrix(3), b=matrix(3)
            ),
            _X2,
            (3,),
            3,
            1,
        ),
        # What all actions have in common goes: one number of the bias, and one of every hidden unit.
        Case(
            "advantages less their mean",
            lambda: Model(_dueling, a=Linear(3, 4), b=Linear(4, 1), actions=Linear(4, 3)),
            ((9, 3),),
            (1, 4),
            5,
            384,
        ),
    )
}


@pytest.mark.parametrize("name", CASES)
def test_opposites(name: str):
    check(CASES[name])


def test_embeddings_that_are_compared_move_together():
    model = Model(lambda s, i, j: (s.e(i) + s.r - s.e(j)).abs().sum(-1), e=nn.Embedding(6, 3), r=matrix(3))
    symmetry = find(model, tuple(torch.randint(0, 6, n) for n in _IDS))
    (shift,) = [f for f in symmetry.factors if f.group.label.startswith("shift")]
    assert shift.tensors == ("e.weight",)
    assert shift.dimension == 3
