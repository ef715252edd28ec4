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
from safetensors.torch import save_file
from torch import Tensor

from parasym.checkpoint import atomic_write
from parasym.core import CheckpointError
from parasym.population.course import State, Task
from parasym.population.update import Rows
from parasym.population.value import Record, Way

FORMAT = "parasym population 1"
LISTS = {"params": "flat", "first": "first", "second": "second"}
"""What is kept side by side in one tensor of the file, and its name there."""


def identity(task: Task, state: State) -> dict[str, Any]:
    """Return everything that decides the numbers of a training, for comparison.

    Args:
        task: What is trained.
        state: Before the first step.
    """
    start = hashlib.sha256()
    for value in (_side_by_side(state.rows.params), *state.fixed.values(), *state.own.values()):
        start.update(_bytes(value))
    plans = [{k: v.item() if hasattr(v, "item") else v for k, v in asdict(p).items()} for p in task.plans]
    return {
        "seeds": list(task.seeds),
        "plan": plans[:1] if all(p == plans[0] for p in plans) else plans,
        "data": task.data.digest(),
        "architecture": task.network.layout(),
        "initial weights": start.hexdigest(),
        "loss": describe(task.gradients.objective.loss),
        "augment": describe(task.augment),
    }


def task_id(known: dict[str, Any]) -> str:
    """Return a short id of a task.

    Args:
        known: Its identity.
    """
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


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


def save_state(path: Path, state: State, way: Way, known: dict[str, Any]) -> None:
    """Write a checkpoint; the file is replaced whole or not at all.

    Args:
        path: The file.
        state: After an epoch.
        way: How it is trained.
        known: The identity of the task.
    """
    rows = {LISTS.get(name, name): value for name, value in vars(state.rows).items()}
    tensors = {f"rows/{name}": _side_by_side(v) if isinstance(v, list) else v for name, v in rows.items()}
    tensors |= {f"fixed/{name}": value for name, value in state.fixed.items()}
    tensors |= {f"own/{name}": value for name, value in state.own.items()}
    tensors["orders"] = torch.stack([g.get_state() for g in state.orders])
    about = {
        "format": FORMAT,
        "task": known,
        "epoch": state.epoch,
        "history": [list(asdict(r).values()) for r in state.history],
        "diverged": state.diverged,
        "way": asdict(way),
    }
    copies = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    atomic_write(path, lambda file: save_file(copies, file, metadata={"parasym": json.dumps(about)}), force=True)


def load_state(path: Path, sizes: Sequence[int], known: dict[str, Any], device: torch.device) -> tuple[State, Way] | None:
    """Return what a checkpoint holds, or nothing if there is none.

    Args:
        path: The file.
        sizes: Of the trained parameters.
        known: The identity of the task that wants to go on.
        device: Where to put it.

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
        return {n.removeprefix(prefix): v.to(device, copy=True) for n, v in tensors.items() if n.startswith(prefix)}

    rows: dict[str, Any] = under("rows/")
    for name, key in LISTS.items():
        whole = rows.pop(key)
        rows[name] = [x.clone() for x in whole.split(tuple(sizes) if whole.shape[1] else (0,) * len(sizes), dim=1)]
    state = State(
        rows=Rows(**rows),
        fixed=under("fixed/"),
        own=under("own/"),
        orders=[torch.Generator().set_state(row.clone()) for row in tensors["orders"]],
        history=[Record(*values) for values in about["history"]],
        diverged=about["diverged"],
        epoch=about["epoch"],
    )
    return state, Way(**about["way"])


def _side_by_side(rows: list[Tensor]) -> Tensor:
    return torch.cat(rows, dim=1)


def _bytes(x: Tensor) -> Any:
    return x.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
