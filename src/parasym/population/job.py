"""What is asked of a training, apart from where it runs and what it writes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor, nn

from parasym.core import Params
from parasym.population.augment import Augment
from parasym.population.data import Data
from parasym.population.objective import Loss
from parasym.population.plan import TrainingPlan
from parasym.population.value import Record, Way


@dataclass(frozen=True)
class StepReport:
    """What a hook is told after a step.

    Attributes:
        epoch: From 0.
        step: Of the epoch, from 0.
        seeds: Of the networks that took it: several with vmap, one in a loop.
        losses: Of their batches, before the step, of shape ``[len(seeds)]``.
    """

    epoch: int
    step: int
    seeds: tuple[int, ...]
    losses: Tensor


@dataclass(frozen=True)
class EpochReport:
    """What a hook is told after an epoch.

    Attributes:
        epoch: From 0.
        records: One per network that was trained.
        networks: Returns a copy of parameters and buffers of all networks as they are when it is called, with running statistics
            of the training set: call it inside the hook. It costs a pass over the training set where there are statistics.
    """

    epoch: int
    records: tuple[Record, ...]
    networks: Callable[[], list[Params]] = field(compare=False, repr=False)


@dataclass(frozen=True)
class Hooks:
    """Functions to call while networks train; what they return is not looked at.

    Attributes:
        step: Called after every step.
        epoch: Called after every epoch.
    """

    step: Callable[[StepReport], object] | None = None
    epoch: Callable[[EpochReport], object] | None = None


NO_HOOKS = Hooks()


@dataclass(frozen=True)
class Job:
    """Networks to train; the arguments of `train_population` after they were checked.

    Attributes:
        factory: Builds a network.
        data: What they are trained on.
        seeds: One per network.
        plans: One per network.
        loss: Mean loss of outputs and labels.
        augment: Changes the first input of every batch.
        way: Together or in a loop.
        validation: What they are judged by after every epoch.
        hooks: Whom to tell.
    """

    factory: Callable[[], nn.Module]
    data: Data
    seeds: tuple[int, ...]
    plans: tuple[TrainingPlan, ...]
    loss: Loss
    augment: Augment | None = None
    way: Literal["auto", "vmap", "loop"] | Way = "auto"
    validation: Data | None = None
    hooks: Hooks = NO_HOOKS
