"""Train many networks of one architecture at once."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from parasym.core import BadInputError
from parasym.population.augment import Augment
from parasym.population.data import Inputs
from parasym.population.here import Advance, train_here
from parasym.population.objective import Loss
from parasym.population.plan import TrainingPlan, plan_per_seed
from parasym.population.scale import train_on_ray
from parasym.population.value import Population, Way


def train_population(
    factory: Callable[[], nn.Module],
    x: Inputs,
    y: Tensor,
    *,
    seeds: Sequence[int],
    plan: TrainingPlan | Sequence[TrainingPlan] = TrainingPlan(),
    loss: Loss = cross_entropy,
    augment: Augment | None = None,
    way: Literal["auto", "vmap", "loop"] | Way = "auto",
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
        x: Training inputs of shape ``[n, ...]``, several such tensors as a tuple if the model takes several, or a `FullBatch`.
        y: Labels, of shape ``[n, ...]``, on the same device; the networks are trained there.
        seeds: One per network.
        plan: Optimizer and schedule, one for all or one per seed; batch, optimizer, momentum and precision must agree.
        loss: Mean loss of outputs and labels of one batch.
        augment: Takes the first input of a batch and a generator on the CPU. See `RandomCrop`, `RandomFlip`, `Chain`.
        way: ``"auto"`` measures a few steps of each; ``"vmap"`` and ``"loop"`` are followed, and so is a `Way` of an earlier
            population.
        checkpoint: File to write after every epoch. If it is there, training goes on where it stopped, and ends with the very
            numbers it would have had on the same machine.
        rows: File to append one line of JSON to per network and epoch.
        address: Of a Ray cluster, ``"auto"`` for the one this machine belongs to, ``"local"`` for one of this machine's own: the
            seeds are shared out among its workers. Needs the extra ``scale``.
        advance: Called with the number of finished epochs since its last call.

    Returns:
        The networks, their history, and which of them diverged.

    Raises:
        BadInputError: If ``seeds`` is empty or has repetitions, if plans cannot be trained together, if inputs and labels do not
            fit, or if ``vmap`` is wanted and impossible.
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
    seeds = tuple(int(seed) for seed in seeds)
    if not seeds or len(set(seeds)) != len(seeds):
        raise BadInputError(f"Argument `seeds` must be different numbers, at least one, but is {seeds}.")
    plans = plan_per_seed(plan, seeds)
    if address is not None:
        return train_on_ray(
            factory, x, y, seeds=seeds, plan=plans, loss=loss, augment=augment, way=way,
            checkpoint=checkpoint, rows=rows, address=address, advance=advance,
        )  # fmt: skip
    return train_here(
        factory, x, y, seeds=seeds, plan=plans, loss=loss, augment=augment, way=way,
        checkpoint=checkpoint, rows=rows, advance=advance,
    )[0]  # fmt: skip
