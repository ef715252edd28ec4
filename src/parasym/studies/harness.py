"""Run the tasks of a study that are not done yet, each with a row."""

import platform
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import torch

from parasym.breaking import DRAWING
from parasym.core import BadInputError
from parasym.data import Images, NodeLabels, load
from parasym.population.cluster import connect
from parasym.studies.ledger import Ledger
from parasym.studies.row import Row, counts_of, sums_of
from parasym.studies.sources import sources_of
from parasym.studies.study import Study
from parasym.studies.task import AbstractTask, task_id
from parasym.studies.workers import run_in_workers
from parasym.version import __version__

Paths = Mapping[str, Path]
Tell = Callable[[int, int], None]
DATA_SEED = 0
"""Which train and test examples are used is part of the data, not of a task."""


def run_study(
    study: Study,
    tasks: Sequence[AbstractTask],
    folder: Path,
    *,
    preset: str,
    paths: Paths,
    device: str = "cpu",
    workers: int = 1,
    address: str | None = None,
    tell: Tell | None = None,
) -> tuple[Row, ...]:
    """Run the tasks that have no row yet, and return the rows of all.

    Args:
        study: The study.
        tasks: All its tasks; a folder that was begun with another list is refused.
        folder: Where tasks and rows are kept.
        preset: Where the tasks come from, for people.
        paths: Where data is, by the name of its source.
        device: Where networks are trained.
        workers: Processes; more than one only pays for small networks on processors.
        address: Of a Ray cluster whose workers run the tasks instead, as for `train_population`; they must see the same paths.
        tell: Called with the number of finished tasks and of all.

    Returns:
        The rows, in the order of the tasks.

    Raises:
        BadInputError: If the folder or the data do not fit.
    """
    data = _fingerprints(tasks, paths)
    with Ledger(folder) as ledger:
        left = ledger.begin(study.name, study.version, tasks, preset=preset, data=data)
        done = len(tasks) - len(left)
        if tell is not None:
            tell(done, len(tasks))
        with closing(_rows(study, left, dict(paths), device, workers, address)) as rows:
            for row in rows:
                ledger.append(row)
                done += 1
                if tell is not None:
                    tell(done, len(tasks))
        return ledger.rows()


def run_task(study: Study, task: AbstractTask, paths: Paths, device: str = "cpu") -> Row:
    """Return the row of one task.

    The same task gives the same records on the same machine, up to rounding: how sums of single precision are rounded depends
    on where tensors lie in memory.

    Args:
        study: The study.
        task: One of its tasks.
        paths: Where data is, by the name of its source.
        device: Where networks are trained.

    Raises:
        BadInputError: If the data cannot be read.
    """
    data = _data(_named(task), paths) if task.data_key else None
    start, processor = time.perf_counter(), time.process_time()
    records = tuple(study.run(task, data, device))
    return Row(
        id=task_id(study.name, study.version, task),
        study=study.name,
        task=asdict(task),
        data="" if data is None else data.fingerprint,
        commit=_commit(),
        versions={
            "python": platform.python_version(),
            "torch": torch.__version__,
            "parasym": __version__,
            "drawing": str(DRAWING),
        },
        sources=sources_of(study.run),
        device=torch.cuda.get_device_name(device) if device.startswith("cuda") else f"cpu {platform.machine()}",
        threads=torch.get_num_threads(),
        seed=task.seed,
        seconds=time.perf_counter() - start,
        processor=time.process_time() - processor,
        records=records,
        counts=counts_of(records),
        sums=sums_of(records),
    )


def _rows(
    study: Study, tasks: Sequence[AbstractTask], paths: dict[str, Path], device: str, workers: int, address: str | None
) -> Generator[Row]:
    if address is not None and tasks:
        absolute = {name: path.absolute() for name, path in paths.items()}
        with connect(address) as cluster:
            work = [(study, task, absolute, device) for task in tasks]
            yield from (row for _, row in cluster.run(run_task, work, gpu=device.startswith("cuda")))
        return
    if workers == 1 or len(tasks) < 2:
        yield from (run_task(study, task, paths, device) for task in tasks)
        return
    yield from run_in_workers(run_task, [(study, task, paths, device) for task in tasks], min(workers, len(tasks)))


def _fingerprints(tasks: Sequence[AbstractTask], paths: Paths) -> dict[str, str]:
    """Return the SHA-256 of all data by its key, before anything is run."""
    found = {}
    for key in sorted({_named(task) for task in tasks if task.data_key}):
        try:
            found[key] = _data(key, paths).fingerprint
        except BadInputError as error:
            rest = {task for task in tasks if task.data_key and _named(task) != key}
            others = sorted({f"{getattr(task, 'architecture', '')}/{task.data_key[0]}" for task in rest if task.data_key})
            raise BadInputError(f"{error} To go without it: --set only={','.join(others)}." if others else str(error)) from error
    return found


def _named(task: AbstractTask) -> str:
    assert task.data_key is not None
    name, train, test = task.data_key
    return f"{name}:{train or 'all'}:{test or 'all'}"


def _data(key: str, paths: Paths) -> Images | NodeLabels:
    name, train, test = key.split(":")
    path = paths.get(name)
    written = path.stat().st_mtime_ns if path is not None and path.is_file() else 0
    return _loaded(name, path, written, *(None if n == "all" else int(n) for n in (train, test)))


@lru_cache(maxsize=4)
def _loaded(name: str, path: Path | None, _written: int, train: int | None, test: int | None) -> Images | NodeLabels:
    return load(name, path, train=train, test=test, seed=DATA_SEED)


@lru_cache(maxsize=1)
def _commit() -> str:
    """Return the commit of this checkout, with ``+`` if files of the package differ from it; empty outside of one."""
    here = Path(__file__).parent.parent
    try:
        commit = _git(here, "rev-parse", "HEAD")
        return commit + ("+" if _git(here, "status", "--porcelain", "--", ".") else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(folder: Path, *command: str) -> str:
    return subprocess.run(["git", *command], cwd=folder, capture_output=True, text=True, check=True, timeout=20).stdout.strip()


def checked_device(device: str) -> str:
    """Return the device if it is there.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        BadInputError: If it is not.
    """
    if device == "cpu" or (device.split(":", maxsplit=1)[0] == "cuda" and torch.cuda.is_available()):
        return device
    raise BadInputError(f"Device `{device}` is not there. Use cpu" + (" or cuda." if torch.cuda.is_available() else "."))
