"""The tensors of a program: numbers, and a list of their names, shapes and places."""

import json
import re
from typing import Any

import torch
from torch import Tensor, nn

from parasym.checkpoint.archive import Archive
from parasym.checkpoint.exported.argument import DTYPES, STRIDED, only
from parasym.checkpoint.exported.refused import Refused
from parasym.checkpoint.rebuild import bytes_tensor
from parasym.checkpoint.safe import unique
from parasym.checkpoint.torch_zip import read_torch_zip
from parasym.core import CheckpointError

NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", re.ASCII)
"""Names become part of code that torch writes when it exports a program: nothing in them may end a text."""


def read_tensors(archive: Archive, folder: str, model: str) -> dict[str, Tensor]:
    """Return the tensors of a folder of a program by name; names of one place share memory.

    Args:
        archive: The program.
        folder: ``data/weights`` or ``data/constants``.
        model: Name of the model.

    Raises:
        Refused: If one is an object, or lies beyond its bytes.
    """
    config = f"{folder}/{model}_{folder.rpartition('/')[2]}_config.json"
    if config not in archive.members:
        return _pickled(archive, f"{folder}/{model}.pt")
    found: dict[str, Tensor] = {}
    memory: dict[str, Tensor] = {}
    kept: dict[tuple[Any, ...], Tensor] = {}
    for name, entry in read_json(archive, config)["config"].items():
        place = f"{folder}/{entry['path_name']}"
        if not NAME.fullmatch(name):
            raise Refused(f"it has a tensor with the name {name!r}, which is no plain name")
        if entry["use_pickle"] or entry.get("tensor_meta") is None:
            found[name] = _object(archive, name, place)
            continue
        if place not in memory:
            memory[place] = bytes_tensor(archive.read(place))
        about = entry["tensor_meta"]
        value = _cut(memory[place], about, name)
        key = place, tuple(value.shape), value.stride(), value.storage_offset(), entry["is_param"]
        if entry["is_param"]:
            value = nn.Parameter(value, requires_grad=bool(about["requires_grad"]) and value.is_floating_point())
        found[name] = kept.setdefault(key, value)
    return found


def read_json(archive: Archive, name: str) -> Any:
    """Return a member that is JSON.

    Args:
        archive: The program.
        name: Of the member.

    Raises:
        Refused: If it is no JSON, or has a name twice.
    """
    try:
        return json.loads(bytes(archive.read(name)).decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise Refused(f"its member `{name}` is no JSON ({error})") from error


def _cut(memory: Tensor, about: Any, name: str) -> Tensor:
    if about["layout"] != STRIDED or about["dtype"] not in DTYPES:
        raise Refused(f"`{name}` is no dense tensor")
    dtype = DTYPES[about["dtype"]]
    size, stride = ([_whole(each, name) for each in about[key]] for key in ("sizes", "strides"))
    offset = _whole(about["storage_offset"], name)
    if min((offset, *size, *stride), default=0) < 0:
        raise Refused(f"`{name}` has a negative size")
    numbers = memory[: memory.numel() // dtype.itemsize * dtype.itemsize]
    numbers = numbers != 0 if dtype is torch.bool else numbers.view(dtype)
    try:
        return numbers.as_strided(size, stride, offset)  # torch checks that it stays within
    except RuntimeError as error:
        raise Refused(f"`{name}` reaches beyond its bytes") from error


def _whole(data: Any, name: str) -> int:
    kind, value = only(data)
    if kind != "as_int" or not isinstance(value, int):
        raise Refused(f"`{name}` has no definite shape")
    return value


def _object(archive: Archive, name: str, place: str) -> Tensor:
    """Return a pickled tensor; anything else that is pickled is no data."""
    try:
        found = read_torch_zip(bytes(archive.read(place)))
    except CheckpointError as error:
        raise Refused(f"`{name}` is pickled, and {error}") from error
    if not isinstance(found.content, Tensor):
        raise Refused(f"`{name}` is a pickled object")
    return found.content


def _pickled(archive: Archive, name: str) -> dict[str, Tensor]:
    if name not in archive.members:
        return {}
    found = read_torch_zip(bytes(archive.read(name)))
    content = found.content if isinstance(found.content, dict) else {}
    for key, value in content.items():
        if not isinstance(key, str) or not NAME.fullmatch(key) or not isinstance(value, Tensor):
            raise Refused(f"`{key}` of `{name}` is no tensor with a plain name")
    return content
