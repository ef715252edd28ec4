"""Which tests reach which lines of the package, and how long each takes: recorded once, and again when a file has changed."""

import hashlib
import json
import shutil
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import coverage
import pytest

from faults.planting import copied, in_process
from faults.rooms import ROOT, is_near

RECORDS = ROOT / ".faults"
EVERYWHERE = ""
"""What is reached while tests are collected: constants of modules, defaults of arguments."""


@dataclass(frozen=True)
class Reach:
    """What was recorded of some tests.

    Attributes:
        seconds: How long each test took that passed.
        failing: Those that fail without a fault; nothing can be said by them.
        abroad: Those that started a process, whose lines nobody saw.
        data: The lines that every test reached, in the files of the package.
    """

    seconds: dict[str, float]
    failing: tuple[str, ...]
    abroad: frozenset[str]
    data: tuple[coverage.CoverageData, ...]

    def tests(self, file: Path, lines: range) -> list[str]:
        """Return the tests that could notice a fault, most promising first: near ones, then quick ones.

        Args:
            file: With the fault.
            lines: Of the statement that is changed.
        """
        there: set[str] = set()
        for data in self.data:
            contexts = data.contexts_by_lineno(str(file.relative_to(ROOT)))
            there.update(context for line in lines for context in contexts.get(line, ()))
        chosen = self.seconds if EVERYWHERE in there else there | self.abroad
        return sorted(chosen & self.seconds.keys(), key=lambda x: (x not in there, not is_near(x, file), self.seconds[x]))


def reach_of(paths: list[str]) -> Reach:
    """Return what tests reach, from the record if there is one of the checkout as it is.

    Args:
        paths: Folders and files of tests.
    """
    folder = RECORDS / _state()
    for other in RECORDS.iterdir() if RECORDS.exists() else ():
        if other != folder:
            shutil.rmtree(other)
    folder.mkdir(parents=True, exist_ok=True)
    parts = [_recorded(path, folder / path.replace("/", ".")) for path in paths]
    return Reach(
        {k: v for part in parts for k, v in part.seconds.items()},
        tuple(x for part in parts for x in part.failing),
        frozenset().union(*(part.abroad for part in parts)),
        tuple(x for part in parts for x in part.data),
    )


def _state() -> str:
    """Return a digest of everything that can change what tests reach."""
    digest = hashlib.sha256()
    for path in sorted([ROOT / "conftest.py", ROOT / "pyproject.toml", *ROOT.glob("src/**/*.py"), *ROOT.glob("tests/**/*.py")]):
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _recorded(path: str, record: Path) -> Reach:
    told = record.with_name(f"{record.name}.json")
    if not told.exists():
        with copied() as folder:
            in_process(folder, _record, (path, record, told))
    data = coverage.CoverageData(str(record))
    data.read()
    kept = json.loads(told.read_text())
    return Reach(kept["seconds"], tuple(kept["failing"]), frozenset(kept["abroad"]), (data,))


def _record(path: str, record: Path, told: Path) -> None:
    measured = coverage.Coverage(data_file=str(record), config_file=False, include=["src/parasym/*"], messages=False)
    measured.set_option("run:relative_files", True)
    watcher = _Watcher(measured)
    measured.start()
    pytest.main(["-q", "-p", "no:cacheprovider", path], plugins=[watcher])
    measured.stop()
    measured.save()
    passed = {k: v for k, v in watcher.seconds.items() if k not in watcher.failing}
    told.write_text(json.dumps({"seconds": passed, "failing": sorted(watcher.failing), "abroad": watcher.abroad}))


class _Watcher:
    """Tells the measurement which test runs."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self.measured = measured
        self.seconds: dict[str, float] = {}
        self.failing: set[str] = set()
        self.abroad: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        children, start = getrusage(RUSAGE_CHILDREN), time.monotonic()
        self.measured.switch_context(item.nodeid)
        result = yield
        self.measured.switch_context(EVERYWHERE)
        self.seconds[item.nodeid] = round(time.monotonic() - start, 3)
        if getrusage(RUSAGE_CHILDREN) != children:
            self.abroad.append(item.nodeid)
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failing.add(report.nodeid)
