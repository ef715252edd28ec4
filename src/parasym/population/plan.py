"""How a network is trained, and the learning rate at every step."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from parasym.core import BadInputError
from parasym.population.torch_rule import MakeOptimizer

OPTIMIZERS = ("adamw", "adam", "sgd")
PRECISIONS = ("float32", "bfloat16", "float16")


def _cosine(epoch: float, warm: float, epochs: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * (epoch - warm) / max(epochs - warm, 1e-9)))


def _constant(_epoch: float, _warm: float, _epochs: float) -> float:
    return 1.0


def _linear(epoch: float, warm: float, epochs: float) -> float:
    return (epochs - epoch) / max(epochs - warm, 1e-9)


SCHEDULES: dict[str, Callable[[float, float, float], float]] = {
    "cosine": _cosine,
    "constant": _constant,
    "linear": _linear,
    "triangular": _linear,
    "exponential": _constant,
}
"""What becomes of the rate after the warm-up, as a function of epoch, length of the warm-up and of the training."""


@dataclass(frozen=True)
class TrainingPlan:
    r"""How a network is trained.

    The rate at step :math:`k` of :math:`s` per epoch is ``rate`` times a factor. After the warm-up it is :math:`1`
    (``"constant"``, ``"exponential"``), :math:`\tfrac12(1+\cos(\pi u))` (``"cosine"``) or :math:`1-u` (``"linear"``, also called
    ``"triangular"``), where :math:`u` goes from 0 to 1. In the warm-up it is :math:`(k+1)/(w s)` for ``warm_up`` :math:`=w`
    epochs; ``"exponential"`` grows from ``start`` by the same factor every epoch, as ``start ** (1 - epoch / w)``.

    Attributes:
        epochs: Passes over the data.
        batch: Examples per step.
        rate: Peak learning rate.
        decay: Weight decay: decoupled for ``"adamw"``, a term of the gradient for ``"adam"`` and ``"sgd"``.
        optimizer: ``"adamw"``, ``"adam"`` or ``"sgd"``, or a function of a list of parameters that returns any
            ``torch.optim.Optimizer`` that works entry by entry, alone or with a schedule that takes a step after each of its
            steps; rate, decay, momentum and schedule are its own then.
        momentum: Of ``"sgd"``.
        nesterov: Whether the momentum is Nesterov's.
        schedule: ``"cosine"``, ``"constant"``, ``"linear"``, ``"triangular"`` or ``"exponential"``.
        warm_up: Epochs of warm-up; may be a fraction.
        start: First factor of an exponential warm-up.
        smoothing: Label smoothing of the cross-entropy.
        clip: Largest norm of a network's gradient over all parameters; longer ones are scaled down, as by
            ``torch.nn.utils.clip_grad_norm_``. ``None`` leaves them.
        patience: Epochs after which a network stops whose validation loss has not become smaller; it ends with the
            parameters of its best epoch. 0 goes on to the end.
        precision: ``"float32"`` computes in the type of the parameters; ``"bfloat16"`` and ``"float16"`` run the forward pass
            under autocast, the latter with a loss scale per network that is halved, and the step left out, where gradients
            overflow.

    Raises:
        BadInputError: If a number is out of its range or a name is unknown.

    Example:
        >>> plan = TrainingPlan(epochs=4, rate=1.0, schedule="triangular", warm_up=2)
        >>> [rate_factor(plan, step, 1) for step in range(4)]
        [0.5, 1.0, 1.0, 0.5]
        >>> plan = TrainingPlan(epochs=4, rate=1e-2, schedule="exponential", warm_up=2)
        >>> [round(rate_factor(plan, step, 1), 6) for step in range(4)]
        [0.01, 0.1, 1.0, 1.0]
        >>> TrainingPlan(schedule="step")
        Traceback (most recent call last):
        parasym.core.error.BadInputError: Field `schedule` must be one of cosine, constant, linear, ..., but is 'step'.
    """

    epochs: int = 30
    batch: int = 128
    rate: float = 2e-3
    decay: float = 1e-2
    optimizer: Literal["adamw", "adam", "sgd"] | MakeOptimizer = "adamw"
    momentum: float = 0.0
    nesterov: bool = False
    schedule: Literal["cosine", "constant", "linear", "triangular", "exponential"] = "cosine"
    warm_up: float = 0.0
    start: float = 0.01
    smoothing: float = 0.0
    clip: float | None = None
    patience: int = 0
    precision: Literal["float32", "bfloat16", "float16"] = "float32"

    def __post_init__(self) -> None:
        if callable(self.optimizer):
            self._check_own()
        for field, known in (("optimizer", OPTIMIZERS), ("schedule", tuple(SCHEDULES)), ("precision", PRECISIONS)):
            if getattr(self, field) not in known and not (field == "optimizer" and callable(self.optimizer)):
                raise BadInputError(f"Field `{field}` must be one of {', '.join(known)}, but is {getattr(self, field)!r}.")
        ranges = (
            ("epochs", self.epochs >= 1, "at least 1"),
            ("batch", self.batch >= 1, "at least 1"),
            ("rate", 0 < self.rate < math.inf, "positive and finite"),
            ("decay", 0 <= self.decay < math.inf, "at least 0 and finite"),
            ("momentum", 0 <= self.momentum < 1, "in [0, 1)"),
            ("nesterov", self.momentum > 0 or not self.nesterov, "off where there is no momentum"),
            ("warm_up", 0 <= self.warm_up <= self.epochs, "between 0 and the number of epochs"),
            ("start", 0 < self.start <= 1, "in (0, 1]"),
            ("smoothing", 0 <= self.smoothing < 1, "in [0, 1)"),
            ("clip", self.clip is None or 0 < self.clip < math.inf, "positive and finite, or None"),
            ("patience", self.patience >= 0, "at least 0"),
        )
        for field, right, wanted in ranges:
            if not right:
                raise BadInputError(f"Field `{field}` must be {wanted}, but is {getattr(self, field)}.")

    def _check_own(self) -> None:
        """Check that nothing is said twice where the optimizer is a function."""
        own = ("rate", "decay", "momentum", "nesterov", "schedule", "warm_up", "start")
        said = [f.name for f in fields(self) if f.name in own and getattr(self, f.name) != f.default]
        if said:
            raise BadInputError(
                f"Field `{said[0]}` does nothing where `optimizer` is a function: say it there, for example "
                "`lambda params: torch.optim.RMSprop(params, lr=1e-3)`."
            )
        if self.precision == "float16":
            raise BadInputError(
                "Precision 'float16' leaves steps out where gradients overflow, which only the optimizers "
                f"{', '.join(OPTIMIZERS)} can do here. Use 'bfloat16'."
            )

    @property
    def make(self) -> MakeOptimizer | None:
        """The function that builds the optimizer, if it is one."""
        return None if isinstance(self.optimizer, str) else self.optimizer


def rate_factor(plan: TrainingPlan, step: int, steps: int) -> float:
    """Return the factor of the peak rate at a step.

    Args:
        plan: The plan.
        step: Number of the step, from 0.
        steps: Steps per epoch.
    """
    warm = plan.warm_up * steps
    if step < warm:
        if plan.schedule == "exponential":
            return plan.start ** (1 - (step // steps) / plan.warm_up)
        return min(1.0, (step + 1) / warm)
    return SCHEDULES[plan.schedule](step, warm, plan.epochs * steps)


def epoch_rates(plans: Sequence[TrainingPlan], epoch: int, steps: int) -> np.ndarray:
    """Return the rates of one epoch, of shape ``[steps, networks]``, in float64.

    Args:
        plans: One per network.
        epoch: From 0.
        steps: Steps per epoch.
    """
    known: dict[TrainingPlan, list[float]] = {}
    for plan in plans:
        if plan not in known:
            known[plan] = [plan.rate * rate_factor(plan, epoch * steps + k, steps) for k in range(steps)]
    return np.array([known[plan] for plan in plans]).T


def plan_per_seed(plan: TrainingPlan | Sequence[TrainingPlan], seeds: Sequence[int]) -> tuple[TrainingPlan, ...]:
    """Return one plan per seed, after checking that they can be trained together.

    Args:
        plan: One for all, or one per seed.
        seeds: The seeds.

    Raises:
        BadInputError: If their number differs from that of the seeds, or batch, optimizer, momentum or precision differ.
    """
    plans = (plan,) * len(seeds) if isinstance(plan, TrainingPlan) else tuple(plan)
    if len(plans) != len(seeds):
        raise BadInputError(
            f"Argument `plan` must be one plan or one per seed, but there are {len(plans)} for {len(seeds)} seeds."
        )
    for field in ("batch", "optimizer", "momentum", "nesterov", "precision"):
        values = {getattr(p, field) for p in plans}
        if len(values) > 1:
            raise BadInputError(
                f"All plans must have the same `{field}`, but there are {sorted(map(str, values))}. Train them in separate calls."
            )
    return plans
