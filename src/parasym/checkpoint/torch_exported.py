"""The parameters of a program of ``torch.export.save``, as a checkpoint."""

import zipfile
from pathlib import Path

from parasym.checkpoint.archive import MAGIC, Archive
from parasym.checkpoint.exported.read import MODELS, WEIGHTS, model_of, unread_members
from parasym.checkpoint.exported.weights import read_tensors
from parasym.checkpoint.kind import Found, Kind


def read_exported_weights(path: Path) -> Found:
    """Return the state dict of a program; its graph is left unread.

    Args:
        path: A file of ``torch.export.save``.

    Raises:
        CheckpointError: If it is damaged, or a parameter is a pickled object.
    """
    archive = Archive(path)
    model = model_of(archive)
    return Found(
        read_tensors(archive, WEIGHTS, model), (*unread_members(archive, model), "the graph of the program is left unread")
    )


def _holds_program(path: Path, first: bytes) -> bool:
    if not first.startswith(MAGIC):
        return False
    try:
        with zipfile.ZipFile(path) as file:
            return any(name.partition("/")[2].startswith(MODELS) for name in file.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


TORCH_EXPORTED = Kind(
    name="torch.export.save",
    endings=(".pt2",),
    begins=_holds_program,
    read=read_exported_weights,
    code="none: guards, expressions and pickled objects are not read, and operations are looked up in a list",
    damage="any changed byte of a member that is read, by its checksum",
)
