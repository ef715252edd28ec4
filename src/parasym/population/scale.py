"""The same training on a Ray cluster: the seeds are shared out in fixed parts, and a worker that dies is replaced."""

import hashlib
import json
import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from parasym.checkpoint import atomic_write
from parasym.core import BadInputError, CheckpointError, Params
from parasym.population.cluster import connect
from parasym.population.here import Advance, train_here
from parasym.population.job import NO_HOOKS, Job
from parasym.population.rows import RowFile
from parasym.population.value import Population, Record, Way


@dataclass(frozen=True)
class Part:
    """Networks that one worker trains together.

    Attributes:
        place: Where they are among all networks.
        seeds: Their seeds.
        checkpoint: The file of this part, which all workers must see; ``None`` for none.
    """

    place: slice
    seeds: tuple[int, ...]
    checkpoint: str | None


def train_on_ray(
    job: Job, *, checkpoint: str | Path | None, rows: str | Path | None, address: str, advance: Advance | None,
    device: torch.device | str | None = None,
) -> Population:  # fmt: skip
    """Return what `train_population` returns, trained in parts by the workers of a cluster.

    Parts depend on the seeds alone, and there are more of them than workers, which balances the work and shows progress. With a
    checkpoint, each part keeps its own beside the one named, which all workers must see: a part whose worker dies, or the same
    call on another cluster, goes on where it was. Without, it starts again. The numbers are those of a training without Ray:
    exactly in a loop, up to rounding with vmap.

    Args:
        job: What to train; its data may lie anywhere.
        checkpoint: As there.
        rows: As there; appended when a part is finished.
        address: Of the cluster; ``"local"`` starts one on this machine, which ends with the call.
        advance: As there; told when a part is finished, in proportion.
        device: ``"cpu"`` or ``"cuda"``, of the workers; GPUs where the cluster has any if ``None``.

    Raises:
        BadInputError: If Ray is not installed, the cluster cannot be reached or is lost, or hooks are given.
        CheckpointError: If the checkpoint belongs to other seeds.
    """
    if job.hooks != NO_HOOKS:
        raise BadInputError(
            "Arguments `on_step` and `on_epoch` are called in this process, but the workers of a cluster are others."
        )
    epochs, told, found = max(p.epochs for p in job.plans), 0, {}
    home, data = job.data.device, job.data.to("cpu")
    validation = None if job.validation is None else job.validation.to("cpu")
    with nullcontext() if rows is None else RowFile(Path(rows)) as table, connect(address) as cluster:
        parts = shares(job.seeds, None if checkpoint is None else Path(checkpoint))
        kind = str(device or ("cuda" if cluster.gpus else "cpu"))
        shared = cluster.share((data, validation))
        bare = replace(job, data=None, validation=None)  # pyright: ignore[reportArgumentType]
        tasks = [(shared, replace(bare, seeds=p.seeds, plans=job.plans[p.place]), kind, p.checkpoint) for p in parts]
        for k, (part, ids) in cluster.run(_train_part, tasks, gpu=kind.startswith("cuda")):
            found[k] = part
            if table is not None:
                table.begin(ids, part.history)
            if advance is not None:
                now = epochs * len(found) // len(parts)
                advance(now - told)
                told = now
    return _joined(job.seeds, [found[k] for k in range(len(parts))], home)


def shares(seeds: tuple[int, ...], checkpoint: Path | None) -> list[Part]:
    """Return how seeds are shared out: parts of about half the square root of their number, the same on every cluster.

    Args:
        seeds: All of them.
        checkpoint: The file beside which each part has its own; a list of the seeds is written there too.

    Raises:
        CheckpointError: If that list has other seeds.
    """
    if checkpoint is not None:
        _check_seeds(checkpoint.with_name(f"{checkpoint.name}.seeds"), seeds)
    size = max(1, math.isqrt(len(seeds)) // 2)
    parts = []
    for start in range(0, len(seeds), size):
        place = slice(start, min(start + size, len(seeds)))
        some = seeds[place]
        name = None if checkpoint is None else str(_beside(checkpoint, some).absolute())
        parts.append(Part(place, some, name))
    return parts


def _check_seeds(path: Path, seeds: tuple[int, ...]) -> None:
    text = json.dumps(list(seeds))
    if not path.exists():
        atomic_write(path, lambda file: file.write_text(text))
    elif path.read_text().strip() != text:
        raise CheckpointError(
            f"Checkpoint `{path}` belongs to another task: seeds differ. Choose another path, or delete it to start again."
        )


def _beside(path: Path, seeds: tuple[int, ...]) -> Path:
    name = hashlib.sha256(json.dumps(list(seeds)).encode()).hexdigest()[:8]
    return path.with_name(f"{path.stem}-{seeds[0]}-to-{seeds[-1]}-{name}{path.suffix}")


def _train_part(shared: tuple, job: Job, device: str, checkpoint: str | None) -> tuple[Population, dict[int, str]]:
    """Train some of the networks in a worker; return them, and their ids."""
    data, validation = shared
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise BadInputError("A worker was given a GPU, but its torch has no CUDA: install one that has, or give `device='cpu'`.")
    job = replace(job, data=data.to(device), validation=None if validation is None else validation.to(device))
    found, ids = train_here(job, checkpoint=checkpoint)
    params, initial = ([_placed(p, "cpu") for p in some] for some in (found.params, found.initial))
    return replace(found, params=params, initial=initial), ids


def _joined(seeds: tuple[int, ...], parts: Sequence[Population], device: torch.device) -> Population:
    place = {seed: k for k, seed in enumerate(seeds)}
    history: list[Record] = [record for part in parts for record in part.history]
    first = parts[0].way
    return Population(
        seeds=seeds,
        params=[_placed(params, device) for part in parts for params in part.params],
        initial=[_placed(params, device) for part in parts for params in part.initial],
        history=tuple(sorted(history, key=lambda r: (r.epoch, place[r.seed]))),
        diverged=tuple(d for part in parts for d in part.diverged),
        way=Way(first.name, first.size, first.seconds, f"{first.reason}; the first of {len(parts)} parts on Ray"),
        best=None if parts[0].best is None else tuple(b for part in parts for b in part.best or ()),
    )


def _placed(params: Params, device: torch.device | str) -> Params:
    return {name: value.to(device) for name, value in params.items()}
