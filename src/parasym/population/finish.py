"""From the state of a training to networks: names as in the model, and running statistics of the training set."""

import copy

import torch
from torch import Tensor, nn

from parasym.core import Params, model_params
from parasym.functional import reestimate
from parasym.functional.statistics import has_statistics
from parasym.population.course import State, Task
from parasym.population.data import Data


class _OfIndex(nn.Module):
    """A model as a function of the index of its examples."""

    def __init__(self, inner: nn.Module, data: Data) -> None:
        super().__init__()
        self.inner, self.data = inner, data

    def forward(self, index: Tensor) -> Tensor:
        return self.inner(*self.data.take(index)[0])


def finished(task: Task, state: State) -> list[Params]:
    """Return parameters and buffers of each network; running statistics are those of the training set, without augmentation.

    Args:
        task: What was trained.
        state: At the end.
    """
    model = copy.deepcopy(task.network.model).to(task.data.device)
    found = []
    for k, diverged in enumerate(state.diverged):
        task.network.load_(model, [x[k] for x in state.rows.params], state.fixed_of(k))
        params = {n: v.clone() for n, v in model_params(model).items()}
        found.append(params if diverged or not has_statistics(model) else _with_statistics(task, model, params))
    return found


def _with_statistics(task: Task, model: nn.Module, params: Params) -> Params:
    index = torch.arange(len(task.data.y), device=task.data.device)
    batches = [index] if task.data.full else index.split(task.plans[0].batch * 4)
    found = reestimate(_OfIndex(model, task.data), {f"inner.{n}": v for n, v in params.items()}, batches)
    return {n.removeprefix("inner."): v for n, v in found.items()}
