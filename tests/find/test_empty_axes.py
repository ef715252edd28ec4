"""An axis of length 0 carries nothing: the group is that of the model without it."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from parasym.find import find
from parasym.symmetry import Symmetry, group_name
from parasym.zoo import generic_params
from tests.find.derived import Model
from tests.zoo.acting import factor_errors

Run = Callable[[Model, Tensor], Tensor]


def _bent(h: Tensor, first: int) -> Tensor:
    return torch.cat([h[..., :first].tanh(), h[..., first:]], -1)


def _attended(m: Model, x: Tensor, past: Tensor) -> Tensor:
    q, k = m.a(x)[:, None], torch.cat([past, m.p(x)[:, None]], 1)
    return m.b((torch.softmax(q @ k.mT, -1) @ k)[:, 0].tanh())


PLAIN: Run = lambda m, x: m.b(m.a(x).tanh())  # noqa: E731 - one row of a table
PAIRS: dict[str, tuple[Run, Run]] = {
    "a slice beyond the end": (lambda m, x: m.b(_bent(m.a(x), 4)), PLAIN),
    "a product cut at its end": (
        lambda m, x: m.b(_bent(m.a(x).view(-1, 2, 2), 2).flatten(1)),
        lambda m, x: m.b(m.a(x).view(-1, 2, 2).tanh().flatten(1)),
    ),
    "a part of length 0": (lambda m, x: m.b(torch.cat([part.tanh() for part in m.a(x).split([0, 4, 0], -1)], -1)), PLAIN),
    "zeros of length 0": (lambda m, x: m.b(torch.cat([x.new_zeros(7, 0), m.a(x).tanh()], -1)), PLAIN),
    "a sum over nothing": (lambda m, x: m.b(m.a(x).tanh() + m.p(x)[:, :0].sum(-1, keepdim=True)), PLAIN),
    "a product over nothing": (lambda m, x: m.b(m.a(x).tanh() + x[:, :0] @ m.p.weight.T[:0]), PLAIN),
    "a layer of no inputs": (lambda m, x: m.b(m.a(x).tanh()) + m.none(x[:, :0]), lambda m, x: m.b(m.a(x).tanh()) + m.none.bias),
    "a layer of no outputs": (lambda m, x: m.b(torch.cat([m.a(x).tanh(), m.no(x)], -1)), PLAIN),
    "entries looked up by no numbers": (lambda m, x: m.b(m.a(x).tanh()) + m.b(m.a(x)[x.new_zeros(0).long()]).sum(0), PLAIN),
    "no padding": (lambda m, x: m.b(pad(m.a(x)[:, 4:], (0, 4)) + m.a(x).tanh()), PLAIN),
    "nothing written": (lambda m, x: m.b(m.a(x).tanh().index_add(0, x.new_zeros(0).long(), m.p(x)[:0])), PLAIN),
    "no past": (
        lambda m, x: _attended(m, x, x.new_zeros(7, 0, 4)),
        lambda m, x: m.b((torch.softmax(m.a(x)[:, None] @ m.p(x)[:, None].mT, -1) @ m.p(x)[:, None])[:, 0].tanh()),
    ),
    "bent and normalized": (
        lambda m, x: m.b(torch.cat([m.a(x).tanh(), nn.functional.layer_norm(m.p(x)[:, :0].relu(), (0,)).softmax(-1)], -1)),
        PLAIN,
    ),
}


def _found(run: Run) -> tuple[Model, Symmetry]:
    torch.manual_seed(0)
    layers = {"a": nn.Linear(3, 4), "b": nn.Linear(4, 2), "p": nn.Linear(3, 4), "no": nn.Linear(3, 1), "none": nn.Linear(1, 2)}
    model = Model(run, **layers)
    model.no.weight, model.no.bias = nn.Parameter(torch.zeros(0, 3)), nn.Parameter(torch.zeros(0))
    model.none.weight = nn.Parameter(torch.zeros(2, 0))
    return model.double(), find(model, (torch.randn(7, 3, dtype=torch.float64),))


@pytest.mark.parametrize("name", PAIRS)
def test_nothing_is_lost_beside_nothing(name: str):
    model, with_it = _found(PAIRS[name][0])
    _, without = _found(PAIRS[name][1])
    assert sorted(map(group_name, with_it.factors)) == sorted(map(group_name, without.factors))
    assert with_it.order > 1
    generator = torch.Generator().manual_seed(0)
    params, x = generic_params(model, generator=generator), torch.randn(7, 3, generator=generator, dtype=torch.float64)
    assert all(error < 1e-10 for _, error, _ in factor_errors(model, with_it, params, (x,), generator=generator))


def test_an_empty_batch_is_no_error():
    assert find(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), (torch.zeros(0, 3),)).factors == ()
