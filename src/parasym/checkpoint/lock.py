"""One writer at a time: a lock that goes with the process that holds it."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from parasym.core import BadInputError

HELD = frozenset({errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK})


@contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold the lock of a file while the body runs; the file itself is not touched, and nothing is left beside it.

    Processes that do not ask for the lock are not kept out. The system takes it back when the process ends, however it ends. It
    works on a disk that several machines share if that disk has locks, as NFS does. Whoever replaces the file holds the lock of
    the new one before it is in place.

    Args:
        path: A file that exists and may be written.
        what: What is locked, for people, as in ``Folder `runs` ``.

    Raises:
        BadInputError: If another process holds it, or the file cannot be locked.
    """
    file = _locked(path, what)
    while not _is_at(file, path):  # another process put a new file into its place before it gave the lock back
        file.close()
        file = _locked(path, what)
    with file:
        yield


def _is_at(file: IO[Any], path: Path) -> bool:
    return path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())


def _locked(path: Path, what: str) -> IO[Any]:
    try:
        file = path.open("r+b")
    except OSError as error:
        raise BadInputError(f"{what} cannot be locked: {error.strerror}.") from error
    try:
        _lock(file)
    except OSError as error:
        file.close()
        if error.errno in HELD:
            raise BadInputError(
                f"{what} is in use: another process is writing to it. Wait until it has ended, stop it, or choose another."
            ) from error
        raise BadInputError(
            f"{what} cannot be locked: {error.strerror}. Two processes that write to it would spoil it: choose a disk with locks."
        ) from error
    return file


if sys.platform == "win32":

    def _lock(file: IO[Any]) -> None:
        import msvcrt

        file.seek(1 << 40)  # a byte far behind the end: others may still read the file
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:

    def _lock(file: IO[Any]) -> None:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
