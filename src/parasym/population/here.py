"""Train a population in this process."""

import copy
import math
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.modules.batchnorm import _BatchNorm

from parasym.core import BadInputError, child_generator, model_params
from parasym.population.choose import choose_way
from parasym.population.course import State, Task, run_epoch
from parasym.population.data import Data
from parasym.population.finish import finished
from parasym.population.gradient import Gradients, autocast
from parasym.population.history import HistoryFile
from parasym.population.job import EpochReport, Job
from parasym.population.network import Network, check_same, initial_model
from parasym.population.objective import IGNORED, Objective
from parasym.population.resume import identity, load_state, network_ids, save_state
from parasym.population.rows import RowFile
from parasym.population.torch_rule import check_rule
from parasym.population.update import fresh_rows
from parasym.population.validation import Best, Judge
from parasym.population.value import Population, Way

Advance = Callable[[int], Any]


def train_here(
    job: Job, *, checkpoint: str | Path | None = None, rows: str | Path | None = None, advance: Advance | None = None
) -> tuple[Population, dict[int, str]]:
    """Return what `train_population` returns, and the ids of the networks by seed.

    Args:
        job: What to train.
        checkpoint: As there.
        rows: As there.
        advance: As there.
    """
    with ExitStack() as held:
        table = None if rows is None else held.enter_context(RowFile(Path(rows)))
        if checkpoint is not None:
            held.enter_context(HistoryFile(Path(checkpoint)).held())
        return _train(job, checkpoint, table, advance)


def _train(
    job: Job, checkpoint: str | Path | None, table: RowFile | None, advance: Advance | None
) -> tuple[Population, dict[int, str]]:
    task, state, models = _prepare(job)
    known, ids = identity(task, state), network_ids(task, state)
    state, chosen, length = _begin(task, state, job, checkpoint, known)
    if table is not None:
        table.begin(ids, state.history)
    if advance is not None and state.epoch:
        advance(state.epoch)
    while state.epoch < task.epochs:
        records = run_epoch(task, state, chosen)
        if table is not None:
            table.append(records)
        if checkpoint is not None:
            length = HistoryFile(Path(checkpoint)).append(records, length)
            save_state(Path(checkpoint), state, chosen, known, length)
        if job.hooks.epoch is not None and records:
            job.hooks.epoch(EpochReport(state.epoch - 1, tuple(records), partial(finished, task, state)))
        if advance is not None:
            advance(1)
    best = state.best
    population = Population(
        seeds=job.seeds,
        params=finished(task, state),
        initial=[{n: v.clone() for n, v in model_params(m).items()} for m in models],
        history=tuple(state.history),
        diverged=tuple(state.diverged),
        way=chosen,
        best=None if best is None else tuple(epoch if epoch >= 0 else None for epoch in best.epochs),
    )
    return population, ids


def _prepare(job: Job) -> tuple[Task, State, list[nn.Module]]:
    data, plans = job.data, job.plans
    if job.augment is not None and data.full:
        raise BadInputError("Argument `augment` changes examples, but a FullBatch has none of its own. Leave one of them out.")
    models = [initial_model(job.factory, seed).to(data.device) for seed in job.seeds]
    check_same(models)
    network = Network(models[0], data.device)
    normalizes = any(isinstance(m, _BatchNorm) for m in models[0].modules())
    if normalizes and not data.full and len(data.y) % plans[0].batch == 1:
        raise BadInputError(
            f"The last batch of {len(data.y)} examples by {plans[0].batch} has one example, which batch normalization cannot "
            "train on. Choose another batch size."
        )
    objective = Objective(job.loss, any(p.smoothing for p in plans))
    for name, some in (("x", data), ("validation", job.validation)):
        if some is not None:
            _check_fits(models[0], some, objective, plans[0].precision, name)
    if plans[0].make is not None:
        check_rule(plans[0].make, network.shapes)
    gradients = Gradients(network, data, objective, plans[0].precision)
    fixed = [network.fixed(model) for model in models]
    differing = [n for n, v in fixed[0].items() if not all(torch.equal(v, other[n]) for other in fixed[1:])]
    packed = network.pack(models)
    judge = None if job.validation is None else Judge(
        network, job.validation, data, objective, precision=plans[0].precision, batch=4 * plans[0].batch
    )  # fmt: skip
    n = len(job.seeds)
    state = State(
        rows=fresh_rows(packed, plans[0]),
        fixed={n: v.clone() for n, v in fixed[0].items() if n not in differing},
        own={n: torch.stack([f[n] for f in fixed]) for n in differing},
        orders=[child_generator(seed, "order") for seed in job.seeds],
        history=[],
        diverged=[False] * n,
        best=None if judge is None else Best([math.inf] * n, [-1] * n, [x.clone() for x in packed], {}),
    )
    return Task(network, data, job.seeds, plans, gradients, job.augment, judge, job.hooks), state, models


def _check_fits(model: nn.Module, data: Data, objective: Objective, precision: str, name: str) -> None:
    """Check on a few examples that the model takes the inputs, and that the loss takes its outputs and the labels."""
    model = copy.deepcopy(model).eval()  # a forward pass may change buffers
    inputs, labels = data.take(torch.arange(min(2, len(data.y)), device=data.device))
    shapes = ", ".join(f"{tuple(x.shape)} {str(x.dtype).removeprefix('torch.')}" for x in inputs)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]), autocast(precision, data.device):
            outputs: Any = model(*inputs)
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise BadInputError(
            f"The model that `factory` builds does not run on examples of `{name}` of shapes {shapes}: {_said(error)}."
        ) from error
    if not isinstance(outputs, Tensor):
        raise BadInputError(
            f"The model that `factory` builds must return a tensor, but returns {type(outputs).__name__}. "
            "Let `factory` wrap it in a module that returns the logits."
        )
    if objective.loss is cross_entropy and not data.y.is_floating_point() and outputs.ndim >= 2:
        _check_labels(data.y, outputs.shape[1], name)
    try:
        with torch.no_grad():
            objective.one(outputs if data.rows is None else outputs.index_select(0, data.rows), labels, 0.0)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise BadInputError(
            f"The loss does not take outputs of shape {tuple(outputs.shape)} and labels of `{name}` of shape "
            f"{tuple(labels.shape)} {str(labels.dtype).removeprefix('torch.')}: {_said(error)}."
        ) from error


def _check_labels(labels: Tensor, classes: int, name: str) -> None:
    wrong = ((labels < 0) | (labels >= classes)) & (labels != IGNORED)
    if bool(wrong.any()):
        place = tuple(wrong.nonzero()[0].tolist())
        where = str(place[0]) if len(place) == 1 else str(place)
        raise BadInputError(
            f"The labels of `{name}` must be classes from 0 to {classes - 1}, as the model has {classes} outputs, but the one "
            f"at {where} is {int(labels[place])}."
        )


def _said(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _begin(task: Task, state: State, job: Job, checkpoint: str | Path | None, known: dict[str, Any]) -> tuple[State, Way, int]:
    """Return where to go on, how, and the length of the history."""
    if checkpoint is None:
        return state, choose_way(task, state, job.way), 0
    path = Path(checkpoint)
    found = load_state(path, task, known)
    if found is not None:
        return found
    chosen = choose_way(task, state, job.way)
    save_state(path, state, chosen, known, 0)
    return state, chosen, 0
