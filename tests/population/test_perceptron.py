"""Plain perceptrons side by side, against autograd, and which models are plain."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from parasym.population import TrainingPlan, objective, train_population
from parasym.population.data import Data, FullBatch
from parasym.population.network import Network
from parasym.population.objective import Objective
from parasym.population.perceptron import SLOPES, Perceptrons, perceptron_layers
from tests.population.networks import Counting, alone, convolutional, data, dropping, masked, normalized, perceptron

NETWORKS, EXAMPLES = 3, 6
ACTIVATIONS: list[nn.Module] = [
    nn.ReLU(),
    nn.ReLU(inplace=True),
    nn.LeakyReLU(0.3),
    nn.GELU(),
    nn.GELU(approximate="tanh"),
    nn.SiLU(),
    nn.Softplus(beta=2.0, threshold=1.0),
    nn.Tanh(),
    nn.Sigmoid(),
]


def deep(activation: nn.Module, *, bias: bool = True) -> nn.Sequential:
    inner = nn.Sequential(nn.Linear(4, 5, bias=bias), activation)
    return nn.Sequential(nn.Flatten(), inner, nn.Linear(5, 4), nn.Linear(4, 4), activation, nn.Linear(4, 3, bias=bias)).double()


def batches(*shape: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(NETWORKS, EXAMPLES, *shape, generator=generator, dtype=torch.float64)
    return x, torch.randint(3, (NETWORKS, EXAMPLES), generator=generator)


def found(model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], smoothing: float) -> tuple[Tensor, dict[str, Tensor]]:
    """Losses and gradients of networks that differ from the model by a factor."""
    x, y = batches(2, 2)
    labels = y if loss is cross_entropy else nn.functional.one_hot(y, 3).double()
    network = Network(model, torch.device("cpu"))
    layers = perceptron_layers(network, Data(x[0], labels[0]))
    assert layers
    rows = network.pack([model] * NETWORKS)
    for row in rows:
        row.mul_(torch.arange(1, NETWORKS + 1)[:, None])
    grads = [torch.empty_like(row) for row in rows]
    stack = Perceptrons(layers, network, rows, grads)
    each = torch.full((NETWORKS,), smoothing, dtype=torch.float64)
    losses, slopes = Objective(loss, smoothing > 0).slopes(stack.forward(x), labels, each)
    stack.backward(slopes)
    return losses, network.unpack(grads)


def right(model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor], smoothing: float) -> tuple[Tensor, dict[str, Tensor]]:
    x, y = batches(2, 2)
    labels = y if loss is cross_entropy else nn.functional.one_hot(y, 3).double()
    losses, gradients = [], []
    for k in range(NETWORKS):
        params = {n: ((k + 1) * p.detach()).requires_grad_() for n, p in model.named_parameters()}
        outputs = torch.func.functional_call(model, params, (x[k],))
        more = {"label_smoothing": smoothing} if smoothing else {}
        value = loss(outputs, labels[k], **more)
        losses.append(value.detach())
        gradients.append(torch.autograd.grad(value, list(params.values())))
    names = [n for n, _ in model.named_parameters()]
    return torch.stack(losses), {n: torch.stack(g) for n, g in zip(names, zip(*gradients, strict=True), strict=True)}


def compare(model: nn.Module, loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy, smoothing: float = 0.0) -> None:
    losses, gradients = found(model, loss, smoothing)
    expected, wanted = right(model, loss, smoothing)
    torch.testing.assert_close(losses, expected, rtol=1e-12, atol=1e-14)
    assert set(gradients) == set(wanted)
    for name, value in wanted.items():
        torch.testing.assert_close(gradients[name], value, rtol=1e-10, atol=1e-13)
        assert bool(value.abs().max() > 1e-6), "there is something to compare"


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_gradients_are_those_of_autograd(activation: nn.Module, bias: bool) -> None:
    torch.manual_seed(0)
    compare(deep(activation, bias=bias))


def test_every_activation_is_tested() -> None:
    assert {type(a) for a in ACTIVATIONS} == set(SLOPES)


@pytest.mark.parametrize(("loss", "smoothing"), [(cross_entropy, 0.2), (mse_loss, 0.0)])
def test_other_losses(loss: Callable[[Tensor, Tensor], Tensor], smoothing: float) -> None:
    torch.manual_seed(0)
    compare(deep(nn.GELU()), loss, smoothing)


@pytest.mark.parametrize(("one", "other"), list(itertools.pairwise(ACTIVATIONS[2:])), ids=str)
def test_another_slope_would_be_seen(one: nn.Module, other: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    slope = SLOPES[type(other)]
    monkeypatch.setitem(SLOPES, type(one), lambda _, delta, x, y: slope(other, delta, x, y))
    with pytest.raises(AssertionError):
        compare(deep(one))


def test_a_forgotten_division_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    slopes = Objective.slopes

    def sums(*args: Any) -> tuple[Tensor, Tensor]:
        losses, found = slopes(*args)
        return losses, found * EXAMPLES

    monkeypatch.setattr(Objective, "slopes", sums)
    with pytest.raises(AssertionError):
        compare(deep(nn.Tanh()))


def frozen() -> nn.Module:
    model = perceptron()
    model[0].weight.requires_grad_(False)
    return model


def tied() -> nn.Module:
    layer = nn.Linear(5, 5)
    return nn.Sequential(layer, nn.ReLU(), layer)


def hooked() -> nn.Module:
    model = perceptron()
    model[1].register_forward_hook(lambda _module, _inputs, outputs: outputs.mul(2))
    return model


def replaced() -> nn.Module:
    model = perceptron()
    model[1].forward = torch.tanh
    return model


class Twice(nn.Sequential):
    """A chain that does more than its layers say."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).mul(2)


OTHERS: list[Callable[[], nn.Module]] = [convolutional, normalized, dropping, masked, Counting, frozen, tied, hooked, replaced]


@pytest.mark.parametrize("factory", [*OTHERS, lambda: Twice(*perceptron())])
def test_other_models_are_not_plain(factory: Callable[[], nn.Module]) -> None:
    assert not perceptron_layers(Network(factory(), torch.device("cpu")), Data(*data()))


def test_other_data_are_not_plain() -> None:
    x, y = data()
    network = Network(perceptron(), torch.device("cpu"))
    assert perceptron_layers(network, Data(x, y))
    assert not perceptron_layers(network, Data((x, x), y))
    assert not perceptron_layers(network, Data(FullBatch((x,)), y))
    assert not perceptron_layers(network, Data(x[:, None], y))
    assert not perceptron_layers(network, Data(x, torch.where(y == 1, -100, y)))


@pytest.mark.parametrize("factory", [perceptron, hooked, replaced, frozen, lambda: Twice(*perceptron())])
def test_whatever_it_is_the_network_is_the_same(factory: Callable[[], nn.Module]) -> None:
    plan = TrainingPlan(epochs=3, batch=16, rate=1e-2, decay=0.1)
    many = train_population(factory, *data(), seeds=(0, 1, 2), plan=plan, way="vmap")
    for seed, params in enumerate(many.params):
        for name, value in alone(factory, seed, plan, *data()).named_parameters():
            torch.testing.assert_close(params[name], value.detach(), rtol=1e-4, atol=2e-5)


def ignoring(way: Any, smoothing: float) -> None:
    x, y = data()
    y = torch.where(torch.arange(len(y)) % 3 == 0, -100, y)
    plan = TrainingPlan(epochs=3, batch=16, rate=0.1, smoothing=smoothing, optimizer="sgd")
    params = train_population(perceptron, x, y, seeds=(0, 1), plan=plan, way=way).params[0]
    for name, value in alone(perceptron, 0, plan, x, y).named_parameters():
        torch.testing.assert_close(params[name], value.detach(), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("way", ["vmap", "loop"])
def test_ignored_labels_do_not_count(way: Any, smoothing: float) -> None:
    ignoring(way, smoothing)


def test_ignored_labels_that_count_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objective, "IGNORED", -1)
    with pytest.raises(AssertionError):
        ignoring("vmap", 0.0)
