"""Plain perceptrons side by side, against autograd, and which models are plain."""

import itertools
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import cross_entropy, mse_loss

from parasym.breaking import WAsymmetric, break_, frozen_tensors
from parasym.core import BadInputError
from parasym.population import TrainingPlan, layers, objective, train_population
from parasym.population.data import Data, FullBatch
from parasym.population.layers import SLOPES
from parasym.population.network import Network
from parasym.population.objective import Objective
from parasym.population.perceptron import Perceptrons, perceptron_layers
from parasym.zoo.paper import NormedMLP
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


def normed(**options: Any) -> nn.Sequential:
    """Layer normalizations between linear layers, before and after activations."""
    torch.manual_seed(1)
    inner = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6, **options), nn.GELU(), nn.LayerNorm(6, **options))
    model = nn.Sequential(nn.Flatten(), inner, nn.Linear(6, 5), nn.LayerNorm(5, **options), nn.Linear(5, 3)).double()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3 * torch.randn(p.shape, dtype=p.dtype))  # gains of one and biases of zero hide mistakes
    return model


class Written(nn.Module):
    """A perceptron whose forward calls functions, and layers out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.last, self.first, self.norm = nn.Linear(5, 3), nn.Linear(4, 6), nn.LayerNorm(6)
        self.middle, self.nothing = nn.ModuleList([nn.Linear(6, 5)]), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        h = functional.gelu(self.norm(self.first(torch.flatten(x, 1))), approximate="tanh").relu()
        for layer in self.middle:
            h = layer(self.nothing(h)).tanh()
        return self.last(functional.silu(torch.sigmoid(h)))


def asymmetric(model: nn.Module, leftover: Any = "freeze", **options: Any) -> nn.Module:
    x = torch.zeros(2, 4, dtype=torch.float64)
    return break_(model.double(), WAsymmetric(leftover=leftover, **options), x).model


MODELS: dict[str, Callable[[], nn.Module]] = {
    "layer norms": normed,
    "layer norms without gains": lambda: normed(elementwise_affine=False),
    "layer norms without biases": lambda: normed(bias=False),
    "layer norms with a large epsilon": lambda: normed(eps=0.5),
    "written out": lambda: Written().double(),
    "of the paper": lambda: NormedMLP(6, 3, 4).double(),
    "asymmetric": lambda: asymmetric(deep(nn.GELU())),
    "asymmetric, normed": lambda: asymmetric(normed(), pin=("1.1.weight", "*.bias")),
    "asymmetric, of the paper": lambda: asymmetric(NormedMLP(6, 3, 4)),
    "asymmetric, a whole layer": lambda: asymmetric(deep(nn.Tanh()), "keep", frozen={"1.0": 0.5, "5": 3, "*": 0}),
}


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
    whole = {name for name, _, _, entries in frozen_tensors(model) if not entries.mask.any()}
    for name, value in wanted.items():
        torch.testing.assert_close(gradients[name], value, rtol=1e-10, atol=1e-13)
        if name not in whole:
            assert bool(value.abs().max() > 1e-6), "there is something to compare"


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_gradients_are_those_of_autograd(activation: nn.Module, bias: bool) -> None:
    torch.manual_seed(0)
    compare(deep(activation, bias=bias))


def test_every_activation_is_tested() -> None:
    assert {type(a) for a in ACTIVATIONS} == set(SLOPES)


@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_other_perceptrons_are_those_of_autograd(name: str) -> None:
    compare(MODELS[name](), smoothing=0.1)


def test_frozen_entries_have_no_gradient_and_hide_what_is_stored() -> None:
    """Fault: the stored numbers read, or gradients that would move them."""
    model = MODELS["asymmetric"]()
    _, before = found(model, cross_entropy, 0.0)
    entries = {name: one for name, _, _, one in frozen_tensors(model)}
    assert len(entries) >= 4
    for name, one in entries.items():
        assert not before[name][:, ~one.mask].any()
        with torch.no_grad():
            model.get_parameter(name)[~one.mask] = 99.0
    _, after = found(model, cross_entropy, 0.0)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_constants_that_are_not_put_in_place_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    model = MODELS["asymmetric, normed"]()
    monkeypatch.setattr(layers.Stacked, "value", lambda self: self._stack)
    monkeypatch.setattr(sys.modules["parasym.population.perceptron"], "_is_model", lambda *_: True)
    with pytest.raises(AssertionError):
        compare(model)


def test_a_layer_that_computes_otherwise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read from a forward is compared with the model: a layer of another epsilon is no layer of this one."""
    network, (x, y) = Network(normed(), torch.device("cpu")), batches(4)
    assert perceptron_layers(network, Data(x[0], y[0]))
    forward = layers._Normalization.forward
    monkeypatch.setattr(layers._Normalization, "forward", lambda self, x: forward(self, x) * 1.01)
    assert not perceptron_layers(network, Data(x[0], y[0]))


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


class Remembering(nn.Module):
    """Its forward changes with every call, in a way that no trace shows."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.inner, self.where, self.calls = perceptron(), where, 0
        self.register_buffer("seen", torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        if self.where == "attribute":
            self.calls += 1
        if self.where == "buffer":
            self.seen += 1
        return self.inner(x)


class Branching(nn.Module):
    """More than a chain: a shortcut, a part used twice, noise, an output of its own, a part that is not used."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.a, self.b, self.c, self.how = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 3), how

    def forward(self, x: Tensor) -> Any:
        h = self.a(x).relu()
        if self.how == "shortcut":
            h = h + self.b(h)
        if self.how == "twice":
            h = self.b(self.b(h))
        if self.how == "noise":
            h = self.b(h + torch.randn_like(h))
        if self.how == "scaled":
            h = self.b(h * 2)
        if self.how == "detached":
            h = self.b(h.detach())
        if self.how == "read twice":
            h = self.b(h)
            return self.c(h * h.sigmoid())
        if self.how == "by numbers":
            h = self.b(h) if float(h.sum()) > 0 else h
        return self.c(h)


class OtherNorm(nn.LayerNorm):
    """A normalization that only its name says is another."""


def two_axes() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 6), nn.Unflatten(1, (2, 3)), nn.LayerNorm([2, 3]), nn.Flatten(), nn.Linear(6, 3))


def inner_flatten() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 6), nn.Flatten(0), nn.Linear(6, 3))


HOWS = ("shortcut", "twice", "noise", "scaled", "detached", "read twice", "by numbers", "unused")
MORE: list[Callable[[], nn.Module]] = [
    *(partial(Branching, how) for how in HOWS),
    *(partial(Remembering, where) for where in ("attribute", "buffer")),
    lambda: nn.Sequential(nn.Linear(5, 6), OtherNorm(6), nn.Linear(6, 3)),
    two_axes,
    inner_flatten,
    lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(5, 6)), nn.ReLU(), nn.Linear(6, 3)),
    lambda: nn.Sequential(nn.utils.spectral_norm(nn.Linear(5, 6)), nn.ReLU(), nn.Linear(6, 3)),
]


@pytest.mark.parametrize("factory", MORE)
def test_what_is_more_than_a_chain_is_not_plain(factory: Callable[[], nn.Module]) -> None:
    assert not perceptron_layers(Network(factory(), torch.device("cpu")), Data(*data()))


def test_a_model_that_remembers_nothing_is_plain() -> None:
    assert perceptron_layers(Network(Remembering("nowhere"), torch.device("cpu")), Data(*data()))


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


def paper() -> nn.Module:
    return break_(NormedMLP(7, 3, 5), WAsymmetric(seed=3)).model


@pytest.mark.parametrize("factory", [perceptron, hooked, replaced, frozen, paper, lambda: Twice(*perceptron())])
def test_whatever_it_is_the_network_is_the_same(factory: Callable[[], nn.Module]) -> None:
    plan = TrainingPlan(epochs=3, batch=16, rate=1e-2, decay=0.1)
    many = train_population(factory, *data(), seeds=(0, 1, 2), plan=plan, way="vmap")
    for seed, params in enumerate(many.params):
        for name, value in alone(factory, seed, plan, *data()).state_dict().items():
            torch.testing.assert_close(params[name], value, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_both_ways_take_the_same_steps(optimizer: Any) -> None:
    """In double precision, with decay, which moves what is stored behind constants: they are in place at the end."""
    plan = TrainingPlan(epochs=2, batch=16, rate=3e-2, decay=0.1, optimizer=optimizer, smoothing=0.1)
    x, y = data()

    def factory() -> nn.Module:
        return break_(NormedMLP(7, 3, 5), WAsymmetric(seed=3)).model.double()

    run = partial(train_population, factory, x.double(), y, seeds=(0, 1, 2), plan=plan)
    together, alone = run(way="vmap"), run(way="loop")
    for one, other in zip(together.params, alone.params, strict=True):
        for name, value in one.items():
            torch.testing.assert_close(value, other[name], rtol=1e-9, atol=1e-11)
        model = factory()
        model.load_state_dict(one)
        assert all(torch.equal(x, one[name]) for name, x in model.state_dict().items())


def test_networks_with_other_constants_are_refused() -> None:
    seeds = iter(range(9))
    with pytest.raises(BadInputError, match="network 1 was broken with other constants than the first"):
        train_population(
            lambda: break_(perceptron(), WAsymmetric(seed=next(seeds))).model, *data(), seeds=(0, 1), plan=TrainingPlan(epochs=1)
        )


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
