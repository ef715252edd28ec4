"""What a command returns, how it is printed, and the exit code it becomes."""

import json
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any, Literal

import typer
from rich.console import Console, RenderableType

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


def execute(job: Callable[[], Outcome], *, as_json: bool) -> None:
    """Run a command, print its outcome on stdout, and exit with its code.

    Whatever the user's own code prints goes to stderr, so that stdout is pure. An error becomes one
    line on stderr and, with ``as_json``, an object with the key ``error`` on stdout.

    Args:
        job: The command.
        as_json: Whether to print JSON.

    Raises:
        typer.Exit: Always, with the exit code.
    """
    try:
        with redirect_stdout(sys.stderr):
            outcome = job()
    except (Exception, KeyboardInterrupt) as error:
        _print_error(error, as_json=as_json)
        raise typer.Exit(EXIT_CODES["unsure"]) from error
    if as_json:
        print_json({"holds": outcome.holds, **outcome.data})
    else:
        console = Console()
        for item in outcome.shown:
            console.print(item, highlight=False)
    raise typer.Exit(EXIT_CODES[outcome.holds])


def print_json(data: dict[str, Any]) -> None:
    """Print JSON on stdout and nothing else.

    Args:
        data: Plain values; anything else is written as text.
    """
    sys.stdout.write(json.dumps(data, indent=2, default=str) + "\n")


def _print_error(error: BaseException, *, as_json: bool) -> None:
    if os.environ.get("PARASYM_DEBUG"):
        traceback.print_exception(error)
    message = " ".join(_message(error).split())
    if as_json:
        print_json({"holds": "unsure", "error": {"kind": type(error).__name__, "message": message}})
    sys.stderr.write(f"parasym: {message}\n")


def _message(error: BaseException) -> str:
    if isinstance(error, SymmetryError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted; nothing was written."
    if isinstance(error, MemoryError):
        return "out of memory. Try smaller inputs or fewer samples."
    return (
        f"unexpected {type(error).__name__}: {_first_line(error)}. This is a bug in parasym or in the model's code; "
        "PARASYM_DEBUG=1 shows where. Please report it."
    )


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else "no message"
