"""The folder of a study: its list of tasks, and one line per finished one."""

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from parasym.checkpoint import atomic_write
from parasym.checkpoint.lock import exclusive
from parasym.core import BadInputError
from parasym.studies.row import Row, row_from_json
from parasym.studies.schema import FORMAT, check, parsed
from parasym.studies.schema import TASKS as FIELDS
from parasym.studies.task import AbstractTask, task_id

TASKS, ROWS, ASIDE = "study.json", "rows.jsonl", "rows.damaged.jsonl"


@dataclass(frozen=True)
class Damage:
    """A line that is no row of the study.

    Attributes:
        file: Where it is.
        line: Its number, from 1.
        reason: What is wrong with it.
        text: The line.
    """

    file: Path
    line: int
    reason: str
    text: bytes

    def __str__(self) -> str:
        return f"Line {self.line} of `{self.file}` {self.reason}"


@dataclass(frozen=True)
class Reading:
    """What the file of rows holds.

    Attributes:
        rows: The whole rows, in the order of the list of tasks.
        damage: The lines that are none.
        cut: A last line that was cut in the middle.
    """

    rows: tuple[Row, ...]
    damage: tuple[Damage, ...] = ()
    cut: bytes = b""


class Ledger:
    """The folder in which a study keeps its tasks and rows.

    A row is appended and flushed to the disk when its task ends: whenever the study is killed, it loses the tasks that were
    running and nothing else. A line that was cut in the middle is dropped when the study goes on. From :meth:`begin` to the end
    of the ``with`` block no other process can begin on the folder.

    Args:
        folder: Where; made by :meth:`begin` if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = ExitStack()

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def begin(
        self, study: str, version: int, tasks: Sequence[AbstractTask], *, preset: str, data: dict[str, str]
    ) -> tuple[AbstractTask, ...]:
        """Write the list of tasks, or check that it is the one the folder was begun with, and return what is left to do.

        Args:
            study: Name of the study.
            version: Of its procedure.
            tasks: All tasks.
            preset: Where they come from, for people.
            data: The SHA-256 of the data, by source and part.

        Returns:
            The tasks without a row, in their order.

        Raises:
            BadInputError: If the folder is in use or belongs to another study, or its tasks, data or rows are not those.
        """
        ids = {task_id(study, version, task): task for task in tasks}
        if len(ids) != len(tasks):
            raise BadInputError(f"Study `{study}` has the same task twice. Give every task fields of its own.")
        if not (self.folder / TASKS).exists():
            self._create(study, version, ids, preset, data)
        self._hold()
        self._compare(study, version, ids, data)
        done = {row.id for row in self.rows()}
        self._close_last_line()
        return tuple(task for key, task in ids.items() if key not in done)

    def append(self, row: Row) -> None:
        """Add a row, on the disk when this returns.

        Args:
            row: The row of a task of the list.
        """
        with (self.folder / ROWS).open("a", encoding="utf-8") as file:
            file.write(row.to_json() + "\n")
            file.flush()
            os.fsync(file.fileno())

    def tasks(self) -> dict[str, Any]:
        """Return what :meth:`begin` wrote.

        Raises:
            BadInputError: If the folder holds no study.
        """
        path = self.folder / TASKS
        try:
            found = {"format": FORMAT} | parsed(path.read_bytes())
            check(found, FIELDS)
        except FileNotFoundError as error:
            raise BadInputError(
                f"Folder `{self.folder}` holds no study: it has no {TASKS}. Run `parasym study` first."
            ) from error
        except (OSError, ValueError) as error:
            raise BadInputError(f"`{path}` is not the list of tasks of a study: {error}. Choose another folder.") from error
        if found["format"] != FORMAT:
            raise BadInputError(f"`{path}` has format {found['format']}, but this version of parasym reads format {FORMAT}.")
        return found

    def rows(self) -> tuple[Row, ...]:
        """Return all rows, in the order of the list of tasks.

        Raises:
            BadInputError: If a line is damaged, has other records than another line for the same task, or belongs to no task.
        """
        found = self.read()
        for damage in found.damage:
            more = f" (and {len(found.damage) - 1} more)" if len(found.damage) > 1 else ""
            raise BadInputError(
                f"{damage}{more}. The {len(found.rows)} whole rows stay usable: --repair sets damaged lines aside, into "
                f"`{self.folder / ASIDE}`."
            )
        return found.rows

    def read(self) -> Reading:
        """Return the whole rows, and what is wrong with the other lines; rows that are there twice with equal records count once.

        Raises:
            BadInputError: If the folder holds no study, or the file of rows cannot be read.
        """
        order = {key: index for index, key in enumerate(self.tasks()["tasks"])}
        path = self.folder / ROWS
        try:
            *lines, last = path.read_bytes().split(b"\n") if path.exists() else (b"",)
        except OSError as error:
            raise BadInputError(f"`{path}` cannot be read: {error.strerror}.") from error
        found: dict[str, tuple[int, Row]] = {}
        damage = []
        for number, line in enumerate(lines, start=1):
            reason = _add(found, number, line, order) if line.strip() else ""
            if reason:
                damage.append(Damage(path, number, reason, line))
        cut = last if last and _add(found, len(lines) + 1, last, order) else b""
        rows = sorted((row for _, row in found.values()), key=lambda row: order[row.id])
        return Reading(tuple(rows), tuple(damage), cut)

    def repair(self) -> tuple[Damage, ...]:
        """Move every damaged line into a file of its own beside the rows, and return them; whole rows stay.

        Returns:
            What was set aside.

        Raises:
            BadInputError: If another process works on the folder.
        """
        self.tasks()
        with exclusive(self.folder / TASKS, f"Folder `{self.folder}`"):
            damage = self.read().damage
            if damage:
                numbers = {each.line for each in damage}
                lines = (self.folder / ROWS).read_bytes().split(b"\n")
                with (self.folder / ASIDE).open("ab") as file:
                    file.write(b"".join(each.text + b"\n" for each in damage))
                    file.flush()
                    os.fsync(file.fileno())
                kept = b"\n".join(line for number, line in enumerate(lines, start=1) if number not in numbers)
                atomic_write(self.folder / ROWS, lambda file: file.write_bytes(kept), force=True)
        return damage

    def _hold(self) -> None:
        self._lock.close()
        self._lock.enter_context(exclusive(self.folder / TASKS, f"Folder `{self.folder}`"))

    def _create(self, study: str, version: int, ids: dict[str, AbstractTask], preset: str, data: dict[str, str]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInputError(f"Folder `{self.folder}` cannot be made: {error.strerror}. Choose another.") from error
        if (self.folder / ROWS).exists():
            raise BadInputError(f"Folder `{self.folder}` has {ROWS} but no {TASKS}. Choose another folder.")
        content = {
            "format": FORMAT,
            "study": study,
            "version": version,
            "preset": preset,
            "data": data,
            "tasks": {key: asdict(task) for key, task in ids.items()},
        }
        text = json.dumps(content, indent=1) + "\n"
        try:
            atomic_write(self.folder / TASKS, lambda file: file.write_text(text, encoding="utf-8"))
        except BadInputError:
            if not (self.folder / TASKS).exists():  # else another process began on it at the same moment
                raise

    def _compare(self, study: str, version: int, ids: dict[str, AbstractTask], data: dict[str, str]) -> None:
        known = self.tasks()
        if known["study"] != study:
            raise BadInputError(
                f"Folder `{self.folder}` belongs to the study `{known['study']}`. Choose another one for `{study}`."
            )
        if known["version"] != version:
            raise BadInputError(
                f"Folder `{self.folder}` was begun with version {known['version']} of the study `{study}`, which is now version "
                f"{version} and gives other numbers. Choose another folder."
            )
        if set(known["tasks"]) != set(ids):
            raise BadInputError(
                f"Folder `{self.folder}` was begun with another list of tasks: {_changes(known['tasks'], ids)}. Use the settings"
                " it was begun with, or another folder: rows of two lists are not comparable."
            )
        for name, digest in data.items():
            if known["data"].get(name, digest) != digest:
                raise BadInputError(
                    f"Folder `{self.folder}` was begun with other data `{name}`: its SHA-256 was {known['data'][name][:12]} and"
                    f" is now {digest[:12]}. Give the data it was begun with, or another folder."
                )

    def _close_last_line(self) -> None:
        """End the last line, or remove it if it was cut in the middle, so that the next row begins a new one."""
        path = self.folder / ROWS
        cut = self.read().cut
        if cut:
            os.truncate(path, path.stat().st_size - len(cut))
        elif path.exists() and path.stat().st_size and not path.read_bytes().endswith(b"\n"):
            with path.open("ab") as file:
                file.write(b"\n")


def _add(found: dict[str, tuple[int, Row]], number: int, line: bytes, order: dict[str, int]) -> str:
    """Add the row of a line to those found so far, or return what is wrong with it."""
    try:
        row = row_from_json(line)
    except BadInputError as error:
        return f"is damaged: {str(error).rstrip('.')}"
    if row.id not in order:
        return f"belongs to no task of this study (id {row.id[:12]})"
    earlier, same = found.setdefault(row.id, (number, row))
    if (row.records, row.task) != (same.records, same.task):
        return f"has other records than line {earlier}, for the same task (id {row.id[:12]})"
    return ""


def _changes(known: dict[str, Any], ids: dict[str, AbstractTask]) -> str:
    """Return how many tasks are gone and new, and the first field in which the lists differ."""
    gone, new = [known[k] for k in known if k not in ids], [asdict(t) for k, t in ids.items() if k not in known]
    text = f"{len(gone)} of its {len(known)} tasks are gone and {len(new)} are new"
    fields = sorted({f for task in (*gone, *new) for f in task})
    for field in fields:
        before, after = ([task.get(field) for task in side] for side in (gone, new))
        if before and after and not any(value in after for value in before):
            return f"{text} (`{field}` was {before[0]} and is now {after[0]})"
    return text
