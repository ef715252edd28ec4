"""Faults drawn from the files of a room, and the tests run with one of them on a copy of the checkout."""

import hashlib
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from operator import itemgetter
from pathlib import Path

import pytest

from faults.operators import Fault, faults_of
from faults.rooms import PACKAGE, ROOT, files_of

START, SLOWER = 60.0, 3.0
"""Seconds that tests may take to start, and how many times longer than without a fault."""

PRELOADED = ["torch", "torch.func", "torch.export", "numpy", "scipy.optimize", "safetensors.torch"]
COPIED = {"src", "tests", "docs", "examples", "benchmarks", "corpus", "faults", "requirements"}


@dataclass(frozen=True)
class Planted:
    """A fault in a file of the package."""

    room: str
    file: Path
    fault: Fault

    @property
    def key(self) -> str:
        """The same as long as the place does not change."""
        return f"{self.file.relative_to(PACKAGE)}: {self.fault.key}"


def drawn(room: str, n: int, seed: int) -> list[Planted]:
    """Return faults of a room, drawn without repetition: the operator first, so that each gets its share.

    Each has its place in the draw by what it is, so that changes elsewhere in the room leave it there.

    Args:
        room: Its name.
        n: How many, if there are so many.
        seed: Which.
    """
    every: dict[str, list[tuple[str, Planted]]] = {}
    alike: Counter[str] = Counter()
    for planted in all_of(room):
        alike[planted.key] += 1
        place = hashlib.sha256(f"{seed} {planted.key} {alike[planted.key]}".encode()).hexdigest()
        every.setdefault(planted.fault.operator, []).append((place, planted))
    for some in every.values():
        some.sort(key=itemgetter(0), reverse=True)
    found: list[Planted] = []
    while len(found) < n and any(every.values()):
        for operator in sorted(every):
            if every[operator] and len(found) < n:
                found.append(every[operator].pop()[1])
    return found


def all_of(room: str) -> Iterator[Planted]:
    """Yield every fault that can be planted in a room.

    Args:
        room: Its name.
    """
    for file in files_of(room):
        for fault in faults_of(file.read_text()):
            yield Planted(room, file, fault)


def notices(planted: Planted, tests: list[str], seconds: float) -> bool:
    """Return whether a test fails with the fault; the checkout is left alone, the tests run on a copy.

    Args:
        planted: The fault.
        tests: Those to run, in this order, until one fails.
        seconds: How long they take without a fault. If they take much longer the fault made an endless loop, and is noticed.
    """
    with copied() as folder:
        (folder / planted.file.relative_to(ROOT)).write_text(planted.fault.source)
        return in_process(folder, _fails, (tests,), timeout=START + SLOWER * seconds) != 0


@contextmanager
def copied() -> Iterator[Path]:
    """Copy the checkout, without what is hidden or built.

    Yields:
        The folder, which goes with the block.
    """
    with tempfile.TemporaryDirectory() as name:
        for path in ROOT.iterdir():
            if path.is_file():
                shutil.copy(path, name)
            elif path.name in COPIED:
                shutil.copytree(path, Path(name) / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        yield Path(name)


def in_process(folder: Path, task: Callable[..., None], args: tuple[object, ...], *, timeout: float | None = None) -> int | None:
    """Run a task in a process of its own, silently, on the copy of the package in a folder.

    Args:
        folder: The copy.
        task: What to run there.
        args: For it.
        timeout: Seconds that it may take.

    Returns:
        The exit code, or None if it took longer.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)  # what takes most of the start of a test run is read once for all faults
    process = context.Process(target=_there, args=(folder, task, args))
    process.start()
    process.join(timeout)
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
    return code


def _there(folder: Path, task: Callable[..., None], args: tuple[object, ...]) -> None:
    os.chdir(folder)
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder / "src")}
    sys.dont_write_bytecode = True
    sys.path[:] = [str(folder / "src"), str(folder), *(p for p in sys.path if p not in {str(ROOT), str(ROOT / "src"), ""})]
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    task(*args)


def _fails(tests: list[str]) -> None:
    """End with the exit code 1 if a test fails, or cannot be collected any more."""
    chosen = _Chosen(tests)
    code = pytest.main(
        ["-x", "-q", "-p", "no:cacheprovider", *dict.fromkeys(test.split("::")[0] for test in tests)], plugins=[chosen]
    )
    sys.exit(code != pytest.ExitCode.OK or chosen.missing)


class _Chosen:
    """Runs some tests, in the order in which they are given."""

    def __init__(self, tests: list[str]) -> None:
        self.place = {test: k for k, test in enumerate(tests)}
        self.missing = False

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted((x for x in items if x.nodeid in self.place), key=lambda x: self.place[x.nodeid])
        self.missing = len(items) < len(self.place)
