"""The folder of a study: its list of tasks, and one line per finished one."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parasym.checkpoint import atomic_write
from parasym.core import BadInputError
from parasym.studies.row import Row, row_from_json
from parasym.studies.task import AbstractTask, task_id

TASKS, ROWS = "study.json", "rows.jsonl"


class Ledger:
    """The folder in which a study keeps its tasks and rows.

    A row is appended and flushed to the disk when its task ends: whenever the study is killed, it loses the tasks that were
    running and nothing else. A line that was cut in the middle is dropped when the study goes on.

    Args:
        folder: Where; made by :meth:`begin` if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

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
            BadInputError: If the folder belongs to another study, or its tasks, data or rows are not those.
        """
        ids = {task_id(study, version, task): task for task in tasks}
        if len(ids) != len(tasks):
            raise BadInputError(f"Study `{study}` has the same task twice. Give every task fields of its own.")
        if (self.folder / TASKS).exists():
            self._compare(study, ids, data)
        else:
            self._create(study, version, ids, preset, data)
        done = {row.id for row in self.rows()}
        self._cut()
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
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise BadInputError(
                f"Folder `{self.folder}` holds no study: it has no {TASKS}. Run `parasym study` first."
            ) from error
        except (OSError, ValueError) as error:
            raise BadInputError(f"`{path}` is not the list of tasks of a study: {error}. Choose another folder.") from error
        if not isinstance(found, dict) or not {"study", "tasks", "data", "preset"} <= found.keys():
            raise BadInputError(
                f"`{path}` is not the list of tasks of a study: it lacks some of its keys. Choose another folder."
            )
        return found

    def rows(self) -> tuple[Row, ...]:
        """Return all whole rows, in the order of the list of tasks.

        Raises:
            BadInputError: If a row is damaged, is there twice, or belongs to no task of the list.
        """
        order = {key: index for index, key in enumerate(self.tasks()["tasks"])}
        path = self.folder / ROWS
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        found: dict[str, Row] = {}
        for number, line in enumerate(text.splitlines(keepends=True), start=1):
            if not line.endswith("\n"):
                break  # cut in the middle: its task was not finished
            row = row_from_json(line)
            if row.id not in order or row.id in found:
                wrong = "is there twice" if row.id in found else "belongs to no task of this study"
                raise BadInputError(
                    f"Line {number} of `{path}` {wrong} (id {row.id[:12]}). Rows of another list of tasks must not be mixed in:"
                    " remove the line, or use another folder."
                )
            found[row.id] = row
        return tuple(sorted(found.values(), key=lambda row: order[row.id]))

    def _create(self, study: str, version: int, ids: dict[str, AbstractTask], preset: str, data: dict[str, str]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInputError(f"Folder `{self.folder}` cannot be made: {error.strerror}. Choose another.") from error
        if (self.folder / ROWS).exists():
            raise BadInputError(f"Folder `{self.folder}` has {ROWS} but no {TASKS}. Choose another folder.")
        content = {
            "study": study,
            "version": version,
            "preset": preset,
            "data": data,
            "tasks": {key: asdict(task) for key, task in ids.items()},
        }
        text = json.dumps(content, indent=1) + "\n"
        atomic_write(self.folder / TASKS, lambda file: file.write_text(text, encoding="utf-8"))

    def _compare(self, study: str, ids: dict[str, AbstractTask], data: dict[str, str]) -> None:
        known = self.tasks()
        if known["study"] != study:
            raise BadInputError(
                f"Folder `{self.folder}` belongs to the study `{known['study']}`. Choose another one for `{study}`."
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

    def _cut(self) -> None:
        """Remove a last line that was cut in the middle, so that the next row begins a new one."""
        path = self.folder / ROWS
        if path.exists():
            whole = path.read_bytes()
            keep = whole.rfind(b"\n") + 1
            if keep < len(whole):
                os.truncate(path, keep)


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
