"""The rules of Adam, AdamW and SGD for rows of parameters: torch.optim where all rows have one rate, else a rate per row."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from parasym.population.plan import TrainingPlan

BETAS, EPS = (0.9, 0.999), 1e-8
FIRST_SCALE, GROWTH_INTERVAL = 2.0**16, 2000


@dataclass
class Rows:
    """Parameters and what the optimizer remembers, one row per network; changed in place by training.

    Attributes:
        flat: Parameters, of shape ``[networks, numbers]``.
        first: Running mean of the gradients, or the momentum.
        second: Running mean of their squares; of shape ``[networks, 0]`` for SGD.
        steps: Steps taken, of shape ``[networks, 1]``, in float64.
        scale: Loss scale, of shape ``[networks]``; stays 1 unless the precision is float16.
        calm: Steps since the scale last changed, of shape ``[networks]``.
    """

    flat: Tensor
    first: Tensor
    second: Tensor
    steps: Tensor
    scale: Tensor
    calm: Tensor

    def take(self, index: Tensor | slice) -> "Rows":
        """Return some rows; a slice gives views, an index copies.

        Args:
            index: Which.
        """
        return Rows(**{name: value[index] for name, value in vars(self).items()})

    def put(self, index: Tensor, other: "Rows") -> None:
        """Write rows back.

        Args:
            index: Where.
            other: What.
        """
        for name, value in vars(self).items():
            value[index] = getattr(other, name)

    def clone(self) -> "Rows":
        """Return a copy."""
        return Rows(**{name: value.clone() for name, value in vars(self).items()})


def fresh_rows(flat: Tensor, plan: TrainingPlan) -> Rows:
    """Return rows before the first step.

    Args:
        flat: Initial parameters, of shape ``[networks, numbers]``.
        plan: Says what has to be remembered.
    """
    networks, device = len(flat), flat.device
    scale = FIRST_SCALE if plan.precision == "float16" else 1.0
    return Rows(
        flat=flat,
        first=torch.zeros_like(flat),
        second=torch.zeros_like(flat) if plan.optimizer != "sgd" else flat.new_zeros(networks, 0),
        steps=torch.zeros(networks, 1, dtype=torch.float64, device=device),
        scale=torch.full((networks,), scale, device=device),
        calm=torch.zeros(networks, dtype=torch.int64, device=device),
    )


class Stepper:
    """Takes the steps of one epoch on some rows, in place.

    Where all rows have the same rate, one fused step of ``torch.optim`` goes over all of them in a single pass. Where they do
    not, or where rows may have to be left out, the rules below do the same with a rate per row.

    Args:
        rows: Changed by every step.
        plan: Says which rule.
        decay: Weight decay, of shape ``[networks]``.
        same: Whether all rows have the same rate and decay at every step.
    """

    def __init__(self, rows: Rows, plan: TrainingPlan, decay: Tensor, *, same: bool) -> None:
        self.rows, self.plan, self.decay = rows, plan, decay
        fused = same and plan.precision != "float16" and len(rows.flat) > 0
        self.fused = _fused(rows, plan, float(decay[0])) if fused else None

    def step_(self, grad: Tensor, rate: Tensor) -> None:
        """Take one step.

        Args:
            grad: Gradients of the scaled losses, of the shape of the parameters. Overwritten.
            rate: Of shape ``[networks]``, in float64 on the CPU.
        """
        rows, plan = self.rows, self.plan
        if self.fused is not None:
            self.fused(grad, float(rate[0]))
            rows.steps.add_(1)
            return
        rate = rate.to(grad.device)
        if plan.precision == "float16":
            grad.div_(rows.scale[:, None])
            finite = grad.isfinite().all(dim=1)
            _rescale(rows, finite)
            if not bool(finite.all()):
                index = finite.nonzero().flatten()
                some = rows.take(index)
                _step(some, grad[index], rate[index], self.decay[index], plan)
                rows.put(index, some)
                return
        _step(rows, grad, rate, self.decay, plan)


def _fused(rows: Rows, plan: TrainingPlan, decay: float) -> Callable[[Tensor, float], None]:
    """Return a step of ``torch.optim`` on all rows, as a function of gradients and rate.

    The functions behind the optimizers: what the classes do around them takes longer than a step of a few small networks.
    """
    common = {"weight_decay": decay, "maximize": False, "fused": True}
    if plan.optimizer == "sgd":
        momentum = [rows.first] if plan.momentum else [None]
        common |= {"momentum": plan.momentum, "nesterov": plan.nesterov, "dampening": 0.0}
        return lambda grad, rate: sgd([rows.flat], [grad], momentum, lr=rate, **common)
    rule = adamw if plan.optimizer == "adamw" else adam
    step = rows.steps[0, 0].to(torch.float32).clone()
    memory = [rows.first], [rows.second], [], [step]
    common |= {"beta1": BETAS[0], "beta2": BETAS[1], "eps": EPS, "amsgrad": False}
    return lambda grad, rate: rule([rows.flat], [grad], *memory, lr=rate, **common)


def _rescale(rows: Rows, finite: Tensor) -> None:
    """Halve the scale where gradients overflowed, double it after many calm steps."""
    rows.calm.add_(1).mul_(finite)
    grown = rows.calm >= GROWTH_INTERVAL
    rows.scale.mul_(torch.where(finite, torch.where(grown, 2.0, 1.0), 0.5))
    rows.calm.mul_(~grown)


def _step(rows: Rows, grad: Tensor, rate: Tensor, decay: Tensor, plan: TrainingPlan) -> None:
    rows.steps.add_(1)
    rate, decay = rate[:, None], decay[:, None]
    if plan.optimizer == "adamw":
        rows.flat.mul_((1 - rate * decay).to(grad))
    else:
        grad.addcmul_(rows.flat, decay.to(grad))
    if plan.optimizer == "sgd":
        _sgd(rows, grad, rate, plan)
    else:
        _adam(rows, grad, rate)


def _sgd(rows: Rows, grad: Tensor, rate: Tensor, plan: TrainingPlan) -> None:
    if plan.momentum:
        rows.first.mul_(plan.momentum).add_(grad)
        grad = grad.add_(rows.first, alpha=plan.momentum) if plan.nesterov else rows.first
    rows.flat.addcmul_(grad, (-rate).to(grad))


def _adam(rows: Rows, grad: Tensor, rate: Tensor) -> None:
    # As torch.optim.Adam, with both bias corrections moved into the rate and the constant: fewer passes over memory.
    a, b = BETAS
    rows.first.lerp_(grad, 1 - a)
    rows.second.mul_(b).addcmul_(grad, grad, value=1 - b)
    root = (1 - b**rows.steps).sqrt()
    direction = torch.sqrt(rows.second, out=grad).add_((EPS * root).to(grad))
    torch.div(rows.first, direction, out=direction)
    rows.flat.addcmul_(direction, (-rate * root / (1 - a**rows.steps)).to(grad))
