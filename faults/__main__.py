"""``python -m faults [ROOM ...] [--n 20] [--seed 0]``: plant faults drawn at random, and list those that no test notices.

A fault is one comparison, sign, constant or statement changed in one file. It is noticed if a test of the room fails, or takes
longer than it may. Those that survive are compared with the list of tolerated ones, ``faults/tolerated.json``, each with its
reason: it may only shrink. The exit code is 1 if another one survives, or if a tolerated one was drawn and is noticed now.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from faults.operators import Fault, faults_of
from faults.rooms import PACKAGE, ROOT, files_of, rooms, stages_of

TOLERATED = Path(__file__).parent / "tolerated.json"
TIMEOUT = 300.0
"""Seconds that one stage of tests may take before the fault counts as noticed: it made an endless loop."""


PRELOADED = ["torch", "torch.func", "torch.export", "numpy", "scipy.optimize", "safetensors.torch"]


COPIED = {"src", "tests", "docs", "examples", "benchmarks", "faults", "requirements"}
VERDICTS = {
    (True, False): "noticed",
    (True, True): "noticed, take it off the list",
    (False, False): "SURVIVES",
    (False, True): "tolerated",
}


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


def main() -> int:
    """Plant faults into the rooms; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"any of {', '.join(rooms())}; all by default")
    parser.add_argument("--n", type=int, default=20, help="faults per room")
    parser.add_argument("--seed", type=int, default=0, help="which are drawn")
    parser.add_argument("--list", action="store_true", help="say which would be planted, and run nothing")
    chosen = parser.parse_args()
    unknown = set(chosen.rooms) - set(rooms())
    if unknown:
        parser.error(f"unknown room {', '.join(sorted(unknown))}; there are {', '.join(rooms())}")
    tolerated, wrong, total = json.loads(TOLERATED.read_text()), 0, 0
    for room in chosen.rooms or rooms():
        if not chosen.list and not passes(room):
            print(f"the tests of {room} fail without a fault: nothing can be said about it")
            wrong += 1
            continue
        for planted in drawn(room, chosen.n, chosen.seed):
            total += 1
            if chosen.list:
                print(f"{planted.key}  (line {planted.fault.line})")
                continue
            start = time.monotonic()
            noticed = notices(planted)
            known = planted.key in tolerated
            verdict = (
                ("noticed, take it off the list" if known else "noticed") if noticed else "tolerated" if known else "SURVIVES"
            )
            wrong += noticed == known
            print(f"{verdict:9} {time.monotonic() - start:5.0f} s  {planted.key}  (line {planted.fault.line})", flush=True)
    print(f"{total} faults, {wrong} not as the list says")
    return int(wrong > 0)


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


if __name__ == "__main__":
    sys.exit(main())
