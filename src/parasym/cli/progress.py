"""Progress on stderr."""

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


def stderr_console() -> Console:
    """Return a console on what is stderr now, whatever it is redirected to later."""
    return Console(file=sys.stderr)


@contextmanager
def quiet_errors() -> Iterator[None]:
    """Keep what libraries print on stderr to themselves, unless PARASYM_DEBUG is set.

    torch.export prints and logs the graph before it gives up; the error says the same in one line.
    """
    if os.environ.get("PARASYM_DEBUG"):
        yield
        return
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show a spinner with ``what`` on stderr while the body runs; silent where stderr is no terminal.

    Args:
        what: The step, as in ``Finding the symmetry``.
    """
    console = stderr_console()
    if not console.is_terminal:
        yield
        return
    with console.status(f"{what} …"):
        yield


def steps_bar() -> Progress:
    """Return a progress bar on stderr with counts and elapsed time; silent where stderr is no terminal."""
    console = stderr_console()
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def tell(notes: tuple[str, ...] | list[str]) -> None:
    """Print notes on stderr, one per line.

    Args:
        notes: Sentences.
    """
    console = stderr_console()
    for note in notes:
        console.print(f"note: {note}", style="dim", highlight=False, markup=False, soft_wrap=True)
