"""Files of every kind that a checkpoint comes in, made here."""

import collections
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

Params = dict[str, Tensor]


def zipped(path: Path, params: Mapping[str, Tensor]) -> None:
    torch.save(params, path)


def legacy(path: Path, params: Mapping[str, Tensor]) -> None:
    torch.save(params, path, _use_new_zipfile_serialization=False)


def safe(path: Path, params: Mapping[str, Tensor]) -> None:
    save_file(dict(params), path)


def tarred(path: Path, params: Mapping[str, Tensor]) -> None:
    """As torch wrote before 0.1.10: storages and tensors by number, and a pickle that refers to them."""
    storages, tensors = io.BytesIO(), io.BytesIO()
    values = [value.contiguous() for value in params.values()]
    for file in (storages, tensors):
        pickle.dump(len(values), file, protocol=2)
    for k, value in enumerate(values):
        pickle.dump((k, "cpu", getattr(torch, KINDS[value.dtype])), storages, protocol=2)
        storages.write(struct.pack("<q", value.numel()) + value.numpy().tobytes())
        pickle.dump((100 + k, k, torch.FloatTensor), tensors, protocol=2)
        tensors.write(struct.pack(f"<2i{2 * value.ndim + 1}q", value.ndim, 0, *value.shape, *value.stride(), 0))
    pickle.dump([], storages, protocol=2)
    main = io.BytesIO()
    pickler = pickle.Pickler(main, protocol=2)
    known = {id(value): 100 + k for k, value in enumerate(params.values())}
    pickler.persistent_id = lambda x: known.get(id(x))  # pyright: ignore[reportAttributeAccessIssue]
    pickler.dump(collections.OrderedDict(params))
    about = pickle.dumps({"protocol_version": 1000, "little_endian": True}, protocol=2)
    members = {"sys_info": about, "storages": storages.getvalue(), "tensors": tensors.getvalue(), "pickle": main.getvalue()}
    put_tar(path, members)


KINDS = {torch.float32: "FloatStorage", torch.float64: "DoubleStorage", torch.int64: "LongStorage"}


def sharded(path: Path, params: Mapping[str, Tensor], *, ending: str = "safetensors") -> Path:
    """Two parts and an index in the folder ``path``; the index is returned."""
    path.mkdir()
    places = {}
    for k, name in enumerate(params):
        places[name] = f"model-0000{k % 2 + 1}-of-00002.{ending}"
    for shard in set(places.values()):
        part = {name: params[name] for name in params if places[name] == shard}
        (safe if ending == "safetensors" else zipped)(path / shard, part)
    size = sum(value.numel() * value.element_size() for value in params.values())
    index = path / f"model.{ending}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": size}, "weight_map": places}))
    return index


def arrays(path: Path, params: Mapping[str, Tensor]) -> None:
    np.savez(path, **{name: value.numpy() for name, value in params.items()})  # pyright: ignore[reportArgumentType]


def array(path: Path, params: Mapping[str, Tensor]) -> None:
    """One array, which has no name."""
    np.save(path, next(iter(params.values())).numpy())


FILES: dict[str, Callable[[Path, Mapping[str, Tensor]], None]] = {
    "a.pt": zipped,
    "legacy.pt": legacy,
    "old.tar": tarred,
    "a.safetensors": safe,
    "a.npz": arrays,
}
"""Those that hold tensors by name."""

ARCHIVES = frozenset({"a.pt", "a.npz"})
"""Those of them with checksums."""


def zip_members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {entry.filename: file.read(entry) for entry in file.infolist()}


def put_zip(path: Path, members: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)


def tar_members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as file:
        return {entry.name: (file.extractfile(entry) or io.BytesIO()).read() for entry in file}


def put_tar(path: Path, members: Mapping[str, bytes]) -> None:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as file:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            file.addfile(entry, io.BytesIO(data))
