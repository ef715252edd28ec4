"""What ``torch.save`` writes since torch 1.6: a zip archive of a pickle and of the memory of its tensors."""

import io
import sys
from pathlib import Path
from typing import Any

import torch

from parasym.checkpoint.archive import Archive
from parasym.checkpoint.kind import Found, Kind
from parasym.checkpoint.names import some_names
from parasym.checkpoint.pickled import read_pickle
from parasym.checkpoint.rebuild import Rebuild, Storage, bytes_tensor
from parasym.core import CheckpointError

PICKLE, ORDER = "data.pkl", "byteorder"
SERVICE = frozenset(
    {PICKLE, ORDER, "version", ".data/serialization_id", ".data/version", ".format_version", ".storage_alignment"}
)
"""Members that belong to the format and hold nothing of the user's."""


def read_torch_zip(source: Path | bytes) -> Found:
    """Return what a file of ``torch.save`` holds.

    Args:
        source: The file, or its bytes.

    Raises:
        CheckpointError: If it is damaged, or is a TorchScript archive.
    """
    archive = Archive(source)
    if PICKLE not in archive.members:
        raise CheckpointError(f"it is a zip archive without `{PICKLE}`, so torch.save did not write it")
    if any(name.startswith("code/") for name in archive.members):
        raise CheckpointError(
            "it is a TorchScript archive, which holds pickled code (of torch.jit.save). Load it yourself if you trust it, and "
            "save its state_dict()"
        )
    for name in archive.members.keys() & SERVICE:
        archive.read(name)
    memory: dict[str, Storage] = {}
    swapped = _swapped(archive)

    def storage(key: Any) -> Storage:
        kind, of, name, _, numel = key
        if kind != "storage" or not isinstance(name, str):
            raise CheckpointError(f"it refers to a `{kind}`, which no checkpoint holds")
        dtype = of.dtype if isinstance(of, Storage) else None
        if name not in memory:
            data = archive.read(f"data/{name}")
            if dtype is not None and len(data) != numel * dtype.itemsize:
                raise CheckpointError(f"its member `data/{name}` must hold {numel} numbers of {dtype}, but has {len(data)} bytes")
            memory[name] = Storage(_bytes(data, dtype, swapped), dtype)
        return Storage(memory[name].memory, dtype)

    content = Rebuild(storage).value(read_pickle(io.BytesIO(archive.read(PICKLE))))
    unread = [name for name in archive.members if name not in SERVICE and name.removeprefix("data/") not in memory]
    notes = () if archive.checked else ("the file was written without checksums, so damage cannot be noticed",)
    notes += (f"{len(unread)} members left unread: {some_names(unread)}",) if unread else ()
    return Found(content, notes)


def _swapped(archive: Archive) -> bool:
    order = bytes(archive.read(ORDER)).decode("ascii", "replace") if ORDER in archive.members else "little"
    if order not in {"little", "big"}:
        raise CheckpointError(f"its byte order must be little or big, but is {order!r}")
    return order != sys.byteorder


def _bytes(data: bytearray, dtype: torch.dtype | None, swapped: bool) -> torch.Tensor:
    memory = bytes_tensor(data)
    if not swapped:
        return memory
    if dtype is None:
        raise CheckpointError("it was written on a machine of the other byte order, without the precision of its numbers")
    size = dtype.itemsize // (2 if dtype.is_complex else 1)
    return memory.view(-1, size).flip(1).reshape(-1)


TORCH_ZIP = Kind(
    name="torch.save (zip)",
    endings=(".pt", ".pth", ".bin", ".ckpt"),
    begins=lambda _, first: first.startswith(b"PK\x03\x04"),
    read=read_torch_zip,
    code="none: the pickle is read as data, and what it names is neither imported nor called",
    damage="any changed byte of a member, by its checksum",
)
