"""Rows of measurements: timed side by side, printed as a table, kept as JSON lines."""

import json
import os
import platform
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

import torch
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One measured quantity.

    Attributes:
        case: What was worked on.
        contender: Who did it.
        quantity: What was measured, with its unit.
        values: All repetitions; empty if there is no result.
        ratio: The contender's median over that of parasym, measured beside it; ``None`` where there is no such thing.
        note: Why there is no result, or what must be known to read it.
    """

    case: str
    contender: str
    quantity: str
    values: tuple[float, ...]
    ratio: float | None = None
    note: str = ""

    @property
    def median(self) -> float:
        """The median of the repetitions."""
        return statistics.median(self.values) if self.values else float("nan")


class TimeLimitError(Exception):
    """A contender took longer than it was given."""


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise `TimeLimitError` inside the block after so many seconds of processor time; in the main thread only.

    Args:
        seconds: The limit; ``None`` for none.
    """
    if seconds is None:
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TimeLimitError

    previous = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


def cpu_seconds(run: Callable[[], object]) -> float:
    """Return the processor time of one call: with one thread, other work on the machine disturbs it least.

    Args:
        run: What to time.
    """
    start = time.process_time()
    run()
    return time.process_time() - start


def side_by_side(
    case: str, contenders: Mapping[str, Callable[[], object]], *, n: int, limit: float | None = None, patience: float = 20.0
) -> list[Row]:
    """Time contenders in turns, after one run each to warm up, so that all see the same machine; the first is ours.

    Args:
        case: What they work on.
        contenders: By name; the ratios are relative to the first.
        n: Repetitions of each.
        limit: Seconds of processor time after which a run is cut off.
        patience: A contender that needed more than this to warm up is not run again: that run counts.
    """
    taken: dict[str, list[float]] = {}
    notes = dict.fromkeys(contenders, "")
    again = []
    for name, run in contenders.items():
        try:
            with time_limit(limit):
                first = cpu_seconds(run)
        except TimeLimitError:
            notes[name], taken[name] = f"not done in {limit:.0f} s", []
        except Exception as error:
            notes[name], taken[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:90]}", []
        else:
            taken[name] = [first] if first > patience else []
            if first > patience:
                notes[name] = "one run"
            else:
                again.append(name)
    for _ in range(n):
        for name in again:
            taken[name].append(cpu_seconds(contenders[name]))
    ours = statistics.median(taken[next(iter(contenders))])
    return [
        Row(case, name, "CPU seconds", tuple(t), statistics.median(t) / ours if t else None, notes[name])
        for name, t in taken.items()
    ]


def surroundings() -> dict[str, object]:
    """Return what else the numbers depend on."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def save(path: Path, rows: Sequence[Row], command: str) -> None:
    """Write rows as JSON lines; rows of other cases that the file has already stay.

    Args:
        path: The file.
        rows: The rows.
        command: What made them.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    around = surroundings()
    old = path.read_text().splitlines() if path.exists() else []
    lines = [line for line in old if json.loads(line)["case"] not in {row.case for row in rows}]
    for row in rows:
        spread = {"n": len(row.values)}
        if row.values:
            spread |= {"min": min(row.values), "median": row.median, "max": max(row.values)}
        lines.append(json.dumps(asdict(row) | spread | around | {"command": command}))
    path.write_text("\n".join(lines) + "\n")


def show(title: str, rows: Sequence[Row]) -> None:
    """Print rows as a table.

    Args:
        title: What to write above.
        rows: The rows.
    """
    table = Table(title=title, title_justify="left")
    for head in ("case", "contender", "quantity"):
        table.add_column(head)
    for head in ("n", "min", "median", "max", "ratio"):
        table.add_column(head, justify="right")
    table.add_column("note")
    for row in rows:
        numbers = [f"{x:.4g}" for x in (min(row.values), row.median, max(row.values))] if row.values else ["-"] * 3
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}"
        table.add_row(row.case, row.contender, row.quantity, str(len(row.values)), *numbers, ratio, row.note)
    Console(width=None if Console().is_terminal else 170).print(table)
