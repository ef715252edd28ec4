"""Write files whole or not at all, and never over another by accident."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

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
    """Let ``write`` fill a temporary file in the same folder, then move it into place.

    If ``write`` raises, nothing is left behind and an existing file is untouched.

    Args:
        path: The file to appear.
        write: Called with the path of the temporary file.
        force: Whether an existing file may be replaced.

    Returns:
        The path of the file.

    Raises:
        BadInputError: As :func:`ensure_writable`, or if the system refuses to write.
    """
    path = ensure_writable(path, force=force)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=path.suffix)
    except OSError as error:
        raise BadInputError(f"Output `{path}` cannot be written: {error.strerror}.") from error
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise BadInputError(f"Output `{path}` cannot be written: {error.strerror}.") from error
    except SafetensorError as error:  # a full disk, as safetensors says it
        raise BadInputError(f"Output `{path}` cannot be written: {str(error).splitlines()[0].rstrip('.')}.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
