"""Write files whole or not at all, and never over another by accident."""

import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from parasym.core import BadInputError


def ensure_writable(path: str | Path, *, force: bool = False) -> Path:
    """Return the path of an output file, after checking that it may be written.

    To be called before the work, so that nobody waits for a result that cannot be kept.

    Args:
        path: The file to write later.
        force: Whether an existing file may be replaced.

    Raises:
        BadInputError: If it exists and ``force`` is off, is a folder, or its folder does not exist.

    Example:
        >>> ensure_writable("no-such-folder/a.json")
        Traceback (most recent call last):
        parasym.core.error.BadInputError: Output `no-such-folder/a.json` cannot be written: ...
    """
    path = Path(path)
    try:
        path.exists()
    except OSError as error:
        raise BadInputError(f"Output `{path}` cannot be written: {error.strerror}.") from error
    if path.is_dir():
        raise BadInputError(f"Output `{path}` must be a file, but is a folder.")
    if path.exists() and not force:
        raise BadInputError(f"Output `{path}` exists already. Choose another name, or give --force to replace it.")
    if not path.parent.is_dir():
        raise BadInputError(f"Output `{path}` cannot be written: the folder `{path.parent}` does not exist.")
    if not os.access(path.parent, os.W_OK):
        raise BadInputError(f"Output `{path}` cannot be written: no permission in the folder `{path.parent}`.")
    return path


def atomic_write(path: str | Path, write: Callable[[Path], object], *, force: bool = False) -> Path:
    """Let ``write`` fill a file without a name in the same folder, then put it into place.

    If ``write`` raises, or the process is killed at any moment, nothing is left behind and an existing file is untouched: until
    it is whole the file has no name, and the system takes its space back. Where the system has no such files (they are
    Linux's), it has a hidden name until then.

    Args:
        path: The file to appear.
        write: Called with a path to write to, at which nothing lies beside.
        force: Whether an existing file may be replaced.

    Returns:
        The path of the file.

    Raises:
        BadInputError: As :func:`ensure_writable`, or if the system refuses to write.
    """
    path = ensure_writable(path, force=force)
    try:
        with _nameless(path) as (file, place):
            write(file)
            file.chmod(0o666 & ~_umask())
            place(force)
    except FileExistsError as error:
        raise BadInputError(f"Output `{path}` exists already: it appeared meanwhile. Give --force to replace it.") from error
    except OSError as error:
        raise BadInputError(f"Output `{path}` cannot be written: {error.strerror}.") from error
    return path


@contextmanager
def _nameless(path: Path) -> Iterator[tuple[Path, Callable[[bool], None]]]:
    """Give a file to write to, and the function that puts it into place."""
    handle = _open_nameless(path.parent)
    if handle is None:
        with _hidden(path) as hidden:
            yield hidden
        return
    try:
        yield _path_of(handle), lambda force: _link(handle, path, force)
    finally:
        os.close(handle)


def _open_nameless(folder: Path) -> int | None:
    """Return a handle of a file without a name, or nothing where the system or the file system has none."""
    if not hasattr(os, "O_TMPFILE"):
        return None
    try:
        handle = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
    except OSError as error:
        if error.errno in {errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL}:
            return None
        raise
    if _path_of(handle).exists():
        return handle
    os.close(handle)  # without /proc it could not be named
    return None


def _path_of(handle: int) -> Path:
    return Path(f"/proc/self/fd/{handle}")


def _link(handle: int, path: Path, force: bool) -> None:
    """Give the file its name; over an existing one it takes a hidden name for a moment, for only a rename replaces."""
    target = path.with_name(f".{path.name[:40]}-{os.getpid()}") if force and path.exists() else path
    root = os.open("/", os.O_RDONLY)  # with a folder Python follows the link of /proc
    try:
        os.link(_path_of(handle), target, src_dir_fd=root, follow_symlinks=True)
    finally:
        os.close(root)
    if target is not path:
        target.replace(path)


@contextmanager
def _hidden(path: Path) -> Iterator[tuple[Path, Callable[[bool], None]]]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary, lambda _: (temporary.replace(path), None)[1]
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
