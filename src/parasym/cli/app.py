"""The command line: the verbs of the table, each imported when it is used."""

import io
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from parasym.cli._table import VERBS
from parasym.cli.verb import Verb
from parasym.version import __version__


class _Verbs(TyperGroup):
    """The verbs; wrong usage is one line, printed where everything is."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for verb in map(Verb, VERBS):
            self.add_command(verb)

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
        from parasym.cli.screen import complain  # it needs torch, which help and version do without

        path = error.ctx.command_path if getattr(error, "ctx", None) else "parasym"
        said = error.format_message().rstrip(".")
        complain(f"{said}{'' if said.endswith('?') else '.'} See `{path} --help`.")
    return int(error.exit_code)


app = typer.Typer(
    name="parasym",
    cls=_Verbs,
    help="Find the parameter symmetries of a model, prove them, and put them to work.\n\n"
    "Exit codes: 0 it holds, 1 it fails, 2 it could not be told (or the input was wrong), 130 and 143 it was stopped.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"parasym {__version__}")
        raise typer.Exit


@app.callback()
def _parasym(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_tell_version, is_eager=True)
    ] = False,
) -> None:
    del version


def main() -> None:
    """Run the command line."""
    app(prog_name="parasym")
