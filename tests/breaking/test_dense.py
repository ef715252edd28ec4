"""Broken models as objects: plain modules again, copies that leave the original whole, pickles, parametrizations."""

import gc
import io
import pickle
from copy import copy, deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from parasym.breaking import FiGLU, FrozenEntries, SigmaAsymmetric, WAsymmetric, break_, dense, frozen_tensors, trainable_count
from parasym.core import RECIPE, BadInputError


class Tied(nn.Module):
    """An embedding that is also the head, and a recurrence between them."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.core, self.head = nn.Embedding(7, 5), nn.LSTM(5, 5, batch_first=True), nn.Linear(5, 7, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.core(self.embed(x))[0])


def plain() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))


def broken(seed: int = 0) -> Any:
    return break_(plain(), WAsymmetric(frozen=2, seed=seed)).model


def inputs() -> Tensor:
    return torch.randn(5, 4, generator=torch.Generator().manual_seed(0))


def trained_once(model: nn.Module) -> None:
    run = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.5)
    model(inputs()).square().sum().backward()
    run.step()


def is_whole(model: Any) -> bool:
    """Whether entries are constants still, through a step of training, and the state has its recipe."""
    entries = [e for _, _, _, e in frozen_tensors(model)]
    before = [e.frozen.clone() for e in entries]
    trained_once(model)
    held = [getattr(module, tensor)[~e.mask] for _, module, tensor, e in frozen_tensors(model)]
    kept = all(torch.equal(x, old[~e.mask]) for x, old, e in zip(held, before, entries, strict=True))
    return len(entries) == 2 and kept and RECIPE in model.state_dict()


def test_what_whole_means():
    assert is_whole(broken())
    assert not is_whole(dense(broken()))


def test_dense_is_plain_and_the_same_function():
    model = broken()
    with torch.no_grad():  # what is stored behind constants is not what the function reads
        for _, module, tensor, entries in frozen_tensors(model):
            module._parameters[tensor].masked_fill_(~entries.mask, 77.0)  # pyright: ignore[reportOptionalMemberAccess]
    made: Any = dense(model)
    assert torch.equal(made(inputs()), model(inputs()))
    assert [type(m) for m in made.modules()] == [type(m) for m in plain().modules()]
    assert list(made.state_dict()) == list(plain().state_dict())
    assert trainable_count(made) == 51
    assert not any(isinstance(m, FrozenEntries) for m in made.modules())
    assert is_whole(model)
    before = made[0].weight.detach().clone()
    trained_once(made)
    assert (made[0].weight != before).all()
    plain().load_state_dict(made.state_dict())
    assert break_(made, WAsymmetric(frozen=2)).report.frozen == 18  # and can be broken anew


def test_dense_keeps_ties_and_recurrences():
    torch.manual_seed(0)
    tokens = torch.randint(7, (2, 4), generator=torch.Generator().manual_seed(0))
    model = break_(Tied(), WAsymmetric(frozen=2)).model
    made: Any = dense(model)
    assert torch.equal(made(tokens), model(tokens))
    assert made.embed.weight is made.head.weight
    assert [type(m) for m in made.modules()] == [type(m) for m in Tied().modules()]
    assert trainable_count(made) == trainable_count(Tied())
    made(tokens).sum().backward()
    assert (made.core.weight_hh_l0.grad != 0).all()


def test_dense_keeps_activations_that_mix_channels():
    both = break_(break_(plain(), WAsymmetric(frozen=2)).model, SigmaAsymmetric(), inputs()).model
    made: Any = dense(both)
    assert isinstance(made[1], FiGLU)
    assert torch.equal(made(inputs()), both(inputs()))
    assert RECIPE not in made.state_dict()


@pytest.mark.parametrize("copied", [deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_nothing_done_to_a_copy_is_done_to_the_model(copied: Any):
    """Fault: a class that copies share, from which removing takes the property of the original too."""
    model = broken()
    before = {n: x.clone() for n, x in model.state_dict().items()}
    out = model(inputs())
    made = copied(model)
    assert torch.equal(made(inputs()), out)
    trained_once(made)
    for layer in (made[0], made[2]):
        parametrize.remove_parametrizations(layer, "weight")
        assert type(layer) is nn.Linear
        assert not parametrize.is_parametrized(layer)
    assert torch.equal(model(inputs()), out)
    assert all(torch.equal(x, before[n]) for n, x in model.state_dict().items())
    assert is_whole(model)
    assert trainable_count(made) == 51


def test_the_other_way_round():
    """What is done to the model is not done to its copy either."""
    model = broken()
    made = deepcopy(model)
    parametrize.remove_parametrizations(model[0], "weight")
    assert is_whole(made)


def test_parametrizations_are_removed_with_constants_in_place():
    model = broken()
    out = model(inputs())
    parametrize.remove_parametrizations(model[0], "weight", leave_parametrized=True)
    parametrize.remove_parametrizations(model[2], "weight")
    assert torch.equal(model(inputs()), out)
    assert trainable_count(model) == 51
    model.state_dict()


def test_a_second_parametrization_is_refused():
    with pytest.raises(BadInputError, match="cannot be parametrized by Identity as well"):
        parametrize.register_parametrization(broken()[0], "weight", nn.Identity())


def test_whole_models_are_saved():
    model, file = broken(), io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    assert torch.equal(loaded(inputs()), model(inputs()))
    assert is_whole(loaded)
    with pytest.raises(Exception, match="seed=1 instead of 0"):
        loaded.load_state_dict(broken(1).state_dict())
    tied = break_(Tied(), WAsymmetric(frozen=2)).model
    again: Any = pickle.loads(pickle.dumps(tied))
    assert again.embed.weight is not None
    assert again._modules["embed"]._parameters["weight"] is again._modules["head"]._parameters["weight"]
    tokens = torch.tensor([[1, 2, 3]])
    assert torch.equal(again(tokens), tied(tokens))


def test_a_shallow_copy_shares_numbers_and_nothing_else():
    """Fault: frozen entries that take the copy for their owner, and lose it with the copy."""
    model = broken()
    made = copy(model[0])
    assert made._parameters["weight"] is model[0]._parameters["weight"]
    assert torch.equal(made(inputs()), model[0](inputs()))
    parametrize.remove_parametrizations(made, "weight")
    del made
    gc.collect()
    assert model[0].parametrizations.weight.original is model[0]._parameters["weight"]
    assert is_whole(model)
    assert is_whole(copy(model))


def test_it_looks_like_what_it_was():
    model = broken()
    assert isinstance(model[0], nn.Linear)
    assert type(model[0]).__name__ == "Linear"
    assert [len(model), len(list(model))] == [3, 3]
    assert [n for n, _ in model.named_parameters()] == [n for n, _ in plain().named_parameters()]
    assert isinstance(model[0].weight, nn.Parameter)
    whole = break_(nn.Sequential(nn.Linear(4, 3)), WAsymmetric(frozen=2)).model
    assert isinstance(whole, nn.Sequential)
