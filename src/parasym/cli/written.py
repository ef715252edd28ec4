"""The file that a verb on checkpoints writes."""

from pathlib import Path

from parasym.checkpoint import Fitted, ensure_writable, write_checkpoint
from parasym.checkpoint.write import ensure_safetensors
from parasym.core import Params


class Written:
    """A safetensors file, if the user wants one; it is written only if no function changes.

    Args:
        path: Where, or ``None``.
        force: Whether to replace a file that exists.

    Raises:
        BadInputError: If nothing can be written there.
    """

    def __init__(self, path: Path | None, *, force: bool) -> None:
        self.path = path
        self.force = force
        self.done = False
        if path is not None:
            ensure_writable(ensure_safetensors(path), force=force)

    def write(self, fitted: Fitted, params: Params, *, verb: str, holds: str) -> None:
        """Write parameters as a checkpoint holds them, unless a function would change.

        Args:
            fitted: The checkpoint.
            params: Parameters and buffers by name.
            verb: Who writes, for the metadata.
            holds: Whether the functions are unchanged.
        """
        if self.path is not None and holds == "yes":
            write_checkpoint(self.path, fitted.as_saved(params), metadata={"parasym": verb}, force=self.force)
            self.done = True

    @property
    def name(self) -> str | None:
        """The name of the file, if it was written."""
        return str(self.path) if self.done else None

    @property
    def told(self) -> str:
        """A sentence about it."""
        if self.path is None:
            return "Nothing written: give -o to keep the result."
        return (
            f"Written to {self.path}" if self.done else f"Not written: the function would change, so {self.path} was left alone."
        )
