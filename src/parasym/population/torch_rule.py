"""Any element-wise optimizer of torch, and a schedule, as a rule for rows of parameters."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from parasym.core import BadInputError, CheckpointError

MakeOptimizer = Callable[[list[Tensor]], "Optimizer | tuple[Optimizer, LRScheduler]"]
"""Takes parameters and returns an optimizer for them, or it and a schedule that takes a step after each of its steps."""

PROBES = 3
"""Steps with random gradients in which an optimizer has to treat two networks as it would treat each alone."""


class TorchRule:
    """An optimizer for the rows of some networks, with its memory and its schedule.

    Args:
        make: Builds the optimizer.
        params: Parameters, each of shape ``[networks, numbers]``; changed in place by every step.
    """

    def __init__(self, make: MakeOptimizer, params: Sequence[Tensor]) -> None:
        self.params = list(params)
        self.optimizer, self.schedule = _made(make, self.params)

    @property
    def rate(self) -> float:
        """Learning rate of the next step."""
        return float(self.optimizer.param_groups[0]["lr"])

    def step_(self, grads: Sequence[Tensor]) -> None:
        """Take one step.

        Args:
            grads: Of the shapes of the parameters.
        """
        for param, grad in zip(self.params, grads, strict=True):
            param.grad = grad
        self.optimizer.step()
        for param in self.params:
            param.grad = None
        if self.schedule is not None:
            self.schedule.step()

    def memory(self) -> tuple[dict[str, Tensor], str]:
        """Return what a checkpoint has to hold: tensors by name, and the rest as JSON.

        Raises:
            CheckpointError: If the optimizer remembers something else.
        """
        whole = self.optimizer.state_dict()
        tensors = {f"{k}/{n}": v for k, each in whole["state"].items() for n, v in each.items() if isinstance(v, Tensor)}
        numbers = {str(k): {n: v for n, v in each.items() if not isinstance(v, Tensor)} for k, each in whole["state"].items()}
        schedule = None if self.schedule is None else self.schedule.state_dict()
        try:
            return tensors, json.dumps({"numbers": numbers, "groups": whole["param_groups"], "schedule": schedule})
        except TypeError as error:
            raise CheckpointError(
                f"A checkpoint cannot hold what {type(self.optimizer).__name__} or its schedule remembers: {error}. "
                "Train without `checkpoint`, or with another schedule."
            ) from error

    def recall_(self, tensors: dict[str, Tensor], rest: str) -> None:
        """Put back what `memory` returned.

        Args:
            tensors: By name.
            rest: JSON.
        """
        about = json.loads(rest)
        state: dict[int, dict[str, Any]] = {int(k): dict(each) for k, each in about["numbers"].items()}
        for name, value in tensors.items():
            k, field = name.split("/", 1)
            state[int(k)][field] = value
        groups = [g | {"betas": tuple(g["betas"])} if "betas" in g else g for g in about["groups"]]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        if self.schedule is not None:
            self.schedule.load_state_dict(about["schedule"])


def describe_rule(make: MakeOptimizer) -> str:
    """Return a text that tells optimizers and schedules apart by their settings.

    Args:
        make: Builds the optimizer.
    """
    optimizer, schedule = _made(make, [torch.zeros(1, 1)])
    settings = {k: v for k, v in optimizer.param_groups[0].items() if k != "params"}
    text = f"{type(optimizer).__name__} {json.dumps(settings, default=str, sort_keys=True)}"
    if schedule is not None:
        text += f" {type(schedule).__name__} {json.dumps(schedule.state_dict(), default=str, sort_keys=True)}"
    return text


def check_rule(make: MakeOptimizer, shapes: Sequence[torch.Size]) -> None:
    """Check that an optimizer treats networks side by side as it treats each alone: that it works entry by entry.

    Args:
        make: Builds the optimizer.
        shapes: Of the parameters of one network.

    Raises:
        BadInputError: If it does not, as Muon, Adafactor or L-BFGS do not.
    """
    generator = torch.Generator().manual_seed(0)
    sizes = [shape.numel() for shape in shapes]
    start = [torch.randn(2, n, generator=generator, dtype=torch.float64) for n in sizes]
    rows = [x.clone() for x in start]
    alone = [[x[k].clone().view(shape) for x, shape in zip(start, shapes, strict=True)] for k in range(2)]
    rules = [TorchRule(make, rows), *(TorchRule(make, each) for each in alone)]
    for _ in range(PROBES):
        grads = [torch.randn(x.shape, generator=generator, dtype=torch.float64) for x in start]
        try:
            rules[0].step_([g.clone() for g in grads])
            for k in range(2):
                rules[1 + k].step_([g[k].clone().view(shape) for g, shape in zip(grads, shapes, strict=True)])
        except (TypeError, RuntimeError, ValueError) as error:
            raise BadInputError(
                f"Field `optimizer` builds {type(rules[0].optimizer).__name__}, which cannot take a step from gradients alone: "
                f"{str(error).splitlines()[0].rstrip('.')}."
            ) from error
    moved = all(not torch.equal(x, y) for x, y in zip(rows, start, strict=True))
    same = all(
        torch.allclose(row[k].view(shape), one, rtol=1e-9, atol=1e-12)
        for k in range(2)
        for row, one, shape in zip(rows, alone[k], shapes, strict=True)
    )
    if not moved or not same:
        fault = "does not treat each entry on its own" if moved else "leaves parameters where they are"
        raise BadInputError(
            f"Field `optimizer` builds {type(rules[0].optimizer).__name__}, which {fault}, so networks cannot be trained "
            "side by side with it. Use one that works entry by entry, such as RMSprop, NAdam or Adagrad."
        )


def _made(make: MakeOptimizer, params: list[Tensor]) -> tuple[Optimizer, LRScheduler | None]:
    found: Any = make(params)
    optimizer, schedule = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
    if not isinstance(optimizer, Optimizer) or not (schedule is None or isinstance(schedule, LRScheduler)):
        raise BadInputError(
            "Field `optimizer` must be a function that takes a list of parameters and returns a torch.optim.Optimizer, or "
            f"one and a schedule of torch.optim.lr_scheduler, but returns {type(found).__name__}."
        )
    if isinstance(schedule, torch.optim.lr_scheduler.ReduceLROnPlateau):
        raise BadInputError("ReduceLROnPlateau needs a metric of one network. Use a schedule of the step alone, or `patience`.")
    return optimizer, schedule
