"""The cost of exchanging two neurons: nothing where a symmetry does it, something where none can."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from parasym.breaking import SigmaAsymmetric, WAsymmetric, break_
from parasym.core import BadInputError, child_generator, model_params
from parasym.studies import HiddenLayer, exchange_cost
from parasym.studies.identifiability import RIDGE, fitted
from parasym.studies.lmc_measure import hidden_layer
from parasym.zoo.paper import NormedMLP

G = child_generator(0, "layer")


def layer(mask: Tensor, next_mask: Tensor, between: Callable[[Tensor, Tensor], Tensor]) -> HiddenLayer:
    g = child_generator(1, "layer")
    h, w, b, v, c = (torch.randn(s, generator=g, dtype=torch.float64) for s in ((90, 6), (5, 6), (5,), (3, 5), (3,)))
    v = 4 * v
    # As if it had been trained: it is right everywhere, so that a change of its outputs does not lower the loss by chance.
    labels = (between(h @ w.T + b, torch.arange(5)) @ v.T + c).argmax(1)
    return HiddenLayer(h, w, b, mask, between, v, c, next_mask, lambda y: y, labels)


def plain(z: Tensor, _order: Tensor) -> Tensor:
    return z.tanh()


ALL, NEXT = torch.ones(5, 6, dtype=torch.bool), torch.ones(3, 5, dtype=torch.bool)
SOME = ~torch.eye(5, 6).bool()


def test_where_all_is_trained_an_exchange_costs_nothing():
    costs = [exchange_cost(layer(ALL, NEXT, plain), i, j) for i, j in ((0, 1), (2, 4))]
    assert max(map(abs, costs)) < 1e-6


def test_frozen_entries_make_it_cost():
    assert min(exchange_cost(layer(SOME, NEXT, plain), i, j) for i, j in ((0, 1), (1, 2), (3, 4))) > 1e-2


def test_a_gate_that_stays_in_its_place_makes_it_cost():
    def gated(z: Tensor, _order: Tensor) -> Tensor:
        return z * torch.linspace(0, 3, 5, dtype=torch.float64).mul(z).sigmoid()

    # Fitting the next map anew takes back what is linear, so the gates have to differ by more than a factor.
    assert exchange_cost(layer(ALL, NEXT, gated), 0, 4) > 1e-4


def test_without_fitting_the_next_map_the_cost_is_there_for_every_network():
    # What the measure would be if it forgot the columns of the next map: a planted fault, seen by the first test.
    x = layer(ALL, NEXT, plain)
    z = x.h @ x.weight.T + x.bias
    swapped = z[:, [1, 0, 2, 3, 4]].tanh() @ x.next_weight.T + x.next_bias
    before = z.tanh() @ x.next_weight.T + x.next_bias
    assert abs(float(cross_entropy(swapped, x.labels) - cross_entropy(before, x.labels))) > 1e-3


def test_the_fit_is_that_of_least_squares():
    x = layer(SOME, NEXT, plain)
    target = torch.randn(90, generator=G, dtype=torch.float64)
    found = fitted(x.h, target, x.weight[2], SOME[2])
    free = torch.cat((x.h[:, SOME[2]], torch.ones(90, 1).double()), dim=1)
    rest = target - x.h[:, 2] * x.weight[2, 2]
    wanted = x.h[:, 2] * x.weight[2, 2] + free @ torch.linalg.lstsq(free, rest[:, None]).solution[:, 0]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_rows_with_masks_of_their_own_are_fitted_one_by_one():
    own = torch.tensor([[1, 1, 0, 1, 1], [0, 1, 1, 1, 1], [1, 1, 1, 1, 1]]).bool()
    # Neuron 0 is frozen in the second row and neuron 2 in the first: each row has to do without one.
    assert exchange_cost(layer(ALL, own, plain), 0, 2) > 1e-2


@pytest.mark.parametrize("name", ["standard", "sigma", "w"])
def test_the_layer_of_a_network_computes_what_the_network_does(name: str):
    torch.manual_seed(0)
    x, labels = torch.randn(40, 12, generator=G), torch.arange(40) % 4
    model: torch.nn.Module = NormedMLP(8, 4, 12)
    if name == "w":
        model = break_(model, WAsymmetric(frozen=3)).model
    if name == "sigma":
        model = break_(model, SigmaAsymmetric(), x).model
    found = hidden_layer(model, model_params(model), x, labels)
    z = found.h @ found.weight.T + found.bias
    with torch.no_grad():
        logits = found.rest(found.between(z, torch.arange(8)) @ found.next_weight.T + found.next_bias)
        torch.testing.assert_close(logits, model(x).double(), rtol=1e-4, atol=1e-5)
        cost = exchange_cost(found, 1, 5)
    assert (abs(cost) < 1e-5) == (name == "standard")
    assert bool(found.mask.all()) == (name != "w")


def test_a_neuron_cannot_be_exchanged_with_itself():
    with pytest.raises(BadInputError, match="must be two neurons, but both are 3"):
        exchange_cost(layer(ALL, NEXT, plain), 3, 3)


def test_a_neuron_is_fitted_by_ridge_regression_of_its_trainable_entries_and_its_bias():
    g = child_generator(3, "fit")
    x, target, weight = (torch.randn(s, generator=g, dtype=torch.float64) for s in ((40, 4), (40,), (4,)))
    mask = torch.tensor([True, False, True, True])
    given = x[:, 1] * weight[1]
    wide = torch.cat((x[:, mask], torch.ones(40, 1).to(x)), 1)
    ridge = RIDGE * wide.square().sum() / 4
    rows = torch.cat((wide, ridge.sqrt() * torch.eye(4).to(x)))
    wanted = torch.cat((target - given, torch.zeros(4).to(x)))
    expected = given + wide @ torch.linalg.lstsq(rows, wanted[:, None]).solution[:, 0]
    torch.testing.assert_close(fitted(x, target, weight, mask), expected, rtol=0, atol=1e-12)
