"""Write a checkpoint as safetensors."""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from parasym.checkpoint.replace import atomic_write
from parasym.core import CheckpointError, Params

CODES: dict[torch.dtype, str] = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.float8_e5m2: "F8_E5M2",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.int16: "I16",
    torch.uint16: "U16",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int32: "I32",
    torch.uint32: "U32",
    torch.float32: "F32",
    torch.complex64: "C64",
    torch.float64: "F64",
    torch.int64: "I64",
    torch.uint64: "U64",
}
"""Precisions of the format, and how its header names them."""


def write_checkpoint(path: str | Path, params: Params, *, metadata: Mapping[str, str] | None = None, force: bool = False) -> Path:
    """Write tensors by name as safetensors, whole or not at all.

    Tensors that share memory (tied parameters) are written under each name.

    Args:
        path: A file that ends in ``.safetensors``.
        params: Tensors by name.
        metadata: Text stored in the header.
        force: Whether an existing file may be replaced.

    Returns:
        The path.

    Raises:
        CheckpointError: If the path has another ending.

    Example:
        >>> write_checkpoint("merged.pt", {})
        Traceback (most recent call last):
        parasym.core.error.CheckpointError: Output `merged.pt` must end in `.safetensors`: ...
    """
    path = ensure_safetensors(path)
    return atomic_write(path, lambda file: write_tensors(file, params, metadata=metadata), force=force)


def write_tensors(file: Path, params: Params, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors in the format of safetensors, one after the other.

    The library writes a file of its own beside the one it is given, which stays when the process is killed; and the bytes of all
    tensors are never together in memory here. What is written is what the library would write, byte for byte.

    Args:
        file: Where; replaced.
        params: Tensors by name.
        metadata: Text stored in the header.

    Raises:
        CheckpointError: If the format has no place for the precision of a tensor.

    References:
        https://huggingface.co/docs/safetensors
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    # Wide numbers come first, so that every tensor lies at a multiple of its size.
    order = {code: place for place, code in enumerate(CODES.values())}
    names = sorted(params, key=lambda name: (-order[_code(name, params[name])], name))
    end = 0
    for name in names:
        begin, end = end, end + params[name].numel() * params[name].element_size()
        header[name] = {"dtype": _code(name, params[name]), "shape": list(params[name].shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            out.write(params[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)


def _code(name: str, value: Tensor) -> str:
    if value.dtype not in CODES:
        raise CheckpointError(f"`{name}` cannot be written as safetensors, which has no {value.dtype}.")
    return CODES[value.dtype]


def ensure_safetensors(path: str | Path) -> Path:
    """Return the path if it ends in ``.safetensors``.

    Args:
        path: A file to write.

    Raises:
        CheckpointError: If the path has another ending.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise CheckpointError(f"Output `{path}` must end in `.safetensors`: checkpoints are written in that format only.")
    return path


def cast_like(params: Params, dtypes: Mapping[str, torch.dtype]) -> Params:
    """Return ``params`` with every tensor in the given precision; names without one are kept.

    Args:
        params: Tensors by name.
        dtypes: Precision by name.
    """
    return {name: value.to(dtypes.get(name, value.dtype)) for name, value in params.items()}
