"""From the state of a training to networks: names as in the model, and running statistics of the training set."""

import copy

from parasym.breaking import frozen_tensors
from parasym.core import Params, model_params
from parasym.functional import has_statistics, reestimate
from parasym.population.course import State, Task


def finished(task: Task, state: State) -> list[Params]:
    """Return parameters and buffers of each network; running statistics are those of the training set, without augmentation.

    A network whose plan has patience gets those of its best epoch on the validation set.

    Args:
        task: What was trained.
        state: At the end.
    """
    model = copy.deepcopy(task.network.model).to(task.data.device)
    found = []
    for k, diverged in enumerate(state.diverged):
        row, fixed = [x[k] for x in state.rows.params], state.fixed_of(k)
        if state.best is not None and task.plans[k].patience and state.best.epochs[k] >= 0:
            row, fixed = [x[k] for x in state.best.params], fixed | {n: v[k] for n, v in state.best.own.items()}
            diverged = False
        task.network.load_(model, row, fixed)
        for _, module, tensor, entries in frozen_tensors(model):
            entries.impose_(module.get_parameter(tensor))  # decay has moved what is stored behind constants
        params = {n: v.clone() for n, v in model_params(model).items()}
        kept = diverged or not has_statistics(model)
        found.append(params if kept else reestimate(model, params, task.data.calls(task.plans[0].batch * 4)))
    return found
