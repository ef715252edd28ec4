"""`parasym report`: page, tables and figures of a study, from its rows alone."""

from pathlib import Path
from typing import Annotated

import typer

from parasym.cli.options import JsonOption
from parasym.cli.outcome import Outcome, execute
from parasym.cli.study import RepairOption, outcome_of, set_aside, study_named, summary_of, whole_rows
from parasym.core import BadInputError
from parasym.report import write_results
from parasym.studies import Ledger


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a study, as `parasym study` made it.")],
    repair: RepairOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write report.html, results.md and figures of a study into its folder, from its rows and nothing else."""
    execute(lambda: _report(folder, repair), as_json=as_json)


def _report(folder: Path, repair: bool) -> Outcome:
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
    return outcome_of(summary, last, folder)
