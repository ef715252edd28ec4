"""The rules of Adam, AdamW and SGD for rows of parameters: torch.optim where all rows have one rate, else a rate per row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from parasym.population.plan import TrainingPlan
from parasym.population.torch_rule import TorchRule

BETAS, EPS = (0.9, 0.999), 1e-8
FIRST_SCALE, GROWTH_INTERVAL = 2.0**16, 2000


@dataclass
class Rows:
    """Parameters and what the optimizer remembers, one row per network; changed in place by training.

    Attributes:
        params: Parameters, each of shape ``[networks, numbers]``.
        first: Running means of the gradients, or the momenta, of the same shapes; empty for an optimizer of torch.
        second: Running means of their squares; of shape ``[networks, 0]`` for SGD and an optimizer of torch.
        steps: Steps taken, of shape ``[networks, 1]``, in float64.
        scale: Loss scale, of shape ``[networks]``; stays 1 unless the precision is float16.
        calm: Steps since the scale last changed, of shape ``[networks]``.
    """

    params: list[Tensor]
    first: list[Tensor]
    second: list[Tensor]
    steps: Tensor
    scale: Tensor
    calm: Tensor

    def __len__(self) -> int:
        return len(self.steps)

    def take(self, index: Tensor | slice) -> "Rows":
        """Return some rows; a slice gives views, an index copies.

        Args:
            index: Which.
        """
        params, first, second = ([x[index] for x in rows] for rows in (self.params, self.first, self.second))
        return Rows(params, first, second, self.steps[index], self.scale[index], self.calm[index])

    def put(self, index: Tensor, other: "Rows") -> None:
        """Write rows back.

        Args:
            index: Where.
            other: What.
        """
        for name, value in vars(self).items():
            theirs = getattr(other, name)
            for x, y in zip(value, theirs, strict=True) if isinstance(value, list) else [(value, theirs)]:
                x[index] = y

    def finite(self) -> Tensor:
        """Return which rows have no infinite or undefined parameter, of shape ``[networks]``."""
        return torch.stack([x.isfinite().all(dim=1) for x in self.params]).all(dim=0)


def fresh_rows(params: list[Tensor], plan: TrainingPlan) -> Rows:
    """Return rows before the first step.

    Args:
        params: Initial parameters, each of shape ``[networks, numbers]``.
        plan: Says what has to be remembered.
    """
    networks, device = len(params[0]), params[0].device
    scale = FIRST_SCALE if plan.precision == "float16" else 1.0
    own, two = plan.make is None, plan.optimizer in {"adamw", "adam"}  # an optimizer of torch remembers by itself
    return Rows(
        params=params,
        first=[torch.zeros_like(x) if own else x.new_zeros(networks, 0) for x in params],
        second=[torch.zeros_like(x) if own and two else x.new_zeros(networks, 0) for x in params],
        steps=torch.zeros(networks, 1, dtype=torch.float64, device=device),
        scale=torch.full((networks,), scale, device=device),
        calm=torch.zeros(networks, dtype=torch.int64, device=device),
    )


class Stepper:
    """Takes the steps of one epoch on some rows, in place.

    Gradients longer than the plan's ``clip`` are scaled down first. Where all rows have the same rate, one fused step of
    ``torch.optim`` goes over all of them in a single pass. Where they do not, or where rows may have to be left out, the rules
    below do the same with a rate per row.

    Args:
        rows: Changed by every step.
        plan: Says which rule.
        decay: Weight decay, of shape ``[networks]``.
        clip: Largest norms of the gradients, of shape ``[networks]``; ``None`` if all are infinite.
        same: Whether all rows have the same rate and decay at every step.
    """

    def __init__(self, rows: Rows, plan: TrainingPlan, decay: Tensor, clip: Tensor | None = None, *, same: bool) -> None:
        self.rows, self.plan, self.decay, self.clip = rows, plan, decay, clip
        fused = same and plan.precision != "float16" and len(rows) > 0
        self.fused = _fused(rows, plan, float(decay[0])) if fused else None

    def step_(self, grads: list[Tensor], rate: Tensor) -> None:
        """Take one step.

        Args:
            grads: Gradients of the scaled losses, of the shapes of the parameters. Overwritten.
            rate: Of shape ``[networks]``, in float64 on the CPU.
        """
        rows, plan = self.rows, self.plan
        if plan.precision == "float16":
            for grad in grads:
                grad.div_(rows.scale[:, None])
        if self.clip is not None:
            clip_(grads, self.clip)
        if self.fused is not None:
            self.fused(grads, float(rate[0]))
            rows.steps.add_(1)
            return
        rate = rate.to(rows.steps.device)
        if plan.precision == "float16":
            finite = torch.stack([grad.isfinite().all(dim=1) for grad in grads]).all(dim=0)
            _rescale(rows, finite)
            if not bool(finite.all()):
                index = finite.nonzero().flatten()
                some = rows.take(index)
                _step(some, [grad[index] for grad in grads], rate[index], self.decay[index], plan)
                rows.put(index, some)
                return
        _step(rows, grads, rate, self.decay, plan)


class RuleStepper:
    """Takes steps with an optimizer of torch; the same verb as :class:`Stepper`.

    Args:
        rows: Changed by every step.
        rule: The optimizer of these rows.
        clip: Largest norms of the gradients, of shape ``[networks]``; ``None`` if all are infinite.
    """

    def __init__(self, rows: Rows, rule: TorchRule, clip: Tensor | None) -> None:
        self.rows, self.rule, self.clip = rows, rule, clip

    def step_(self, grads: list[Tensor], _rate: Tensor) -> None:
        """Take one step.

        Args:
            grads: Gradients of the losses, of the shapes of the parameters. Overwritten.
        """
        if self.clip is not None:
            clip_(grads, self.clip)
        self.rule.step_(grads)
        self.rows.steps.add_(1)


def clip_(grads: Sequence[Tensor], clip: Tensor) -> None:
    """Scale gradients down to a norm, each network's on its own, in place.

    Args:
        grads: Each of shape ``[networks, numbers]``.
        clip: Largest norms, of shape ``[networks]``.
    """
    norm = torch.stack([torch.linalg.vector_norm(g, dim=1) for g in grads]).norm(dim=0)
    # The constant is that of torch.nn.utils.clip_grad_norm_.
    factor = (clip.to(norm) / (norm + 1e-6)).clamp(max=1.0)
    for grad in grads:
        grad.mul_(factor[:, None])


def _fused(rows: Rows, plan: TrainingPlan, decay: float) -> Callable[[list[Tensor], float], None]:
    """Return a step of ``torch.optim`` on all rows, as a function of gradients and rate.

    The functions behind the optimizers: what the classes do around them takes longer than a step of a few small networks.
    """
    common = {"weight_decay": decay, "maximize": False, "fused": True}
    if plan.optimizer == "sgd":
        momenta: list[Tensor | None] = [first if plan.momentum else None for first in rows.first]
        common |= {"momentum": plan.momentum, "nesterov": plan.nesterov, "dampening": 0.0}
        return lambda grads, rate: sgd(rows.params, grads, momenta, lr=rate, **common)
    rule = adamw if plan.optimizer == "adamw" else adam
    steps = [rows.steps[0, 0].to(torch.float32).clone() for _ in rows.params]
    common |= {"beta1": BETAS[0], "beta2": BETAS[1], "eps": EPS, "amsgrad": False}
    return lambda grads, rate: rule(rows.params, grads, rows.first, rows.second, [], steps, lr=rate, **common)


def _rescale(rows: Rows, finite: Tensor) -> None:
    """Halve the scale where gradients overflowed, double it after many calm steps."""
    rows.calm.add_(1).mul_(finite)
    grown = rows.calm >= GROWTH_INTERVAL
    rows.scale.mul_(torch.where(finite, torch.where(grown, 2.0, 1.0), 0.5))
    rows.calm.mul_(~grown)


def _step(rows: Rows, grads: list[Tensor], rate: Tensor, decay: Tensor, plan: TrainingPlan) -> None:
    rows.steps.add_(1)
    rate, decay = rate[:, None], decay[:, None]
    for param, first, second, grad in zip(rows.params, rows.first, rows.second, grads, strict=True):
        if plan.optimizer == "adamw":
            param.mul_((1 - rate * decay).to(grad))
        else:
            grad.addcmul_(param, decay.to(grad))
        if plan.optimizer == "sgd":
            _sgd(param, first, grad, rate, plan)
        else:
            _adam(param, first, second, grad, rate, rows.steps)


def _sgd(param: Tensor, first: Tensor, grad: Tensor, rate: Tensor, plan: TrainingPlan) -> None:
    if plan.momentum:
        first.mul_(plan.momentum).add_(grad)
        grad = grad.add_(first, alpha=plan.momentum) if plan.nesterov else first
    param.addcmul_(grad, (-rate).to(grad))


def _adam(param: Tensor, first: Tensor, second: Tensor, grad: Tensor, rate: Tensor, steps: Tensor) -> None:
    # As torch.optim.Adam, with both bias corrections moved into the rate and the constant: fewer passes over memory.
    a, b = BETAS
    first.lerp_(grad, 1 - a)
    second.mul_(b).addcmul_(grad, grad, value=1 - b)
    root = (1 - b**steps).sqrt()
    direction = torch.sqrt(second, out=grad).add_((EPS * root).to(grad))
    torch.div(first, direction, out=direction)
    param.addcmul_(direction, (-rate * root / (1 - a**steps)).to(grad))
