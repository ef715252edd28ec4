"""The checkpoint of a training: written whole after every epoch, and taken up by the same task only."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from parasym.checkpoint import atomic_write
from parasym.checkpoint.write import write_tensors
from parasym.core import CheckpointError
from parasym.population.course import State, Task, make_rules
from parasym.population.history import HistoryFile
from parasym.population.plan import TrainingPlan
from parasym.population.torch_rule import describe_rule
from parasym.population.update import Rows
from parasym.population.validation import Best
from parasym.population.value import Way

FORMAT = "parasym population 2"
LISTS = {"params": "flat", "first": "first", "second": "second"}
"""What is kept side by side in one tensor of the file, and its name there."""


def identity(task: Task, state: State) -> dict[str, Any]:
    """Return everything that decides the numbers of a training, for comparison.

    Args:
        task: What is trained.
        state: Before the first step.
    """
    plans = [_plain(plan) for plan in task.plans]
    starts = "".join(_start(state, k) for k in range(len(task.seeds)))
    return {
        "seeds": list(task.seeds),
        "plan": plans[:1] if all(p == plans[0] for p in plans) else plans,
        **_common(task),
        "initial weights": hashlib.sha256(starts.encode()).hexdigest(),
    }


def network_ids(task: Task, state: State) -> dict[int, str]:
    """Return a short id of every network, by seed: the same whichever others are trained beside it.

    Args:
        task: What is trained.
        state: Before the first step.
    """
    common, ids = _common(task), {}
    for k, (seed, plan) in enumerate(zip(task.seeds, task.plans, strict=True)):
        known = {"seed": seed, "plan": _plain(plan), "initial weights": _start(state, k), **common}
        ids[seed] = hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]
    return ids


def _common(task: Task) -> dict[str, Any]:
    return {
        "data": task.data.digest(),
        "architecture": task.network.layout(),
        "loss": describe(task.gradients.objective.loss),
        "augment": describe(task.augment),
        "validation": None if task.judge is None else task.judge.data.digest(),
    }


def _plain(plan: TrainingPlan) -> dict[str, Any]:
    plain = {k: v.item() if hasattr(v, "item") else v for k, v in asdict(plan).items()}
    return plain if plan.make is None else plain | {"optimizer": describe_rule(plan.make)}


def _start(state: State, k: int) -> str:
    """Return a digest of what one network starts from."""
    found = hashlib.sha256()
    for value in (*(x[k] for x in state.rows.params), *state.fixed_of(k).values()):
        found.update(_bytes(value))
    return found.hexdigest()


def describe(function: Callable[..., Any] | None) -> str:
    """Return a name for a callable that is the same in every process.

    Args:
        function: A function, a dataclass that can be called, or a partial of one.

    Example:
        >>> describe(partial(torch.nn.functional.cross_entropy, reduction="sum"))
        'partial of torch.nn.functional.cross_entropy with () {"reduction": "sum"}'
    """
    if function is None:
        return "none"
    if isinstance(function, partial):
        return f"partial of {describe(function.func)} with {function.args} {json.dumps(function.keywords, default=str)}"
    if is_dataclass(function):
        return repr(function)
    name = getattr(function, "__qualname__", None) or getattr(function, "__name__", None)
    if name is None:
        function, name = type(function), type(function).__qualname__
    return f"{getattr(function, '__module__', None) or 'torch'}.{name}"


def save_state(path: Path, state: State, way: Way, known: dict[str, Any], history: int) -> None:
    """Write a checkpoint; the file is replaced whole or not at all.

    Args:
        path: The file.
        state: After an epoch.
        way: How it is trained.
        known: The identity of the task.
        history: How many bytes of the `HistoryFile` belong to it.
    """
    rows = {LISTS.get(name, name): value for name, value in vars(state.rows).items()}
    tensors = {f"rows/{name}": _side_by_side(v) if isinstance(v, list) else v for name, v in rows.items()}
    tensors |= {f"fixed/{name}": value for name, value in state.fixed.items()}
    tensors |= {f"own/{name}": value for name, value in state.own.items()}
    tensors["orders"] = torch.stack([g.get_state() for g in state.orders])
    memories = [rule.memory() for rule in state.rules]
    tensors |= {f"rule/{k}/{name}": value for k, (each, _) in enumerate(memories) for name, value in each.items()}
    if state.best is not None:
        tensors["best"] = _side_by_side(state.best.params)
        tensors |= {f"best/{name}": value for name, value in state.best.own.items()}
    about = {
        "format": FORMAT,
        "task": known,
        "epoch": state.epoch,
        "history": history,
        "diverged": state.diverged,
        "way": asdict(way),
        "rules": [rest for _, rest in memories],
        "best": None if state.best is None else [state.best.losses, state.best.epochs],
    }
    copies = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    atomic_write(path, lambda file: write_tensors(file, copies, metadata={"parasym": json.dumps(about)}), force=True)


def load_state(path: Path, task: Task, known: dict[str, Any]) -> tuple[State, Way, int] | None:
    """Return what a checkpoint holds and the length of its history, or nothing if there is none.

    Args:
        path: The file.
        task: What wants to go on.
        known: Its identity.

    Raises:
        CheckpointError: If the file is damaged or of another task.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("parasym", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise CheckpointError(f"Checkpoint `{path}` cannot be read: {error}. Delete it to start again.") from error
    if about.get("format") == "parasym population 1":
        raise CheckpointError(
            f"Checkpoint `{path}` is of an older version, which kept its history inside. Delete it to start again."
        )
    if about.get("format") != FORMAT:
        raise CheckpointError(f"File `{path}` is no checkpoint of a population. Choose another path.")
    wrong = [name for name, value in known.items() if about["task"].get(name) != json.loads(json.dumps(value))]
    if wrong:
        raise CheckpointError(
            f"Checkpoint `{path}` belongs to another task: {', '.join(wrong)} differ{'s' if len(wrong) == 1 else ''}. "
            "Choose another path, or delete it to start again."
        )

    def under(prefix: str) -> dict[str, Tensor]:
        # Copied even if they are there already: where memory begins in a line of the cache may decide how sums are rounded.
        device = task.data.device
        return {n.removeprefix(prefix): v.to(device, copy=True) for n, v in tensors.items() if n.startswith(prefix)}

    rows: dict[str, Any] = under("rows/")
    for name, key in LISTS.items():
        rows[name] = _apart(rows.pop(key), task.network.sizes)
    best = None
    if about["best"] is not None:
        losses, epochs = about["best"]
        best = Best(losses, epochs, _apart(tensors["best"].to(task.data.device), task.network.sizes), under("best/"))
    state = State(
        rows=Rows(**rows),
        fixed=under("fixed/"),
        own=under("own/"),
        orders=[torch.Generator().set_state(row.clone()) for row in tensors["orders"]],
        history=HistoryFile(path).read(about["history"]),
        diverged=about["diverged"],
        epoch=about["epoch"],
        best=best,
    )
    way = Way(**about["way"])
    if about["rules"]:
        state.rules = make_rules(task, state.rows, way)
        for k, (rule, rest) in enumerate(zip(state.rules, about["rules"], strict=True)):
            rule.recall_(under(f"rule/{k}/"), rest)
    return state, way, about["history"]


def _apart(whole: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    return [x.clone() for x in whole.split(tuple(sizes) if whole.shape[1] else (0,) * len(sizes), dim=1)]


def _side_by_side(rows: list[Tensor]) -> Tensor:
    return torch.cat(rows, dim=1)


def _bytes(x: Tensor) -> Any:
    return x.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
