"""The history of a checkpoint: records appended to a file beside it, so that a checkpoint costs what the state costs."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from parasym.checkpoint.lock import exclusive
from parasym.core import BadInputError, CheckpointError
from parasym.population.value import Record


class HistoryFile:
    """One line per record, ``[seed, epoch, loss, rate, finite]``, and perhaps a sixth entry, the loss on the validation set.

    A checkpoint says how many bytes of the file belong to it. What a killed run appended after that is cut off when
    training goes on: the file grows first, and the checkpoint that counts it is moved into place afterwards.

    Args:
        checkpoint: The checkpoint beside which the file lies, as ``NAME.history``.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self.path = checkpoint.with_name(f"{checkpoint.name}.history")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock of the file while the body runs: two trainings with one checkpoint would spoil both.

        Raises:
            BadInputError: If another process holds it, or the file cannot be made.
        """
        try:
            self.path.touch()
        except OSError as error:
            raise BadInputError(f"Output `{self.path}` cannot be written: {error.strerror}.") from error
        with exclusive(self.path, f"Checkpoint `{self.checkpoint}`"):
            try:
                yield
            finally:
                drop_empty(self.path)

    def append(self, records: Sequence[Record], length: int) -> int:
        """Append records to what belongs to the last checkpoint.

        Args:
            records: Of one epoch.
            length: Of what belongs to it.

        Returns:
            The new length.

        Raises:
            BadInputError: If the system refuses to write.
        """
        try:
            with self.path.open("r+b" if length or self.path.exists() else "wb") as file:
                file.seek(length)
                file.write(_lines(records))
                file.truncate()
                return file.tell()
        except OSError as error:
            raise BadInputError(f"Output `{self.path}` cannot be written: {error.strerror}.") from error

    def read(self, length: int) -> list[Record]:
        """Return the records of a checkpoint.

        Args:
            length: As the checkpoint says.

        Raises:
            CheckpointError: If the file is missing, shorter, or damaged.
        """
        if not length:
            return []
        try:
            with self.path.open("rb") as file:
                data = file.read(length)
        except OSError as error:
            raise CheckpointError(f"History `{self.path}` cannot be read: {error.strerror}. {_ANEW}") from error
        if len(data) < length:
            raise CheckpointError(f"History `{self.path}` was cut off: it has {len(data)} bytes instead of {length}. {_ANEW}")
        try:
            return [Record(*json.loads(line)) for line in data.splitlines()]
        except (ValueError, TypeError) as error:
            raise CheckpointError(f"History `{self.path}` cannot be read: {error}. {_ANEW}") from error


def drop_empty(path: Path) -> None:
    """Take a file away that was made to be locked, if nothing was written to it.

    Args:
        path: The file.
    """
    if path.exists() and not path.stat().st_size:
        path.unlink()


_ANEW = "It belongs to the checkpoint beside it: delete both to start again."


def _lines(records: Sequence[Record]) -> bytes:
    # Python's JSON keeps NaN and infinite losses, as the history of a diverged network has them.
    return "".join(f"{json.dumps(record.values())}\n" for record in records).encode()
