"""The same training on a Ray cluster: the seeds are shared out, and a worker that dies is replaced."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from parasym.core import BadInputError, Params
from parasym.population.augment import Augment
from parasym.population.data import FullBatch, Inputs
from parasym.population.here import train_here
from parasym.population.objective import Loss
from parasym.population.plan import TrainingPlan
from parasym.population.rows import RowFile
from parasym.population.value import Population, Record, Way

RETRIES = 3
"""How often the seeds of a dead worker are given to another."""


def train_on_ray(
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
    address: str,
    advance: Callable[[int], Any] | None,
) -> Population:
    """Return what `train_population` returns, trained in parts by the workers of a cluster.

    Every worker that can run at a time gets one part. With a checkpoint, each part keeps its own, ``NAME-K-of-N`` beside the one
    named, which all workers must see: a part whose worker dies goes on where it was; without, it starts again. The
    numbers are those of a training without Ray: exactly in a loop, up to rounding with vmap.

    Args:
        factory: As there.
        x: As there.
        y: As there.
        seeds: As there.
        plan: One per seed.
        loss: As there.
        augment: As there.
        way: As there; every part measures for itself.
        checkpoint: As there.
        rows: As there; appended when a part is finished.
        address: Of the cluster; ``"local"`` starts one on this machine, which ends with the call.
        advance: As there; told when a part is finished, in proportion.

    Raises:
        BadInputError: If Ray is not installed or the cluster cannot be reached.
    """
    try:
        import ray
    except ImportError as error:
        raise BadInputError("Argument `address` needs Ray. Install it with `pip install 'parasym[scale]'`.") from error
    with _cluster(ray, address):
        device = "GPU" if y.device.type == "cuda" else "CPU"
        workers = max(1, int(ray.cluster_resources().get(device, 1)))
        parts = _shares(len(seeds), workers)
        data = ray.put((_on_cpu(x), y.cpu()))
        remote = ray.remote(num_cpus=1, num_gpus=float(device == "GPU"), max_retries=RETRIES)(_train_part)
        tasks = [
            remote.remote(
                data,
                str(y.device.type),
                {"factory": factory, "seeds": seeds[part], "plan": plan[part], "loss": loss, "augment": augment, "way": way},
                None if checkpoint is None else str(_beside(Path(checkpoint), k, len(parts)).absolute()),
            )
            for k, part in enumerate(parts)
        ]
        found = _gather(ray, tasks, max(p.epochs for p in plan), advance)
    population = _joined(seeds, found)
    for part, task in found if rows is not None else ():
        RowFile(Path(rows or ""), task, part.history)
    return replace(
        population,
        params=[_placed(p, y.device) for p in population.params],
        initial=[_placed(p, y.device) for p in population.initial],
    )


def _train_part(data: tuple[Inputs, Tensor], device: str, task: dict[str, Any], checkpoint: str | None) -> tuple[Population, str]:
    """Train some of the networks in a worker; return them, and the id of their task."""
    x, y = data
    found, name = train_here(x=_moved(x, device), y=y.to(device), checkpoint=checkpoint, rows=None, advance=None, **task)
    params, initial = ([_placed(p, "cpu") for p in some] for some in (found.params, found.initial))
    return replace(found, params=params, initial=initial), name


@contextmanager
def _cluster(ray: Any, address: str) -> Iterator[None]:
    """Connect to a cluster, unless there is a connection already, which is then used and kept."""
    if ray.is_initialized():
        yield
        return
    try:
        if address == "local":
            ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level="error")
        else:
            ray.init(address=address, log_to_driver=False, logging_level="error")
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise BadInputError(
            f"The Ray cluster at `{address}` cannot be reached: {error}. Use 'local' for one of its own."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _shares(networks: int, workers: int) -> list[slice]:
    size = math.ceil(networks / workers)
    return [slice(k, min(k + size, networks)) for k in range(0, networks, size)]


def _beside(path: Path, k: int, n: int) -> Path:
    return path.with_name(f"{path.stem}-{k + 1}-of-{n}{path.suffix}")


def _gather(ray: Any, tasks: list[Any], epochs: int, advance: Callable[[int], Any] | None) -> list[tuple[Population, str]]:
    waiting, told = list(tasks), 0
    while waiting:
        done, waiting = ray.wait(waiting, num_returns=1)
        ray.get(done)  # an error in a worker is raised here, and not after hours
        if advance is not None:
            now = epochs * (len(tasks) - len(waiting)) // len(tasks)
            advance(now - told)
            told = now
    return ray.get(tasks)


def _joined(seeds: tuple[int, ...], found: Sequence[tuple[Population, str]]) -> Population:
    parts = [part for part, _ in found]
    place = {seed: k for k, seed in enumerate(seeds)}
    history: list[Record] = [record for part in parts for record in part.history]
    first = parts[0].way
    return Population(
        seeds=seeds,
        params=[params for part in parts for params in part.params],
        initial=[params for part in parts for params in part.initial],
        history=tuple(sorted(history, key=lambda r: (r.epoch, place[r.seed]))),
        diverged=tuple(d for part in parts for d in part.diverged),
        way=Way(first.name, first.size, first.seconds, f"{first.reason}; the first of {len(parts)} parts on Ray"),
    )


def _placed(params: Params, device: torch.device | str) -> Params:
    return {name: value.to(device) for name, value in params.items()}


def _on_cpu(x: Inputs) -> Inputs:
    return _moved(x, "cpu")


def _moved(x: Inputs, device: str) -> Inputs:
    if isinstance(x, Tensor):
        return x.to(device)
    if isinstance(x, FullBatch):
        return FullBatch(tuple(t.to(device) for t in x.inputs), None if x.rows is None else x.rows.to(device))
    return tuple(t.to(device) for t in x)
