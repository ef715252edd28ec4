"""Real processes: two on one folder, one that is killed, one that is interrupted."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from parasym.core import BadInputError
from parasym.studies import Ledger
from tests.needs import needs
from tests.studies import slow_toy, toy

needs("sklearn")
ROOT = Path(__file__).parents[2]
COMMAND = """
import signal, sys
from parasym.cli import app, study as command
from tests.studies.slow_toy import STUDY
command.STUDIES = (STUDY,)
signal.signal(signal.SIGINT, signal.default_int_handler)  # which what begins in the background of a shell does not have
app()
"""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Begin `parasym study` on the slow toy in a process of its own, in the folder ``a``."""
    begun: list[subprocess.Popen[str]] = []

    def study(*options: str) -> subprocess.Popen[str]:
        arguments = ("study", "toy", "-o", str(tmp_path / "a"), "--set", f"log={tmp_path / 'log'}", *options)
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}"}
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        begun.append(process)
        return process

    yield study
    for process in begun:
        process.kill()
        process.communicate()


def wait_for(ready: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    """Wait for an event, however long a busy machine takes; a process that ends before it is an error at once, and says why."""
    until = time.monotonic() + slow_toy.LONG / 2
    while not ready():
        if process is not None and process.poll() is not None:
            pytest.fail(f"the study ended with {process.returncode}: {process.communicate()[1]}")
        assert time.monotonic() < until, "nothing happened"
        time.sleep(0.05)


def processes(log: Path) -> set[int]:
    return {int(line) for line in log.read_text().split()} if log.exists() else set()


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
def test_two_at_once_one_killed_and_one_that_goes_on(tmp_path: Path, start: Start) -> None:
    log, folder = tmp_path / "log", tmp_path / "a"
    first = start("--workers", "2")
    wait_for(lambda: (folder / "rows.jsonl").exists() and len(Ledger(folder).rows()) == 2, first)
    wait_for(lambda: len(processes(log)) == 2, first)

    # Another one on the same folder is refused at once, in this process and in another.
    before = (folder / "rows.jsonl").read_bytes()
    work = toy.tasks(toy.ToySettings("net", 3, str(log)))
    with pytest.raises(BadInputError, match="is in use: another process is writing to it"):
        Ledger(folder).begin("toy", 1, work, preset="tiny", data={})
    with pytest.raises(BadInputError, match="is in use"):
        Ledger(folder).repair()
    assert len(Ledger(folder).rows()) == 2  # to look at it is allowed
    assert (folder / "rows.jsonl").read_bytes() == before

    # The workers end with their parent, in the middle of a task, and the lock goes with it.
    workers = processes(log)
    first.send_signal(signal.SIGKILL)
    first.wait()
    wait_for(lambda: not any(map(lives, workers)))  # their tasks would not end before they are let go
    assert sorted(file.name for file in folder.iterdir()) == ["rows.jsonl", "study.json"]

    # The same command goes on, and Ctrl-C, which a terminal sends to all of them, ends it with one line on what is kept.
    log.unlink()
    second = start("--workers", "2")
    wait_for(lambda: len(processes(log)) == 2, second)
    workers = processes(log)
    for pid in (second.pid, *workers):
        os.kill(pid, signal.SIGINT)
    _, said = second.communicate(timeout=slow_toy.LONG / 2)
    assert second.returncode == 130
    kept = f"parasym: interrupted. 2 of 6 tasks are done and kept in {folder}; the same command goes on."
    assert [line for line in said.splitlines() if line] == [kept]
    wait_for(lambda: not any(map(lives, workers)))
