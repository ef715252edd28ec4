"""What ``numpy.save`` and ``numpy.savez`` write: one array, or a zip archive of arrays by name."""

import io
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from parasym.checkpoint.archive import MAGIC as ZIP
from parasym.checkpoint.archive import Archive
from parasym.checkpoint.kind import Found, Kind
from parasym.core import CheckpointError

MAGIC, ENDING = np.lib.format.MAGIC_PREFIX, ".npy"
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
"""By version; the third is for names of fields, which no tensor has."""


def read_npy(path: Path) -> Found:
    """Return the array of a file of ``numpy.save`` as a tensor.

    Args:
        path: The file.

    Raises:
        CheckpointError: If it is damaged, or holds something else than numbers.
    """
    with path.open("rb") as file:
        return Found(_tensor(file, path.stat().st_size))


def read_npz(path: Path) -> Found:
    """Return the arrays of a file of ``numpy.savez`` or ``numpy.savez_compressed`` as tensors by name.

    Args:
        path: The file.

    Raises:
        CheckpointError: If it is damaged, or holds something else than numbers.
    """
    archive = Archive(path)
    content: dict[str, Tensor] = {}
    for member in archive.members:
        name = (archive.folder + member).removesuffix(ENDING)
        data = archive.read(member)
        try:
            content[name] = _tensor(io.BytesIO(data), len(data))
        except CheckpointError as error:
            raise CheckpointError(f"its array `{name}`: {error}") from error
    return Found(content, () if archive.checked else ("the file was written without checksums, so damage cannot be noticed",))


def _tensor(file: BinaryIO, size: int) -> Tensor:
    shape, by_columns, dtype = _header(file)
    if dtype.kind not in "biufc":
        raise CheckpointError(f"it holds {_content(dtype)}, not numbers. Save an array of numbers")
    left = size - file.tell()  # a damaged header may ask for anything
    if min(shape, default=0) < 0 or int(np.prod([int(n) for n in shape], dtype=object)) * dtype.itemsize != left:
        raise CheckpointError(f"it must hold an array of shape {shape} of {dtype}, but has {left} bytes of numbers")
    array = np.frombuffer(bytearray(file.read()), dtype).reshape(shape, order="F" if by_columns else "C")
    try:
        return torch.from_numpy(np.ascontiguousarray(array.astype(dtype.newbyteorder("="))).reshape(shape))
    except TypeError as error:
        raise CheckpointError(f"it holds numbers of {dtype}, which torch does not know. Save it as float64") from error


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, Any]:
    try:
        version = np.lib.format.read_magic(file)
        if version not in HEADERS:
            raise ValueError(f"version {version} is not read")
        return HEADERS[version](file)
    except (ValueError, TypeError, SyntaxError, RecursionError, OverflowError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(f"it is no whole file of numpy.save ({lines[0].rstrip('.')})") from error


def _content(dtype: Any) -> str:
    return "pickled objects" if dtype.hasobject else f"entries of the type {dtype}"


def _all_arrays(path: Path, first: bytes) -> bool:
    if not first.startswith(ZIP):
        return False
    try:
        with zipfile.ZipFile(path) as file:
            return bool(file.namelist()) and all(name.endswith(ENDING) for name in file.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return path.suffix == ".npz"


NPY = Kind(
    name="numpy.save",
    endings=(ENDING,),
    begins=lambda _, first: first.startswith(MAGIC),
    read=read_npy,
    code="none: arrays of objects, which are pickles, are refused",
    damage="cuts and a broken header; a changed number is not noticed, for there is no checksum",
)
NPZ = Kind(
    name="numpy.savez",
    endings=(".npz",),
    begins=_all_arrays,
    read=read_npz,
    code="none: arrays of objects, which are pickles, are refused",
    damage="any changed byte of an array, by its checksum",
)
