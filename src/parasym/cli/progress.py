"""Progress on stderr."""

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from parasym.cli.screen import console
from parasym.core import one_line


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
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield
        return
    with screen.status(Text(f"{one_line(what)} …")):
        yield


def steps_bar() -> Progress:
    """Return a progress bar on stderr with counts and elapsed time; silent where stderr is no terminal."""
    screen = console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    )
