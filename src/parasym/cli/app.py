"""The command line: one verb per file, listed here."""

from collections.abc import Callable

import typer

from parasym.cli.demo import demo
from parasym.cli.find import find
from parasym.cli.hop import hop
from parasym.cli.match import match
from parasym.cli.merge import merge
from parasym.cli.report import report
from parasym.cli.study import study
from parasym.cli.verify import verify

VERBS: tuple[Callable[..., None], ...] = (find, verify, match, merge, hop, demo, study, report)

app = typer.Typer(
    name="parasym",
    help="Find the parameter symmetries of a model, prove them, and put them to work.\n\n"
    "Exit codes: 0 it holds, 1 it fails, 2 it could not be told (or the input was wrong).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _verb in VERBS:
    app.command()(_verb)


def main() -> None:
    """Run the command line."""
    app()
