"""Running statistics of models of one input and of many, from every form of batch."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from parasym.core import BadInputError, model_params
from parasym.functional import Call, has_statistics, reestimate
from parasym.functional.run import run


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)

    def forward(self, a: Tensor, b: Tensor, *, scale: float = 1.0) -> Tensor:
        return self.norm(a + scale * b)


A, B, Y = torch.randn(3, 16, 3, generator=torch.Generator().manual_seed(0))
FORMS = {
    "loader": (DataLoader(TensorDataset(A, B, Y), batch_size=8), 1.0),
    "tuples": ([(A[:8], B[:8]), (A[8:], B[8:])], 1.0),
    "labelled": ([((A[:8], B[:8]), Y), ((A[8:], B[8:]), Y)], 1.0),
    "mappings": ([{"a": A[:8], "b": B[:8], "labels": Y}, {"a": A[8:], "b": B[8:]}], 1.0),
    "calls": ([Call((A[:8], B[:8]), {"scale": 2.0}), Call((A[8:], B[8:]), {"scale": 2.0})], 2.0),
    "double": ([(A[:8].double(), B[:8].double()), (A[8:].double(), B[8:].double())], 1.0),
}


@pytest.mark.parametrize("form", FORMS)
def test_statistics_of_two_inputs(form):
    data, scale = FORMS[form]
    model = Pair().eval()
    before = {name: x.clone() for name, x in model_params(model).items()}
    found = reestimate(model, before, data)
    seen = A + scale * B
    assert torch.allclose(found["norm.running_mean"], seen.mean(0), atol=1e-6)
    assert torch.allclose(found["norm.running_var"], torch.stack([seen[:8].var(0), seen[8:].var(0)]).mean(0), rtol=1e-5)
    assert int(found["norm.num_batches_tracked"]) == 2
    assert all(torch.equal(x, before[name]) for name, x in model_params(model).items()), "the model is left as it was"
    assert not model.norm.training
    assert model.norm.momentum == 0.1


def test_what_is_wrong_is_said():
    model = Pair()
    with pytest.raises(BadInputError, match="needs `b`"):
        reestimate(model, model_params(model), [A])
    with pytest.raises(BadInputError, match=r"lacks `norm.running_mean`"):
        reestimate(model, {"norm.weight": torch.ones(3)}, [(A, B)])
    assert has_statistics(model)
    assert not has_statistics(nn.BatchNorm1d(3, track_running_stats=False))


def test_running_writes_nowhere():
    model = Pair().train()
    params = {name: x.clone() for name, x in model_params(model).items()}
    before = {name: x.clone() for name, x in params.items()}
    for given in (params, {"norm.weight": params["norm.weight"]}):
        assert run(model, given, Call((A, B))).shape == (16, 3)
        assert all(torch.equal(x, before[name]) for name, x in given.items())
        assert all(torch.equal(x, before[name]) for name, x in model_params(model).items())


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.norm = nn.Embedding(5, 3), nn.BatchNorm1d(3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, i: Tensor) -> Tensor:
        return self.head(self.norm(self.embed(i)))


def test_tied_tensors_count_once():
    model, i = Tied(), torch.arange(5)
    params = model_params(model)
    other = {name: x + 1 if x.is_floating_point() else x for name, x in params.items()}
    expected = torch.func.functional_call(model.eval(), {n: x for n, x in other.items() if n != "head.weight"}, (i,))
    assert torch.equal(run(model, other, Call((i,))), expected)
    found = reestimate(model, other, [i])
    assert found.keys() == params.keys()
    assert torch.allclose(found["norm.running_mean"], other["embed.weight"].mean(0))
