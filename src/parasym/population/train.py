"""Train many networks of one architecture at once."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from parasym.core import BadInputError
from parasym.core.arguments import as_factory
from parasym.population.augment import Augment
from parasym.population.data import Data, Inputs
from parasym.population.here import Advance, train_here
from parasym.population.job import EpochReport, Hooks, Job, StepReport
from parasym.population.objective import Loss
from parasym.population.plan import TrainingPlan, plan_per_seed
from parasym.population.scale import train_on_ray
from parasym.population.source import as_data
from parasym.population.value import Population, Way


def train_population(
    factory: Callable[[], nn.Module],
    x: Inputs | Any,
    y: Tensor | Any = None,
    *,
    seeds: Sequence[int],
    plan: TrainingPlan | Sequence[TrainingPlan] = TrainingPlan(),
    loss: Loss = cross_entropy,
    augment: Augment | None = None,
    validation: Any = None,
    device: torch.device | str | None = None,
    way: Literal["auto", "vmap", "loop"] | Way = "auto",
    on_step: Callable[[StepReport], object] | None = None,
    on_epoch: Callable[[EpochReport], object] | None = None,
    checkpoint: str | Path | None = None,
    rows: str | Path | None = None,
    address: str | None = None,
    advance: Advance | None = None,
) -> Population:
    """Return one trained network per seed.

    A seed decides the initial weights, the order of the examples, the augmentation and dropout. It decides them alone: up to
    rounding, a network does not depend on which others are trained beside it. All networks take their steps together by
    ``vmap`` over their stacked parameters, unless a loop is measured to be faster, or vmap cannot do it (random numbers in the
    forward pass, values read by Python, buffers that it changes); ``Population.way`` says which and why. Networks whose plan
    has fewer epochs, and those that diverge, stand still while the others go on.

    Batch normalization uses the statistics of the batch while training; its running statistics are the average over the
    training set afterwards. The mean of a batch's losses is the mean of the networks' own; no network sees another's gradient.

    Args:
        factory: Builds a network; initial weights come from torch's global generator, which is seeded and restored.
        x: Training inputs of shape ``[n, ...]``, tensors or arrays, several as a tuple if the model takes several; a
            `FullBatch`; or a ``Dataset`` or ``DataLoader`` of pairs of inputs and label, which is read once.
        y: Labels, of shape ``[n, ...]``; ``None`` where ``x`` has them.
        seeds: One per network.
        plan: Optimizer and schedule, one for all or one per seed; batch, optimizer, momentum and precision must agree.
        loss: Mean loss of outputs and labels of one batch.
        augment: Takes the first input of a batch and a generator on the CPU. See `RandomCrop`, `RandomFlip`, `Chain`.
        validation: A set to judge by after every epoch, ``(x, y)`` or a ``Dataset`` or ``DataLoader``. See ``patience`` of
            `TrainingPlan` for early stopping, ``Population.best`` and ``Population.validation_losses``.
        device: Where to train; where the data lies if ``None``.
        way: ``"auto"`` measures a few steps of each; ``"vmap"`` and ``"loop"`` are followed, and so is a `Way` of an earlier
            population.
        on_step: Called after every step with a `StepReport`: epoch, step, seeds and losses.
        on_epoch: Called after every epoch with an `EpochReport`: epoch, records, and the networks as they are.
        checkpoint: File to write after every epoch, with ``NAME.history`` beside it. If it is there, training goes on where it
            stopped, and ends with the very numbers it would have had on the same machine.
        rows: File to append one line of JSON to per network and epoch.
        address: Of a Ray cluster, ``"auto"`` for the one this machine belongs to, ``"local"`` for one of this machine's own: the
            seeds are shared out among its workers, on its GPUs if it has any and ``device`` is ``None``. Needs the extra
            ``scale``.
        advance: Called with the number of finished epochs since its last call.

    Returns:
        The networks, their history, and which of them diverged.

    Raises:
        BadInputError: If ``seeds`` is empty or has repetitions, if plans cannot be trained together, if inputs, labels, model
            and loss do not fit, or if ``vmap`` is wanted and impossible.
        CheckpointError: If the checkpoint is damaged or belongs to another task.

    Example:
        >>> x, y = torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1])
        >>> plan = TrainingPlan(epochs=200, batch=2, rate=0.1, decay=0.0)
        >>> found = train_population(lambda: nn.Linear(1, 2), x, y, seeds=(0, 1), plan=plan)
        >>> a, b = found.params
        >>> (x @ a["weight"].T + a["bias"]).argmax(dim=1), (x @ b["weight"].T + b["bias"]).argmax(dim=1)
        (tensor([0, 1]), tensor([0, 1]))
        >>> bool((a["weight"] == b["weight"]).any())
        False

        A rate far too high is counted, not hidden:

        >>> wild = TrainingPlan(epochs=3, batch=2, rate=1e30, decay=1.0, optimizer="sgd")
        >>> tame = TrainingPlan(epochs=3, batch=2, rate=0.1, optimizer="sgd")
        >>> found = train_population(lambda: nn.Linear(1, 2), x, y, seeds=(0, 1), plan=[tame, wild])
        >>> found.diverged, [record.epoch for record in found.history if record.seed == 1]
        ((False, True), [0, 1])
    """
    factory = as_factory(factory, "train_population(factory, x, y, seeds=seeds)")
    seeds = tuple(int(seed) for seed in seeds)
    if not seeds or len(set(seeds)) != len(seeds):
        raise BadInputError(f"Argument `seeds` must be different numbers, at least one, but is {seeds}.")
    plans = plan_per_seed(plan, seeds)
    if validation is None and any(p.patience for p in plans):
        raise BadInputError("Field `patience` waits for a validation loss to fall: give `validation` too.")
    home = device if address is None else None  # a cluster may have devices that this machine lacks
    job = Job(
        factory=factory,
        data=as_data(x, y, batch=plans[0].batch, device=home),
        seeds=seeds,
        plans=plans,
        loss=loss,
        augment=augment,
        way=way,
        validation=_validation(validation, home),
        hooks=Hooks(on_step, on_epoch),
    )
    if address is not None:
        return train_on_ray(job, checkpoint=checkpoint, rows=rows, address=address, advance=advance, device=device)
    return train_here(job, checkpoint=checkpoint, rows=rows, advance=advance)[0]


def _validation(given: Any, device: torch.device | str | None) -> Data | None:
    if given is None:
        return None
    x, y = given if isinstance(given, tuple) and len(given) == 2 else (given, None)
    return as_data(x, y, what="validation", device=device)
