"""What ``torch.save`` wrote before torch 0.1.10: a tar archive of pickles."""

import io
import struct
import tarfile
from pathlib import Path
from typing import Any

from parasym.checkpoint.kind import Found, Kind
from parasym.checkpoint.names import some_names
from parasym.checkpoint.pickled import read_pickle
from parasym.checkpoint.rebuild import Foreign, Rebuild, Storage, bytes_tensor, cut
from parasym.core import CheckpointError

MEMBERS = ("sys_info", "storages", "tensors", "pickle")


def read_torch_tar(path: Path) -> Found:
    """Return what a tar archive of torch holds.

    Args:
        path: The file.

    Raises:
        CheckpointError: If it is damaged, or a tar archive of something else.
    """
    try:
        with tarfile.open(path, "r:") as file:
            members = {entry.name: (file.extractfile(entry) or io.BytesIO()).read() for entry in file if entry.isfile()}
    except (tarfile.TarError, OSError, ValueError) as error:
        raise CheckpointError(f"it is no whole tar archive ({error})") from error
    missing = [name for name in MEMBERS[1:] if name not in members]
    if missing:
        raise CheckpointError(f"it is a tar archive without {some_names(missing)}, so torch.save did not write it")
    try:
        content = _content(members)
    except CheckpointError:
        raise
    except (struct.error, KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"its members do not fit each other ({error})") from error
    unread = [name for name in members if name not in MEMBERS]
    return Found(content, (f"{len(unread)} members left unread: {some_names(unread)}",) if unread else ())


def _content(members: dict[str, bytes]) -> Any:
    kept = _storages(members["storages"])
    kept |= _tensors(members["tensors"], kept)
    by_key = Rebuild(lambda key: Foreign(str(key[0])) if isinstance(key, tuple) else kept[int(key)])
    return by_key.value(read_pickle(io.BytesIO(members["pickle"])))


def _pickle(file: io.BytesIO) -> Any:
    return Rebuild(_outside).value(read_pickle(file))


def _outside(_: Any) -> Any:
    raise CheckpointError("it refers to something outside of it")


def _storages(data: bytes) -> dict[int, Any]:
    file, found = io.BytesIO(data), {}
    for _ in range(_pickle(file)):
        key, _, of = _pickle(file)
        (numel,) = struct.unpack("<q", file.read(8))
        memory = bytearray(file.read(max(numel, 0) * of.dtype.itemsize))
        if len(memory) != numel * of.dtype.itemsize:
            raise CheckpointError(f"its storage `{key}` must have {numel} numbers, but is cut off")
        found[key] = Storage(bytes_tensor(memory), of.dtype)
    for key, root, offset, numel in _pickle(file):
        size = found[root].dtype.itemsize
        found[key] = Storage(found[root].memory[offset * size : (offset + numel) * size], found[root].dtype)
    return found


def _tensors(data: bytes, kept: dict[int, Any]) -> dict[int, Any]:
    file, found = io.BytesIO(data), {}
    for _ in range(_pickle(file)):
        key, storage, _ = _pickle(file)
        (axes, _) = struct.unpack("<2i", file.read(8))
        numbers = struct.unpack(f"<{2 * axes + 1}q", file.read(8 * (2 * axes + 1)))
        found[key] = cut(kept[storage], kept[storage].dtype, numbers[-1], numbers[:axes], numbers[axes:-1])
    return found


TORCH_TAR = Kind(
    name="torch.save (before torch 0.1.10, tar)",
    endings=(".tar",),
    begins=lambda _, first: first[257:262] == b"ustar",
    read=read_torch_tar,
    code="none: the pickles are read as data, and what they name is neither imported nor called",
    damage="cuts and broken structure; a changed number is not noticed, for there is no checksum",
)
