"""The command line: one verb per file, listed here."""

import io
import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from parasym.cli.canonicalize import canonicalize
from parasym.cli.demo import demo
from parasym.cli.distance import distance
from parasym.cli.find import find
from parasym.cli.hop import hop
from parasym.cli.match import match
from parasym.cli.merge import merge
from parasym.cli.report import report
from parasym.cli.screen import complain
from parasym.cli.study import study
from parasym.cli.verify import verify

VERBS: tuple[Callable[..., None], ...] = (find, verify, match, merge, distance, canonicalize, hop, demo, study, report)


class _Verbs(TyperGroup):
    """The verbs; wrong usage is one line, printed where everything is."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, standalone_mode: bool = True, **more: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter is no error
        try:
            code = super().main(args, *rest, standalone_mode=False, **more)
        except Exception as error:
            if not standalone_mode or not hasattr(error, "format_message"):
                raise
            code = _usage(error)
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code


def _usage(error: Any) -> int:
    """Say what is wrong with a command, in one line; without a command its help was printed already."""
    if type(error).__name__ != "NoArgsIsHelpError":
        path = error.ctx.command_path if getattr(error, "ctx", None) else "parasym"
        complain(f"{error.format_message().rstrip('.')}. See `{path} --help`.")
    return int(error.exit_code)


app = typer.Typer(
    name="parasym",
    cls=_Verbs,
    help="Find the parameter symmetries of a model, prove them, and put them to work.\n\n"
    "Exit codes: 0 it holds, 1 it fails, 2 it could not be told (or the input was wrong), 130 and 143 it was stopped.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _verb in VERBS:
    app.command()(_verb)


def main() -> None:
    """Run the command line."""
    app()
