"""SIGTERM as an exception, so that what has to be put away is put away."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Terminated(BaseException):
    """The process was asked to end by SIGTERM; no error, so that nothing that handles errors stops it."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise :class:`Terminated` in the body when SIGTERM arrives; only the main thread may be interrupted."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)


def _terminate(_number: int, _frame: Any) -> None:
    raise Terminated
