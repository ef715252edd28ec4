"""What ``torch.save`` wrote before torch 1.6: five pickles, and then the memory of the tensors. Plain pickles are read here."""

import io
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch

from parasym.checkpoint.kind import Found, Kind
from parasym.checkpoint.pickled import read_pickle, references
from parasym.checkpoint.rebuild import Rebuild, Storage, bytes_tensor
from parasym.core import CheckpointError

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
CLASS = "module"
"""How a reference to the class of a whole model begins; its source code follows, and is left unread."""


def read_torch_legacy(path: Path) -> Found:
    """Return what a file of five pickles or of one holds.

    Args:
        path: The file.

    Raises:
        CheckpointError: If it is damaged.
    """
    with path.open("rb") as file:
        return _read(file, path.stat().st_size)


def _read(file: BinaryIO, size: int) -> Found:
    first = read_pickle(file)
    if first != MAGIC:
        content = Rebuild(_no_storage, NESTED).value(first)
        left = size - file.tell()
        return Found(content, (f"{left} bytes behind the pickle left unread",) if left else ())
    version, about = read_pickle(file), read_pickle(file)
    if version != PROTOCOL or not isinstance(about, dict) or about.get("little_endian") is not True:
        raise CheckpointError(
            f"it must have protocol {PROTOCOL} and little-endian numbers, but has protocol {version} and {about}"
        )
    tree = read_pickle(file)
    keys = [Rebuild(_no_storage).value(reference.key) for reference in references(tree)]
    memory = _memory(
        file, Rebuild(_no_storage).value(read_pickle(file)), dict(_extent(key) for key in keys if key[0] != CLASS), size
    )
    content = Rebuild(lambda key: _part(key, memory), NESTED).value(tree)
    left = size - file.tell()
    return Found(content, (f"{left} bytes behind the tensors left unread",) if left else ())


def _extent(key: Any) -> tuple[Any, tuple[int, int]]:
    """Return the key of a storage, how many numbers it has, and how many bytes each: its memory follows behind the pickles."""
    kind, of, root, _, numel, _ = key
    if kind != "storage" or not isinstance(of, Storage) or not isinstance(numel, int) or numel < 0:
        raise CheckpointError(f"it refers to a `{kind}`, which no checkpoint holds")
    return root, (numel, of.itemsize)


def _memory(file: BinaryIO, keys: Any, sizes: dict[Any, tuple[int, int]], size: int) -> dict[Any, torch.Tensor]:
    if not isinstance(keys, list) or set(keys) != set(sizes):
        raise CheckpointError("its list of storages is not that of its tensors")
    found = {}
    for key in keys:
        numel, itemsize = sizes[key]
        header = file.read(8)
        if len(header) < 8 or struct.unpack("<q", header)[0] != numel or numel * itemsize > size - file.tell():
            raise CheckpointError(f"its storage `{key}` must have {numel} numbers, but is cut off or of another length")
        found[key] = bytes_tensor(bytearray(file.read(numel * itemsize)))
    return found


def _part(key: Any, memory: dict[Any, torch.Tensor]) -> Any:
    if key[0] == CLASS:
        return key[1]
    _, of, root, _, _, view = key
    whole = memory[root]
    if view is not None:
        _, offset, numel = view
        size = of.itemsize
        if not 0 <= offset * size <= (offset + numel) * size <= whole.numel():
            raise CheckpointError(f"a view of its storage `{root}` reaches beyond it")
        whole = whole[offset * size : (offset + numel) * size]
    return Storage(whole, of.dtype)


def _no_storage(_: Any) -> Any:
    raise CheckpointError("it is a plain pickle that refers to tensors outside of it")


def _from_bytes(data: bytes, **_: Any) -> Any:
    return _read(io.BytesIO(data), len(data)).content


NESTED: Mapping[str, Callable[..., Any]] = {"torch.storage._load_from_bytes": _from_bytes}
"""How a plain pickle holds the memory of a tensor: as a file of ``torch.save`` within."""

TORCH_LEGACY = Kind(
    name="torch.save (before torch 1.6), or a plain pickle",
    endings=(".pkl", ".pickle"),
    begins=lambda _, first: first.startswith((b"\x80", b"(", b"}", b"]", b"c")),
    read=read_torch_legacy,
    code="none: the pickle is read as data, and what it names is neither imported nor called",
    damage="cuts and broken structure; a changed number is not noticed, for there is no checksum",
)
