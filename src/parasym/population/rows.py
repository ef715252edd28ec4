"""The history as lines of JSON, appended while the networks train."""

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parasym.checkpoint import atomic_write, ensure_writable
from parasym.checkpoint.lock import exclusive
from parasym.core import BadInputError
from parasym.population.history import drop_empty
from parasym.population.value import Record


class RowFile(AbstractContextManager["RowFile"]):
    """A file to which the records of some networks are appended, by one process at a time: its lock is held until the end.

    Args:
        path: The file; it appears if it is not there.

    Raises:
        BadInputError: If the file cannot be written, or another process writes to it.
    """

    def __init__(self, path: Path) -> None:
        ensure_writable(path, force=True)
        self.path = path
        self.ids: dict[int, str] = {}
        try:
            path.touch()
        except OSError as error:
            raise BadInputError(f"Output `{path}` cannot be written: {error.strerror}.") from error
        self._lock = self._held(path)

    def __exit__(self, *_: object) -> None:
        """Give the lock back."""
        drop_empty(self.path)
        self._lock.close()

    def begin(self, ids: Mapping[int, str], done: Sequence[Record]) -> None:
        """Make place for the records of some networks, and write those of epochs before this run.

        Rows of other networks stay. Those of these that a killed run wrote after its last checkpoint go, as does the line it was
        writing. A network has the same id however a population is cut into parts, so no row is there twice.

        Args:
            ids: Ids of the networks by seed; each is written into the rows of its network, as ``task``.
            done: Records of epochs before this run.

        Raises:
            BadInputError: If the file holds something else.
        """
        self.ids |= ids
        own = set(ids.values())
        kept = [line for line, row in _read(self.path) if row.get("task") not in own]
        text = "".join(f"{line}\n" for line in [*kept, *map(self._line, done)])
        locks: list[ExitStack] = []

        def write(file: Path) -> None:
            file.write_text(text)
            locks.append(self._held(file))  # before it is in place, so that no other process is first

        atomic_write(self.path, write, force=True)
        self._lock.close()
        self._lock = locks[0]

    def _held(self, path: Path) -> ExitStack:
        held = ExitStack()
        held.enter_context(exclusive(path, f"File `{self.path}`"))
        return held

    def append(self, records: Sequence[Record]) -> None:
        """Write one line per record.

        Args:
            records: Of one epoch.
        """
        with self.path.open("a") as file:
            file.write("".join(f"{self._line(r)}\n" for r in records))

    def _line(self, record: Record) -> str:
        row = asdict(record)
        if record.validation is None:
            del row["validation"]
        # JSON has no NaN: a loss that is not finite is null, and `finite` says so.
        row["loss"] = record.loss if math.isfinite(record.loss) else None
        return json.dumps({"task": self.ids[record.seed]} | row)


def _read(path: Path) -> list[tuple[str, dict[str, Any]]]:
    lines = path.read_text().splitlines() if path.exists() else []
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines):
                break  # cut off when the process was killed
            raise BadInputError(f"Line {number} of `{path}` is no JSON. Choose another file for the rows.") from error
        if not isinstance(row, dict):
            raise BadInputError(f"Line {number} of `{path}` is no row. Choose another file for the rows.")
        found.append((line, row))
    return found
