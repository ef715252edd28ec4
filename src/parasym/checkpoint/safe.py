"""Safetensors: a header of names, shapes and places, and then numbers."""

import json
import struct
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, load_file

from parasym.checkpoint.kind import Found, Kind
from parasym.checkpoint.names import some_names
from parasym.core import CheckpointError

METADATA = "__metadata__"
USUAL = frozenset({"format"})
"""Metadata that every library writes and that says nothing about the tensors."""


def read_safetensors(path: Path) -> Found:
    """Return the tensors of a safetensors file.

    Args:
        path: The file.

    Raises:
        CheckpointError: If it is damaged, or a name is there twice.
    """
    metadata = _metadata(path)
    try:
        content = load_file(path, device="cpu") if _is_text(path) else load(path.read_bytes())
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError, AttributeError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(f"it is no whole safetensors file ({lines[0].rstrip('.')})") from error
    left = [key for key in metadata if key not in USUAL]
    return Found(content, (f"metadata left unread: {some_names(left)}",) if left else ())


def _is_text(path: Path) -> bool:
    """Return whether a path is text: the library opens no other, though a system may have them."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _metadata(path: Path) -> dict[str, Any]:
    """Return the metadata of the header, after checking that no name is there twice: the library would keep the last."""
    with path.open("rb") as file:
        start = file.read(8)
        size = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < size <= path.stat().st_size - 8:
            raise CheckpointError("it is no whole safetensors file (its header is cut off)")
        text = file.read(size)
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"it is no whole safetensors file (its header is damaged: {error})") from error
    found = header.get(METADATA, {}) if isinstance(header, dict) else {}
    return found if isinstance(found, dict) else {}


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs of a JSON object as a dictionary.

    Args:
        pairs: As :func:`json.loads` hands them over.

    Raises:
        ValueError: If a key is there twice.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ValueError(f"the name `{twice}` is there twice")
    return found


SAFETENSORS = Kind(
    name="safetensors",
    endings=(".safetensors",),
    begins=lambda _, first: first[8:9] == b"{" and int.from_bytes(first[:8], "little") < 1 << 32,
    read=read_safetensors,
    code="none: the format has no place for it",
    damage="cuts and a broken header; a changed number is not noticed, for there is no checksum",
)
