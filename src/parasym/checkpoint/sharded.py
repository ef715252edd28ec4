"""A checkpoint in several files, with an index of which tensor is where, as large models come."""

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from parasym.checkpoint.kind import Found
from parasym.checkpoint.names import some_names
from parasym.checkpoint.safe import unique
from parasym.core import CheckpointError, Params

INDEX = ".index.json"


class Inconsistent(CheckpointError):
    """An index and its files do not fit; the message says how, without the path of the index."""


def read_sharded(path: Path, read: Callable[[Path], Found]) -> Found:
    """Return the tensors of all files that an index lists.

    Args:
        path: The index, such as ``model.safetensors.index.json``.
        read: Reads one of the files.

    Raises:
        Inconsistent: If the index or a file is damaged, a tensor is not where the index says, or two files have different
            tensors of one name.
    """
    places, size = _index(path)
    content: Params = {}
    where: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    for shard in dict.fromkeys(places.values()):
        found = read(path.parent / shard)
        if not isinstance(found.content, dict):
            raise Inconsistent(f"its part `{shard}` holds no tensors by name")
        notes += tuple(f"`{shard}`: {note}" for note in found.notes)
        for name, value in found.content.items():
            if name in content and not _same(content[name], value):
                raise Inconsistent(f"its parts `{where[name]}` and `{shard}` both hold `{name}`, with different values")
            if name in content:
                notes += (f"`{name}` is in `{where[name]}` and `{shard}`, with the same values",)
            content[name], where[name] = value, shard
        lost = [name for name, place in places.items() if place == shard and name not in found.content]
        if lost:
            raise Inconsistent(f"its part `{shard}` must hold {some_names(lost)}, but does not")
    return Found(content, (*notes, *_remarks(path, places, content, size)))


def _index(path: Path) -> tuple[dict[str, str], Any]:
    try:
        index = json.loads(path.read_bytes().decode("utf-8"), object_pairs_hook=unique)
    except (OSError, ValueError, RecursionError) as error:
        raise Inconsistent(f"its index is damaged ({error})") from error
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict) or not places or not all(isinstance(place, str) for place in places.values()):
        raise Inconsistent("its index must have a `weight_map` from names to files")
    for shard in set(places.values()):
        inside = PurePosixPath(shard)
        if inside.is_absolute() or ".." in inside.parts or "\\" in shard or "\0" in shard:
            raise Inconsistent(f"its index names `{shard}`, which is outside of its folder")
        if not (path.parent / shard).is_file():
            raise Inconsistent(f"its part `{shard}` is missing")
    about = index.get("metadata")
    return places, about.get("total_size") if isinstance(about, dict) else None


def _same(a: Any, b: Any) -> bool:
    return isinstance(a, Tensor) and isinstance(b, Tensor) and a.dtype == b.dtype and torch.equal(a, b)


def _remarks(path: Path, places: dict[str, str], content: Params, size: Any) -> tuple[str, ...]:
    unlisted = [name for name in content if name not in places]
    notes = (f"{len(unlisted)} tensors are in the files but not in the index: {some_names(unlisted)}",) if unlisted else ()
    ending = PurePosixPath(next(iter(places.values()))).suffix
    used = {path.parent / shard for shard in places.values()}
    others = sorted(file.name for file in path.parent.glob(f"*{ending}") if file not in used)
    notes += (f"{len(others)} files beside the index are not in it: {some_names(others)}",) if others else ()
    held = sum(value.numel() * value.element_size() for value in content.values() if isinstance(value, Tensor))
    if isinstance(size, int) and size != held:
        notes += (f"the index says {size} bytes in all, but the tensors have {held}",)
    return notes
