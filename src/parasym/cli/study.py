"""`parasym study`: run the tasks of a study that are not done yet, and say which claims hold."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from parasym.cli.options import JsonOption
from parasym.cli.outcome import Outcome, execute
from parasym.cli.own_study import applicable_settings, own_settings
from parasym.cli.progress import steps_bar
from parasym.cli.screen import tell
from parasym.core import BadInputError
from parasym.data import SOURCES
from parasym.report import Table, claim_table, result_table, rich_table
from parasym.studies import (
    STUDIES,
    AbstractTask,
    Ledger,
    Row,
    Study,
    Summary,
    changed,
    checked_device,
    plain,
    run_study,
    task_id,
)
from parasym.studies.ledger import ASIDE, TASKS
from parasym.version import __version__

NAMES = ", ".join(study.name for study in STUDIES)

RepairOption = Annotated[bool, typer.Option("--repair", help=f"Set damaged lines of the rows aside, into {ASIDE}.")]

SHOWN = 2
"""Measures in the terminal; the page of `parasym report` has all."""


def study(
    name: Annotated[str, typer.Argument(help=f"Which study: {NAMES}.")],
    preset: Annotated[
        str, typer.Option("--preset", "-p", help="tiny (seconds), small (two processors) or paper (a GPU).")
    ] = "tiny",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder of its rows; parasym-STUDY-PRESET, or parasym-STUDY-FACTORY-PRESET, if left out. A run goes on there.",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="Change a setting, as in pairs=2, only=mlp or plan.epochs=5. Repeatable."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="A network of your own: file.py:factory or package.module:factory (Python, which is run)."
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", help="Where data is, as in cifar10=FOLDER, or arrays of your own: FILE.npz. Repeatable."),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    workers: Annotated[int, typer.Option("--workers", "-w", min=1, help="Processes, each with one thread.")] = 1,
    address: Annotated[
        str | None,
        typer.Option("--address", help="Let the workers of a Ray cluster run the tasks: host:port, auto, or local."),
    ] = None,
    repair: RepairOption = False,
    listing: Annotated[bool, typer.Option("--list", help="List the tasks, say which are done, and run nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a study, task by task; whenever it is stopped, the same command goes on. `parasym report` makes pages of its rows.

    Example:
        parasym study lmc --preset small --set pairs=2 --workers 2 --out rows
    """
    own = "" if model is None else f"-{model.rpartition(':')[2]}"
    default = Path(f"parasym-{name}{own}-{preset}")

    def job() -> Outcome:
        found = study_named(name)
        paths = _paths(data or [])
        settings, without = _preset(found, preset), {}
        if model is not None:
            settings = own_settings(found, settings, model, paths)
        settings = changed(settings, changes or [])
        if model is not None:
            settings, without = applicable_settings(settings, paths)
            tell(f"left out: {name}: {reason}" for name, reason in without.items())
        tasks = tuple(task for entry in settings for task in found.tasks(entry))
        folder = out or default
        if repair and (folder / TASKS).exists():
            set_aside(folder)
        if listing:
            return _list(found, tasks, folder, without)
        outcome = _run(found, tasks, folder, preset=preset, paths=paths, device=device, workers=workers, address=address)
        return replace(outcome, data=outcome.data | {"left_out": without})

    execute(job, as_json=as_json, kept=lambda: _kept(out or default))


def _kept(folder: Path) -> str:
    """Return what is left of a study that was stopped."""
    try:
        ledger = Ledger(folder)
        done, every = len(ledger.read().rows), len(ledger.tasks()["tasks"])
    except BadInputError:
        return "Nothing was done yet."
    return f"{done} of {every} tasks are done and kept in {folder}; the same command goes on."


def set_aside(folder: Path) -> None:
    """Set damaged lines of a study aside, and tell.

    Args:
        folder: Of the study.

    Raises:
        BadInputError: If another process works on it, or it is no study.
    """
    found = Ledger(folder).repair()
    tell(f"set aside into {folder / ASIDE}: {damage}" for damage in found)
    tell([] if found else [f"nothing to repair in {folder}"])


def _run(
    study: Study,
    tasks: tuple[AbstractTask, ...],
    folder: Path,
    *,
    preset: str,
    paths: dict[str, Path],
    device: str,
    workers: int,
    address: str | None,
) -> Outcome:
    if address is None:
        checked_device(device)
    with steps_bar() as bar:
        line = bar.add_task(f"{study.title}, {preset}", total=len(tasks))
        rows = run_study(
            study,
            tasks,
            folder,
            preset=preset,
            paths=paths,
            device=device,
            workers=workers,
            address=address,
            tell=lambda done, _: bar.update(line, completed=done),
        )
    return outcome_of(summary_of(study, rows), f"Rows: {folder}. `parasym report {folder}` makes a page of them.", folder)


def whole_rows(folder: Path) -> tuple[Row, ...]:
    """Return the whole rows of a study, and tell which lines are none.

    Args:
        folder: Of the study.

    Raises:
        BadInputError: If it is no study.
    """
    found = Ledger(folder).read()
    tell(f"{damage}; it is left out, and --repair sets it aside" for damage in found.damage)
    return found.rows


def summary_of(study: Study, rows: Sequence[Row]) -> Summary:
    """Return what rows say.

    Args:
        study: The study.
        rows: Its rows, which may come from elsewhere.

    Raises:
        BadInputError: If they lack what the study measures.
    """
    try:
        return study.summarize(rows)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError) as error:
        versions = ", ".join(sorted({row.versions.get("parasym", "an unknown version") for row in rows}))
        raise BadInputError(
            f"The rows lack what study `{study.name}` measures ({type(error).__name__}: {error}). They were written by parasym "
            f"{versions}, and this is {__version__}: were they edited, or is this another version?"
        ) from error


def outcome_of(summary: Summary, last: str, folder: Path) -> Outcome:
    """Return the outcome of a study: its tables, and whether all claims hold.

    Args:
        summary: What its rows say.
        last: The last line.
        folder: Where it is.
    """
    tables = [rich_table(table) for part in summary.parts for table in (result_table(part, most=SHOWN), claim_table(part))]
    verdicts = [claim.verdict for claim in summary.claims]
    counts = f"Of {len(verdicts)} claims {verdicts.count('yes')} hold, {verdicts.count('no')} do not hold, "
    counts += f"{verdicts.count('unsure')} are not settled."
    return Outcome(summary.verdict, {"folder": str(folder), **plain(summary)}, (*tables, counts, last))


def study_named(name: str) -> Study:
    """Return the study of a name.

    Args:
        name: Short name.

    Raises:
        BadInputError: If it is unknown.
    """
    for study in STUDIES:
        if study.name == name:
            return study
    raise BadInputError(f"Study `{name}` is unknown. Known are {NAMES}.")


def _preset(study: Study, preset: str) -> tuple[Any, ...]:
    if preset not in study.presets:
        raise BadInputError(f"Preset `{preset}` of study `{study.name}` is unknown. Known are {', '.join(study.presets)}.")
    return study.presets[preset]


def _paths(data: list[str]) -> dict[str, Path]:
    known = [source.name for source in SOURCES]
    found = {}
    for text in data:
        name, sign, path = text.partition("=")
        if name not in known and text.endswith(".npz"):
            name, sign, path = "own", "=", text
        if not sign or name not in known or not path:
            raise BadInputError(
                f"Option --data must be NAME=PATH with a name of {', '.join(known)}, or FILE.npz, but is `{text}`."
            )
        found[name] = Path(path)
    return found


def _list(study: Study, tasks: tuple[AbstractTask, ...], folder: Path, without: dict[str, str]) -> Outcome:
    ids = [task_id(study.name, study.version, task) for task in tasks]
    done = {row.id for row in whole_rows(folder)} if (folder / TASKS).exists() else set()
    rows = tuple(
        (
            key[:12],
            "done" if key in done else "to do",
            *(str(getattr(task, f, "–")) for f in ("architecture", "data", "variant", "seed")),
        )
        for key, task in zip(ids, tasks, strict=True)
    )
    left = sum(key not in done for key in ids)
    columns = tuple((name, "left") for name in ("id", "state", "architecture", "data", "variant", "seed"))
    table = Table(f"{study.title}: {len(tasks)} tasks, {left} to do", columns, rows)  # pyright: ignore[reportArgumentType]
    listed = [{"id": key, "done": key in done, "seed": task.seed} for key, task in zip(ids, tasks, strict=True)]
    return Outcome("yes", {"folder": str(folder), "tasks": listed, "left_out": without}, (rich_table(table),))
