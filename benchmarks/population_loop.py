"""``train_population`` beside a plain loop over the networks with torch.optim."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.measure import Row, side_by_side
from parasym.breaking import WAsymmetric, break_
from parasym.population import Population, TrainingPlan, train_population

KINDS: dict[str, Callable[[int], list[nn.Module]]] = {
    "relu": lambda _: [nn.ReLU()],
    "gelu": lambda _: [nn.GELU()],
    "layer-norm": lambda width: [nn.LayerNorm(width), nn.GELU()],
    "w-asymmetric": lambda width: [nn.LayerNorm(width), nn.GELU()],
}
"""What stands between the linear layers of a perceptron; one kind is broken by ``break_`` as well."""
OURS, PLAIN = "parasym.train_population", "loop with torch.optim"


@dataclass(frozen=True)
class Task:
    """What to measure.

    Attributes:
        cases: Sizes of the layers of a perceptron, perhaps after its kind in `KINDS`, or ``cnn``.
        networks: Perceptrons at once.
        examples: Of the training set.
        epochs: Passes over them.
        batch: Examples per step.
        cnn_networks: Convolutional networks at once.
        cnn_examples: Images of the training set.
        cnn_batch: Images per step.
        n: Repetitions.
    """

    cases: tuple[str, ...] = (
        *("784-16-16-10", "64-32-32-10", "784-64-64-10"),
        *("gelu 784-16-16-10", "layer-norm 784-16-16-10", "w-asymmetric 784-16-16-10", "cnn"),
    )
    networks: int = 64
    examples: int = 2048
    epochs: int = 5
    batch: int = 32
    cnn_networks: int = 8
    cnn_examples: int = 512
    cnn_batch: int = 64
    n: int = 3


TINY = Task(
    cases=("8-4-3", "layer-norm 8-4-3", "w-asymmetric 8-4-3", "cnn"),
    networks=3,
    examples=32,
    epochs=1,
    batch=16,
    cnn_networks=2,
    cnn_examples=16,
    cnn_batch=8,
    n=1,
)


def run(task: Task) -> list[Row]:
    """Return the times of both, and how ours was trained."""
    rows: list[Row] = []
    for case in task.cases:
        rows += _compare(case, task)
    return rows


def perceptron(kind: str, sizes: tuple[int, ...]) -> nn.Module:
    layers: list[nn.Module] = []
    between = KINDS[kind]
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b), *between(b)]
    model = nn.Sequential(*layers[: -len(between(1))])
    return break_(model, WAsymmetric(distinct=False)).model if kind == "w-asymmetric" else model


def convolutional() -> nn.Module:
    """Compute-bound: nearly all its time is in its convolutions."""
    layers: list[nn.Module] = []
    for a, b, stride in ((3, 16, 1), (16, 32, 2), (32, 64, 2)):
        layers += [nn.Conv2d(a, b, 3, stride=stride, padding=1, bias=False), nn.GroupNorm(1, b), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def plain(factory, x: Tensor, y: Tensor, *, seeds: range, plan: TrainingPlan) -> list[nn.Module]:
    """Return networks trained one after the other, the way everybody writes it."""
    models = []
    for seed in seeds:
        torch.manual_seed(seed)
        model = factory()
        optimizer = torch.optim.AdamW(model.parameters(), lr=plan.rate, weight_decay=plan.decay)
        steps = plan.epochs * -(-len(x) // plan.batch)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        for _ in range(plan.epochs):
            for index in torch.randperm(len(x)).split(plan.batch):
                optimizer.zero_grad()
                cross_entropy(model(x[index]), y[index]).backward()
                optimizer.step()
                schedule.step()
        models.append(model)
    return models


def _compare(case: str, task: Task) -> list[Row]:
    generator = torch.Generator().manual_seed(0)
    if case == "cnn":
        factory, networks, title = convolutional, task.cnn_networks, f"{task.cnn_networks} CNNs 3x32x32, batch {task.cnn_batch}"
        x = torch.randn(task.cnn_examples, 3, 32, 32, generator=generator)
        plan = TrainingPlan(epochs=task.epochs, batch=task.cnn_batch)
    else:
        kind, _, numbers = case.rpartition(" ")
        sizes = tuple(map(int, numbers.split("-")))
        factory, networks = partial(perceptron, kind or "relu", sizes), task.networks
        title = f"{task.networks} MLPs {case}, batch {task.batch}"
        x = torch.randn(task.examples, sizes[0], generator=generator)
        plan = TrainingPlan(epochs=task.epochs, batch=task.batch)
    y = torch.randint(3, (len(x),), generator=generator)
    found: list[Population] = []
    runs = {
        OURS: lambda: found.append(train_population(factory, x, y, seeds=range(networks), plan=plan)),
        PLAIN: lambda: plain(factory, x, y, seeds=range(networks), plan=plan),
    }
    ours, loop = side_by_side(title, runs, n=task.n, patience=60.0)
    return [Row(ours.case, ours.contender, ours.quantity, ours.values, ours.ratio, str(found[-1].way)), loop]
