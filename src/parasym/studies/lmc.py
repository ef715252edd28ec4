"""Linear mode connectivity of standard, matched and asymmetric networks: settings, tasks, and what one task measures."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import torch

from parasym.core import BadInputError, child_seed
from parasym.population import TrainingPlan, train_population
from parasym.studies.lmc_early import EarlyPair
from parasym.studies.lmc_measure import Pair, measure_pair
from parasym.studies.lmc_summary import summarize_lmc
from parasym.studies.paper_network import Data, augmentation, examples, network_named, to_device
from parasym.studies.row import Record
from parasym.studies.study import Study
from parasym.studies.task import AbstractTask
from parasym.studies.variant import variant_named


@dataclass(frozen=True)
class LmcTask(AbstractTask):
    """Two networks trained apart, and the segment between them.

    Attributes:
        architecture: Name of the network.
        data: Name of the source.
        train: How many train examples; ``None`` for all.
        test: How many test examples; ``None`` for all.
        variant: What is done to the network before it is trained.
        pair: Number of the pair; networks of different pairs have nothing in common, not even what is frozen.
        width: Multiple of the paper's width.
        points: Points along the segment, with both ends; odd.
        swaps: Exchanges of neurons that are tried per network; 0 for none.
        plan: How both are trained.
        matched_loss: Train loss at which pairs of all variants are compared too: they are measured after the first epoch in
            which that of both networks was below it. ``None`` for the end alone.
    """

    architecture: str
    data: str
    train: int | None
    test: int | None
    variant: str
    pair: int
    width: float
    points: int
    swaps: int
    plan: TrainingPlan
    matched_loss: float | None = None

    @property
    def seed(self) -> int:
        """The seed of the first network; the second has the next one."""
        return 2 * self.pair

    @property
    def data_key(self) -> tuple[str, int | None, int | None]:
        """The data that is read."""
        return self.data, self.train, self.test


@dataclass(frozen=True)
class LmcSettings:
    """One architecture of a preset.

    Attributes:
        architecture: Name of the network.
        data: Name of the source.
        train: How many train examples; ``None`` for all.
        test: How many test examples; ``None`` for all.
        variants: What is done to the network.
        pairs: Pairs of every variant.
        width: Multiple of the paper's width.
        points: Points along the segment.
        swaps: Exchanges of neurons that are tried per network.
        plan: How networks are trained.
        sigma_rate: Peak rate of sigma-asymmetric networks, which the paper lowers for residual ones; ``None`` for the plan's.
        matched_loss: Train loss at which pairs of all variants are compared too; ``None`` for the end alone.
    """

    architecture: str
    data: str
    train: int | None
    test: int | None
    variants: tuple[str, ...]
    pairs: int
    width: float
    points: int
    swaps: int
    plan: TrainingPlan
    sigma_rate: float | None = None
    matched_loss: float | None = None


def lmc_tasks(settings: LmcSettings) -> tuple[LmcTask, ...]:
    """Return the tasks of one architecture: the first pair of every variant, then the second ones.

    Args:
        settings: The architecture.

    Raises:
        BadInputError: If a name is unknown, or the number of pairs or points makes no sense.
    """
    network_named(settings.architecture)
    for name in settings.variants:
        variant_named(name)
    if settings.pairs < 1 or settings.points < 3 or settings.points % 2 == 0 or settings.swaps < 0 or settings.width <= 0:
        raise BadInputError(
            f"Study `lmc` needs at least one pair, an odd number of points from 3 on, no negative number of swaps and a positive"
            f" width, but got pairs={settings.pairs}, points={settings.points}, swaps={settings.swaps}, width={settings.width}."
        )
    shared = {k: v for k, v in asdict(settings).items() if k not in {"variants", "pairs", "plan", "sigma_rate"}}
    return tuple(
        LmcTask(**shared, variant=variant, pair=pair, plan=_plan(settings, variant))
        for pair in range(settings.pairs)
        for variant in settings.variants
    )


def run_lmc(task: LmcTask, data: Data, device: str) -> Sequence[Record]:
    """Train a pair and return one record per method: as it is, and matched where the variant is.

    Args:
        task: The pair.
        data: Its data.
        device: Where to train.

    Returns:
        The records.

    Raises:
        BadInputError: If both networks of the pair are the same, since nothing random tells them apart.
    """
    network, variant = network_named(task.architecture), variant_named(task.variant)
    frozen = child_seed(task.pair, f"frozen {task.architecture}")
    local = to_device(data, device)

    def factory():  # noqa: ANN202 (a module)
        return network.on(variant.make(network, data, task.width, frozen), data)

    x, y, _, _ = examples(local)
    # Fixed and not measured: vmap and a loop round differently, and the same task has to give the same numbers.
    seeds, augment, early = (task.seed, task.seed + 1), augmentation(network, data), EarlyPair(task.matched_loss)
    found = train_population(
        factory, x, y, seeds=seeds, plan=task.plan, augment=augment, way="loop", on_epoch=early.look
    )  # fmt: skip
    if all(torch.equal(x, found.params[1][n]) for n, x in found.params[0].items()):
        raise BadInputError(
            f"The two networks of variant `{task.variant}` of `{task.architecture}` are the same: they start alike, and nothing "
            "in their training differs where the batch is all examples. Leave the variant out, or take a smaller batch."
        )
    model = factory().to(device).eval()
    (a, b), (start, other) = found.params, found.initial
    pair = Pair(model, a, b, any(found.diverged), (start, other))
    records = measure_pair(pair, local, variant, points=task.points, swaps=task.swaps, seed=task.pair)
    return records if early.networks is None else early.added(records, model, local, variant)


def _plan(settings: LmcSettings, variant: str) -> TrainingPlan:
    if variant == "sigma" and settings.sigma_rate is not None:
        return replace(settings.plan, rate=settings.sigma_rate)
    return settings.plan


MLP_PLAN = TrainingPlan(epochs=25, batch=64, rate=1e-3, decay=0.03, schedule="constant")
RESNET_PLAN = TrainingPlan(epochs=100, batch=128, rate=1e-2, decay=0.0, schedule="exponential", warm_up=20)
GRAPH_PLAN = TrainingPlan(epochs=500, batch=10**6, rate=1e-3, decay=0.0, optimizer="adam", schedule="constant", warm_up=25)
"""Those of the paper; a graph's batch is all its train nodes."""

MATCHED = {"mlp": 0.3, "graph": 0.5, "resnet20": 0.5, "cifar10": 1.7}
"""Train losses that networks of every variant reach, early enough that epochs are left."""

ANCHORS = ("w-zero", "w", "anchor", "shared-start")
"""What tells a broken symmetry from a start that is shared."""

ALL = ("standard", "sigma", *ANCHORS, "as-many", "half")
SWEEP = ("standard", "sigma", "w-zero", "w-0.1", "w-0.3", "w", "w-3", "anchor", "shared-start", "as-many", "half", "kaiming")
GRAPH = tuple(name for name in ALL if name != "shared-start")
"""Its batch is all train nodes, so two networks that start alike stay the same."""
RESIDUAL = ("standard", "sigma", *ANCHORS, "as-many", "kaiming")

LMC = Study(
    name="lmc",
    title="Linear mode connectivity",
    version=3,
    paper="Lim et al. The empirical impact of neural parameter symmetries, or lack thereof. NeurIPS 2024, section 5.1",
    presets={
        "tiny": (
            LmcSettings(
                "mlp",
                "digits",
                400,
                200,
                ("standard", "sigma", *ANCHORS),
                2,
                1 / 16,
                5,
                2,
                TrainingPlan(epochs=4, batch=100, rate=3e-3),
                matched_loss=2.0,
            ),
        ),
        "small": (
            LmcSettings(
                "mlp", "digits", None, None, SWEEP, 10, 96 / 512, 11, 4, replace(MLP_PLAN, epochs=20), matched_loss=MATCHED["mlp"]
            ),
            LmcSettings(
                "mlp", "mnist5k", 2000, None, ALL, 10, 1.0, 11, 4, replace(MLP_PLAN, epochs=15), matched_loss=MATCHED["mlp"]
            ),
            LmcSettings(
                "graph",
                "blocks",
                None,
                None,
                GRAPH,
                10,
                1.0,
                11,
                0,
                replace(GRAPH_PLAN, epochs=100),
                matched_loss=MATCHED["graph"],
            ),
            LmcSettings(
                "resnet20",
                "digits",
                None,
                None,
                RESIDUAL,
                10,
                1.0,
                11,
                0,
                replace(RESNET_PLAN, epochs=12, warm_up=4),
                sigma_rate=1e-3,
                matched_loss=MATCHED["resnet20"],
            ),
            LmcSettings(
                "resnet20",
                "cifar10",
                5000,
                2000,
                ("standard", *ANCHORS),
                3,
                1.0,
                5,
                0,
                TrainingPlan(epochs=16, batch=32, rate=2e-3, decay=0.0, warm_up=1),
                matched_loss=MATCHED["cifar10"],
            ),
        ),
        "paper": (
            LmcSettings("mlp", "fashion", None, None, (*ALL, "double"), 5, 1.0, 25, 50, MLP_PLAN),
            LmcSettings(
                "resnet20", "cifar10", None, None, (*ALL, "double", "kaiming"), 5, 1.0, 25, 0, RESNET_PLAN, sigma_rate=1e-3
            ),
            # Its first layer is frozen as a whole, and would be zero in `w-zero`.
            LmcSettings(
                "resnet20",
                "cifar10",
                None,
                None,
                tuple(name for name in RESIDUAL if name != "w-zero"),
                5,
                8.0,
                25,
                0,
                replace(RESNET_PLAN, epochs=50),
                sigma_rate=1e-3,
            ),
            LmcSettings("graph", "blocks", None, None, (*GRAPH, "double"), 5, 1.0, 25, 0, GRAPH_PLAN),
        ),
    },
    tasks=lmc_tasks,
    run=run_lmc,
    summarize=summarize_lmc,
    controls=("as-many", "half", "double"),
)
