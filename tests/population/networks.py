"""Small networks, data and the plainest training loop there is, which populations are compared with."""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import parametrize

from parasym.core import child_generator, child_seed
from parasym.population import TrainingPlan
from parasym.population.plan import rate_factor


def data(n: int = 60) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 5, generator=generator)
    return x, (x[:, 0] > x[:, 1]).long() + (x[:, 2] > 1).long()


def images(n: int = 24) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, 2, 6, 6, generator=generator), torch.randint(3, (n,), generator=generator)


def perceptron() -> nn.Sequential:
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3))


def normalized() -> nn.Module:
    # No bias: its gradient before a normalization is rounding error, which Adam blows up.
    return nn.Sequential(nn.Linear(5, 7, bias=False), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 3))


def convolutional() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.GroupNorm(1, 4), nn.GELU(), nn.Flatten(), nn.Linear(64, 3))


def dropping() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Dropout(0.5), nn.Linear(7, 3))


class Mask(nn.Module):
    """Some entries of a weight are fixed numbers, as in an asymmetric layer."""

    mask: Tensor
    constant: Tensor

    def __init__(self, shape: torch.Size) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(9)
        self.register_buffer("mask", torch.rand(shape, generator=generator) < 0.4)
        self.register_buffer("constant", torch.randn(shape, generator=generator))

    def forward(self, weight: Tensor) -> Tensor:
        return torch.where(self.mask, self.constant, weight)


def masked() -> nn.Sequential:
    model = perceptron()
    for layer in (model[0], model[2]):
        assert isinstance(layer, nn.Linear)
        parametrize.register_parametrization(layer, "weight", Mask(layer.weight.shape))
    return model


class Counting(nn.Module):
    """Scales its output by how often it was called: vmap must not share the counter."""

    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.inner = perceptron()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.inner(x) / (1 + 0.1 * self.calls)


class GraphNet(nn.Module):
    """Mean over neighbours, twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        n = len(x)
        adjacent = torch.zeros(n, n, dtype=x.dtype).index_put((edges[0], edges[1]), torch.ones(edges.shape[1], dtype=x.dtype))
        adjacent = adjacent + torch.eye(n, dtype=x.dtype)
        return adjacent @ self.second((adjacent @ self.first(x)).relu())


def alone(
    factory: Callable[[], nn.Module],
    seed: int,
    plan: TrainingPlan,
    x: Tensor,
    y: Tensor,
    *,
    change: Callable[[Tensor, torch.Generator], Tensor] | None = None,
) -> nn.Module:
    """Return one network, trained by a plain loop with torch.optim."""
    torch.manual_seed(child_seed(seed, "initial weights"))
    model = copy.deepcopy(factory()).train()
    optimizer = optimizer_of(plan, list(model.parameters()))
    order, step = child_generator(seed, "order"), 0
    for epoch in range(plan.epochs):
        augmenting = child_generator(seed, f"augment {epoch}")
        batches = torch.randperm(len(x), generator=order).split(plan.batch)
        for index in batches:
            for group in optimizer.param_groups:
                group["lr"] = plan.rate * rate_factor(plan, step, len(batches))
            optimizer.zero_grad()
            inputs = x[index] if change is None else change(x[index], augmenting)
            cross_entropy(model(inputs), y[index], label_smoothing=plan.smoothing).backward()
            optimizer.step()
            step += 1
    return model


def optimizer_of(plan: TrainingPlan, params: Sequence[Tensor]) -> torch.optim.Optimizer:
    """Return the optimizer of torch that a plan names."""
    if plan.optimizer == "sgd":
        return torch.optim.SGD(
            params, lr=plan.rate, weight_decay=plan.decay, momentum=plan.momentum, nesterov=plan.nesterov, foreach=False
        )
    kind = torch.optim.AdamW if plan.optimizer == "adamw" else torch.optim.Adam
    return kind(params, lr=plan.rate, weight_decay=plan.decay, foreach=False)
