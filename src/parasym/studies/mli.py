"""Monotonic linear interpolation from initial to trained weights: settings, tasks, and what one task measures."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from parasym.core import BadInputError, Params, child_generator, child_seed
from parasym.functional.statistics import has_statistics
from parasym.landscape import Curve, path
from parasym.population import TrainingPlan, train_population
from parasym.studies.mli_summary import summarize_mli
from parasym.studies.paper_network import Data, augmentation, examples, network_named, to_device
from parasym.studies.row import Record
from parasym.studies.study import Study
from parasym.studies.task import AbstractTask
from parasym.studies.variant import variant_named


@dataclass(frozen=True)
class Sampling:
    """The distributions that the plan of every network is drawn from: those of the paper, but for the epochs of a small preset.

    Attributes:
        top_rate: Rates are ``top_rate`` times ten to minus ``U(0, decades)``.
        decades: See ``top_rate``.
        least_decay: Weight decays are ten to minus ``U(least_decay, most_decay)``.
        most_decay: See ``least_decay``.
        smoothing: Label smoothing is ``U(0, smoothing)``.
        first_epochs: Epochs are an integer from ``first_epochs`` to ``last_epochs``, both included.
        last_epochs: See ``first_epochs``.
        warm_up: Epochs until the triangular rate is at its top.
        batch: Examples per step.
        optimizer: For all.
    """

    top_rate: float = 0.5
    decades: float = 2.0
    least_decay: float = 1.0
    most_decay: float = 5.0
    smoothing: float = 0.2
    first_epochs: int = 10
    last_epochs: int = 40
    warm_up: float = 5.0
    batch: int = 512
    optimizer: str = "adamw"

    def plan(self, seed: int) -> TrainingPlan:
        """Return the plan that a seed draws.

        Args:
            seed: Of the network.

        Example:
            >>> plan = Sampling().plan(0)
            >>> plan.epochs, f"{plan.rate:.4f} {plan.decay:.1e} {plan.smoothing:.3f}"
            (10, '0.0059 5.4e-04 0.125')
        """
        u = torch.rand(4, generator=child_generator(seed, "plan"), dtype=torch.float64).tolist()
        return TrainingPlan(
            epochs=self.first_epochs + math.floor(u[3] * (self.last_epochs - self.first_epochs + 1)),
            batch=self.batch,
            rate=self.top_rate * 10 ** (-self.decades * u[0]),
            decay=10 ** -(self.least_decay + (self.most_decay - self.least_decay) * u[1]),
            optimizer=self.optimizer,  # pyright: ignore[reportArgumentType]
            schedule="triangular",
            warm_up=min(self.warm_up, self.first_epochs / 2),
            smoothing=self.smoothing * u[2],
        )


@dataclass(frozen=True)
class MliTask(AbstractTask):
    """Some networks of one architecture, each with a plan of its own.

    Attributes:
        architecture: Name of the network.
        data: Name of the source.
        train: How many train examples; ``None`` for all.
        test: How many test examples; ``None`` for all.
        variant: What is done to the network before it is trained.
        first: Seed of the first network.
        count: How many networks.
        draw: Number of what they share, such as what is frozen; tasks of other draws share nothing.
        width: Multiple of the width.
        points: Points along the segment, with both ends.
        sampling: Where the plans come from.
    """

    architecture: str
    data: str
    train: int | None
    test: int | None
    variant: str
    first: int
    count: int
    draw: int
    width: float
    points: int
    sampling: Sampling

    @property
    def seed(self) -> int:
        """The seed of the first network."""
        return self.first

    @property
    def data_key(self) -> tuple[str, int | None, int | None]:
        """The data that is read."""
        return self.data, self.train, self.test


@dataclass(frozen=True)
class MliSettings:
    """One architecture of a preset.

    Attributes:
        architecture: Name of the network.
        data: Name of the source.
        train: How many train examples; ``None`` for all.
        test: How many test examples; ``None`` for all.
        variants: What is done to the network.
        networks: Networks of every variant.
        chunk: Networks per task, which share one draw of what is frozen: there are ``networks / chunk`` draws.
        width: Multiple of the width.
        points: Points along the segment.
        sampling: Where the plans come from.
    """

    architecture: str
    data: str
    train: int | None
    test: int | None
    variants: tuple[str, ...]
    networks: int
    chunk: int
    width: float
    points: int
    sampling: Sampling


def mli_tasks(settings: MliSettings) -> tuple[MliTask, ...]:
    """Return the tasks of one architecture. Networks of the same seed have the same plan in every variant.

    Args:
        settings: The architecture.

    Raises:
        BadInputError: If a name is unknown, or a number makes no sense.
    """
    network_named(settings.architecture)
    for name in settings.variants:
        variant_named(name)
    if settings.networks < 1 or settings.chunk < 1 or settings.points < 5 or settings.points % 2 == 0 or settings.width <= 0:
        raise BadInputError(
            f"Study `mli` needs at least one network, chunks of at least one, an odd number of points from 5 on and a positive"
            f" width, but got networks={settings.networks}, chunk={settings.chunk}, points={settings.points},"
            f" width={settings.width}."
        )
    shared = {k: getattr(settings, k) for k in ("architecture", "data", "train", "test", "width", "points", "sampling")}
    return tuple(
        MliTask(**shared, variant=variant, first=first, count=min(settings.chunk, settings.networks - first), draw=draw)
        for draw, first in enumerate(range(0, settings.networks, settings.chunk))
        for variant in settings.variants
    )


def run_mli(task: MliTask, data: Data, device: str) -> Sequence[Record]:
    """Train the networks together and return one record for each.

    Args:
        task: The networks.
        data: Their data.
        device: Where to train.

    Returns:
        The records.
    """
    network, variant = network_named(task.architecture), variant_named(task.variant)
    frozen = child_seed(task.draw, f"frozen {task.architecture}")

    def factory() -> nn.Module:
        return network.on(variant.make(network, data, task.width, frozen), data)

    x, y, test_x, test_y = examples(to_device(data, device))
    seeds = tuple(range(task.first, task.first + task.count))
    plans = [task.sampling.plan(seed) for seed in seeds]
    # Fixed and not measured: vmap and a loop round differently, and the same task has to give the same numbers.
    way: Literal["vmap", "loop"] = "loop" if network.own or (network.augment and device == "cpu") else "vmap"
    found = train_population(factory, x, y, seeds=seeds, plan=plans, augment=augmentation(network, data), way=way)
    model = factory().to(device).eval()
    curves = path(
        model,
        found.initial,
        found.params,
        x,
        y,
        points=task.points,
        loss=[partial(cross_entropy, label_smoothing=plan.smoothing) for plan in plans],
        batch_size=len(x),
        statistics=[x] if has_statistics(model) else None,
    )
    records = []
    for k, seed in enumerate(seeds):
        finite = not found.diverged[k] and all(math.isfinite(v) for v in curves[k].loss)
        record: Record = {
            "method": task.variant,
            "diverged": not finite,
            "seed": seed,
            "draw": task.draw,
            "plan": asdict(plans[k]),
        }
        if finite:
            record |= _measured(curves[k], accuracy_on(model, found.params[k], test_x, test_y))
        records.append(record)
    return records


def _measured(curve: Curve, accuracy: float) -> Record:
    shape = curve.monotonicity
    return {
        "largest_rise": shape.rise,
        "monotonic": shape.monotonic,
        "local_convexity": shape.local_convexity,
        "global_convexity": shape.global_convexity,
        "first_loss": curve.loss[0],
        "last_loss": curve.loss[-1],
        "test_accuracy": accuracy,
        "t": list(curve.t),
        "loss": list(curve.loss),
    }


def accuracy_on(model: nn.Module, params: Params, x: Tensor, y: Tensor) -> float:
    """Return the share of test examples that a network gets right.

    Args:
        model: Its architecture, in eval mode.
        params: Its parameters and buffers.
        x: Test inputs.
        y: Their classes.
    """
    with torch.no_grad():
        out = torch.func.functional_call(model, params, (x,))
    return float((out.argmax(1) == y).double().mean())


VARIANTS = ("standard", "sigma", "w-zero", "w", "anchor")
"""A start that several networks share is nothing that the segment of one of them could tell."""

MLI = Study(
    name="mli",
    title="Monotonic linear interpolation",
    version=3,
    paper="Lim et al. The empirical impact of neural parameter symmetries, or lack thereof. NeurIPS 2024, section 5.4",
    presets={
        "tiny": (
            MliSettings(
                "small-mlp", "digits", 300, 100, VARIANTS, 6, 3, 0.5, 9, Sampling(first_epochs=2, last_epochs=6, batch=100)
            ),
        ),
        "small": (MliSettings("small-mlp", "digits", None, None, VARIANTS, 300, 10, 1.0, 25, Sampling(batch=128)),),
        # The first layer of its W-asymmetric network is frozen as a whole, and would be zero in `w-zero`.
        "paper": (
            MliSettings(
                "resnet8",
                "cifar10",
                None,
                None,
                tuple(name for name in VARIANTS if name != "w-zero"),
                300,
                10,
                1.0,
                25,
                Sampling(),
            ),
        ),
    },
    tasks=mli_tasks,
    run=run_mli,
    summarize=summarize_mli,
)
