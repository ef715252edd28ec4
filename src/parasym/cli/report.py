"""`parasym report`: page, tables and figures of a study, or of several, from their rows alone."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from parasym.cli.options import JsonOption
from parasym.cli.outcome import Outcome, execute
from parasym.cli.study import RepairOption, outcome_of, set_aside, study_named, summary_of, whole_rows
from parasym.core import BadInputError
from parasym.report import Reported, write_overview, write_results
from parasym.studies import Ledger, plain
from parasym.studies.family import together
from parasym.studies.ledger import TASKS


def report(
    folders: Annotated[list[Path], typer.Argument(help="Folders of studies, as `parasym study` made them.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder of a page over all of them, which opens with one plot of all claims."),
    ] = None,
    repair: RepairOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write report.html, results.md and figures of a study into its folder, from its rows and nothing else.

    Example:
        parasym report rows other-rows --out all
    """
    execute(lambda: _report(folders, out, repair), as_json=as_json)


def _report(folders: list[Path], out: Path | None, repair: bool) -> Outcome:
    if out is not None and (out / TASKS).exists():
        raise BadInputError(f"Option --out must be a folder of its own, but `{out}` is a study, whose report has the same name.")
    made = [_one(folder, repair) for folder in folders]
    if out is None:
        return made[0][1] if len(made) == 1 else _several(made, "`--out FOLDER` makes a page over all of them.")
    command = shlex.join(["parasym", "report", *map(str, folders), "--out", str(out)])
    page = write_overview([reported for reported, _ in made], out, command=command)[0]
    return _several(made, f"Page of all: {page}")


def _several(made: list[tuple[Reported, Outcome]], last: str) -> Outcome:
    claims = [claim for reported, _ in made for claim in reported.summary.claims]
    data = [{"folder": str(reported.folder), **plain(reported.summary)} for reported, _ in made]
    return Outcome(together(claims), {"studies": data}, (*(item for _, one in made for item in one.shown), last))


def _one(folder: Path, repair: bool) -> tuple[Reported, Outcome]:
    begun = Ledger(folder).tasks()
    study = study_named(begun["study"])
    if repair:
        set_aside(folder)
    rows = whole_rows(folder)
    if not rows:
        raise BadInputError(f"Folder `{folder}` has no rows yet. Run `parasym study {study.name}` first.")
    summary = summary_of(study, rows)
    command = f"parasym study {study.name} --preset {begun['preset']}"
    missing = len(begun["tasks"]) - len(rows)
    page = write_results(folder, summary, rows, command=command)[0]
    last = f"Page: {page}" + (f" ({missing} of {len(begun['tasks'])} tasks are not done yet)" if missing else "")
    return Reported(folder, summary), outcome_of(summary, last, folder)
