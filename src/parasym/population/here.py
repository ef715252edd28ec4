"""Train a population in this process."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from parasym.core import BadInputError, child_generator, model_params
from parasym.population.augment import Augment
from parasym.population.choose import choose_way
from parasym.population.course import State, Task, run_epoch
from parasym.population.data import Data, Inputs
from parasym.population.finish import finished
from parasym.population.gradient import Gradients
from parasym.population.network import Network, check_same, initial_model
from parasym.population.objective import Loss, Objective
from parasym.population.plan import TrainingPlan
from parasym.population.resume import identity, load_state, save_state, task_id
from parasym.population.rows import RowFile
from parasym.population.update import fresh_rows
from parasym.population.value import Population, Way

Advance = Callable[[int], Any]


def train_here(
    factory: Callable[[], nn.Module],
    x: Inputs,
    y: Tensor,
    *,
    seeds: tuple[int, ...],
    plan: tuple[TrainingPlan, ...],
    loss: Loss,
    augment: Augment | None,
    way: Literal["auto", "vmap", "loop"] | Way,
    checkpoint: str | Path | None,
    rows: str | Path | None,
    advance: Advance | None,
) -> tuple[Population, str]:
    """Return what `train_population` returns, and the id of the task.

    Args:
        factory: As there.
        x: As there.
        y: As there.
        seeds: As there, checked.
        plan: One per seed, checked.
        loss: As there.
        augment: As there.
        way: As there.
        checkpoint: As there.
        rows: As there.
        advance: As there.
    """
    task, state, models = _prepare(factory, Data(x, y), seeds, plan, loss, augment)
    known = identity(task, state)
    state, chosen = _begin(task, state, way, checkpoint, known)
    table = None if rows is None else RowFile(Path(rows), task_id(known), state.history)
    if advance is not None and state.epoch:
        advance(state.epoch)
    while state.epoch < task.epochs:
        records = run_epoch(task, state, chosen)
        if table is not None:
            table.append(records)
        if checkpoint is not None:
            save_state(Path(checkpoint), state, chosen, known)
        if advance is not None:
            advance(1)
    population = Population(
        seeds=seeds,
        params=finished(task, state),
        initial=[{n: v.clone() for n, v in model_params(m).items()} for m in models],
        history=tuple(state.history),
        diverged=tuple(state.diverged),
        way=chosen,
    )
    return population, task_id(known)


def _prepare(
    factory: Callable[[], nn.Module],
    data: Data,
    seeds: tuple[int, ...],
    plans: tuple[TrainingPlan, ...],
    loss: Loss,
    augment: Augment | None,
) -> tuple[Task, State, list[nn.Module]]:
    if augment is not None and data.full:
        raise BadInputError("Argument `augment` changes examples, but a FullBatch has none of its own. Leave one of them out.")
    models = [initial_model(factory, seed).to(data.device) for seed in seeds]
    check_same(models)
    network = Network(models[0], data.device)
    normalizes = any(isinstance(m, _BatchNorm) for m in models[0].modules())
    if normalizes and not data.full and len(data.y) % plans[0].batch == 1:
        raise BadInputError(
            f"The last batch of {len(data.y)} examples by {plans[0].batch} has one example, which batch normalization cannot "
            "train on. Choose another batch size."
        )
    gradients = Gradients(network, data, Objective(loss, any(p.smoothing for p in plans)), plans[0].precision)
    fixed = [network.fixed(model) for model in models]
    differing = [n for n, v in fixed[0].items() if not all(torch.equal(v, other[n]) for other in fixed[1:])]
    state = State(
        rows=fresh_rows(network.pack(models), plans[0]),
        fixed={n: v.clone() for n, v in fixed[0].items() if n not in differing},
        own={n: torch.stack([f[n] for f in fixed]) for n in differing},
        orders=[child_generator(seed, "order") for seed in seeds],
        history=[],
        diverged=[False] * len(seeds),
    )
    return Task(network, data, seeds, plans, gradients, augment), state, models


def _begin(
    task: Task, state: State, wanted: Literal["auto", "vmap", "loop"] | Way, checkpoint: str | Path | None, known: dict[str, Any]
) -> tuple[State, Way]:
    """Return where to go on, and how."""
    if checkpoint is None:
        return state, choose_way(task, state, wanted)
    path = Path(checkpoint)
    found = load_state(path, task.network.sizes, known, task.data.device)
    if found is not None:
        return found
    chosen = choose_way(task, state, wanted)
    save_state(path, state, chosen, known)
    return state, chosen
