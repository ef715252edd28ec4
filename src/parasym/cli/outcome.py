"""What a command returns, how it is printed, and the exit code it becomes."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import typer
from rich.console import RenderableType

from parasym.cli.screen import complain, show, show_json
from parasym.cli.stop import Terminated, stoppable
from parasym.core import SymmetryError

Verdict = Literal["yes", "no", "unsure"]

EXIT_CODES: dict[Verdict, int] = {"yes": 0, "no": 1, "unsure": 2}


@dataclass(frozen=True)
class Outcome:
    """The result of a command.

    Attributes:
        holds: Becomes the exit code: 0 for yes, 1 for no, 2 for unsure.
        data: What ``--json`` prints.
        shown: What is printed otherwise, top to bottom.
    """

    holds: Verdict
    data: dict[str, Any]
    shown: tuple[RenderableType, ...]


def execute(job: Callable[[], Outcome], *, as_json: bool, kept: Callable[[], str] | None = None) -> None:
    """Run a command, print its outcome on stdout, and exit with its code.

    Whatever the user's own code prints goes to stderr, so that stdout is pure. An error becomes one
    line on stderr and, with ``as_json``, an object with the key ``error`` on stdout. Ctrl-C ends with 130, SIGTERM with 143.

    Args:
        job: The command.
        as_json: Whether to print JSON.
        kept: A sentence on what is left of a command that was stopped half-way.

    Raises:
        typer.Exit: Always, with the exit code.
    """
    try:
        with stoppable(), redirect_stdout(sys.stderr):
            outcome = job()
    except (Exception, KeyboardInterrupt, Terminated) as error:
        _print_error(error, as_json=as_json, kept=kept)
        raise typer.Exit(_exit_code(error)) from error
    try:
        if as_json:
            show_json({"holds": outcome.holds, **outcome.data})
        else:
            show(outcome.shown)
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # the reader left; the outcome is what it is
    raise typer.Exit(EXIT_CODES[outcome.holds])


def _exit_code(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT
    return 128 + signal.SIGTERM if isinstance(error, Terminated) else EXIT_CODES["unsure"]


def _print_error(error: BaseException, *, as_json: bool, kept: Callable[[], str] | None) -> None:
    if os.environ.get("PARASYM_DEBUG"):
        traceback.print_exception(error)
    said = complain(_message(error, kept))
    if as_json:
        show_json({"holds": "unsure", "error": {"kind": type(error).__name__, "message": said}})


def _message(error: BaseException, kept: Callable[[], str] | None) -> str:
    if isinstance(error, SymmetryError):
        return str(error)
    if isinstance(error, (KeyboardInterrupt, Terminated)):
        how = "stopped by SIGTERM" if isinstance(error, Terminated) else "interrupted"
        return f"{how}. {kept() if kept else 'Outputs are written whole or not at all: none is half-written.'}"
    if isinstance(error, OSError) and error.strerror:
        where = f"`{error.filename}` cannot be used" if error.filename else "the system refuses"
        return f"{where}: {error.strerror}."
    if isinstance(error, MemoryError):
        return "out of memory. Try smaller inputs or fewer samples."
    return (
        f"unexpected {type(error).__name__}: {_first_line(error)}. This is a bug in parasym or in the model's code; "
        "PARASYM_DEBUG=1 shows where. Please report it."
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else "no message"
