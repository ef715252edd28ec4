"""Faults drawn from the files of a room, and the tests run with one of them on a copy of the checkout."""

import hashlib
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from faults.operators import Fault, faults_of
from faults.rooms import PACKAGE, ROOT, files_of, stages_of

TIMEOUT = 300.0
"""Seconds that one stage of tests may take before the fault counts as noticed: it made an endless loop."""

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

    Args:
        room: Its name.
        n: How many, if there are so many.
        seed: Which.
    """
    every: dict[str, list[Planted]] = {}
    for file in files_of(room):
        for fault in faults_of(file.read_text()):
            every.setdefault(fault.operator, []).append(Planted(room, file, fault))
    label = hashlib.sha256(f"{room} {seed}".encode()).digest()
    generator = random.Random(label)
    for some in every.values():
        generator.shuffle(some)
    found: list[Planted] = []
    while len(found) < n and any(every.values()):
        for operator in sorted(every):
            if every[operator] and len(found) < n:
                found.append(every[operator].pop())
    return found


def notices(planted: Planted) -> bool:
    """Return whether a test fails with the fault; the checkout is left alone, the tests run on a copy.

    Args:
        planted: The fault.
    """
    with copied() as folder:
        (folder / planted.file.relative_to(ROOT)).write_text(planted.fault.source)
        return any(_fails(folder, stage) for stage in stages_of(planted.room, planted.file))


def passes(room: str) -> bool:
    """Return whether all tests of a room pass on a copy without a fault: otherwise every fault would seem to be noticed.

    Args:
        room: Its name.
    """
    paths = dict.fromkeys(path for file in files_of(room) for stage in stages_of(room, file) for path in stage)
    with copied() as folder:
        return not _fails(folder, list(paths))


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


def _fails(folder: Path, paths: list[str]) -> bool:
    context = get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)  # what takes most of the start of a test run is read once for all faults
    process = context.Process(target=_run, args=(folder, paths))
    process.start()
    process.join(TIMEOUT)
    if process.exitcode is None:
        process.kill()
        process.join()
        return True
    return process.exitcode not in {0, 5}  # 5: no test was collected


def _run(folder: Path, paths: list[str]) -> None:
    """Run tests in a process of its own, silently, on the copy of the package in a folder."""
    os.chdir(folder)
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder / "src")}
    sys.dont_write_bytecode = True
    sys.path[:] = [str(folder / "src"), str(folder), *(p for p in sys.path if p not in {str(ROOT), str(ROOT / "src"), ""})]
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    import pytest

    sys.exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *paths]))
