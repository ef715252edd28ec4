"""No file runs code: a payload that makes a folder is planted in every member of every container that is read."""

import json
import os
import pickle
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from parasym.checkpoint import read_checkpoint
from parasym.checkpoint._table import KINDS
from parasym.checkpoint.exported import read_exported
from parasym.core import CheckpointError
from parasym.symmetry import Symmetry
from tests.checkpoint.files import ARCHIVES, FILES, array, put_tar, put_zip, sharded, tar_members, zip_members

WEIGHTS = {"fc.weight": torch.ones(2, 3), "fc.bias": torch.ones(2)}
MARKER = "made-by-the-file"


class Runs:
    """A pickle that makes a folder when it is read carelessly."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (MARKER,)


def payloads() -> dict[str, bytes]:
    """What a careless reader would run: pickles of every age, and Python as text."""
    found = {f"pickle {protocol}": pickle.dumps(Runs(), protocol=protocol) for protocol in range(6)}
    return found | {"text": EXPRESSION.encode(), "json": json.dumps({"a": EXPRESSION}).encode()}


EXPRESSION = f"__import__('os').mkdir('{MARKER}')"


class Net(nn.Module):
    """A program with parameters, a buffer, a constant, a dictionary among its arguments and a symbolic size."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.norm, self.shift = nn.Linear(3, 2), nn.BatchNorm1d(2), torch.ones(2)

    def forward(self, x: torch.Tensor, more: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"y": self.norm(self.fc(x)).reshape(x.shape[0] * 2) * 1.0 + (more["m"] + self.shift).sum()}


def program(path: Path) -> None:
    batch = torch.export.Dim("batch", min=2, max=64)
    arguments = (torch.ones(4, 3), {"m": torch.ones(2)})
    made = torch.export.export(Net().eval(), arguments, dynamic_shapes=({0: batch}, {"m": None}))
    torch.export.save(made, path)


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    assert not Path(MARKER).exists()


def reads(path: Path) -> None:
    """Look at a file through every door; it may be refused, and nothing else."""
    doors: tuple[Callable[[Path], Any], ...] = (read_checkpoint, read_exported)
    for door in doors if path.suffix == ".pt2" else doors[:1]:
        try:
            found: Any = door(path)
            if door is read_exported and found.examples is not None:
                with torch.no_grad():
                    found.module(*found.examples[0], **found.examples[1])
        except (CheckpointError, RuntimeError, ValueError, TypeError):
            continue


MAKE = {**FILES, "a.npy": array, "net.pt2": lambda path, _: program(path)}


@pytest.mark.parametrize("name", MAKE)
def test_every_member_of_every_container(name: str) -> None:
    path = Path(name)
    MAKE[name](path, WEIGHTS)
    get, put = (tar_members, put_tar) if name.endswith(".tar") else (zip_members, put_zip)
    archive = name in {*ARCHIVES, "old.tar", "net.pt2"}
    members = get(path) if archive else {"": path.read_bytes()}
    for member, payload in ((member, payload) for member in members for payload in payloads().values()):
        for data in (payload, payload + members[member], members[member] + payload):
            if archive:
                put(path, members | {member: data})
            else:
                path.write_bytes(data)
            reads(path)
        assert not Path(MARKER).exists(), (member, payload)


def test_every_container_of_the_table_is_walked() -> None:
    assert {ending for kind in KINDS for ending in kind.endings} >= {Path(name).suffix for name in MAKE}
    assert len(KINDS) == len(MAKE)  # each kind has its file above; a folder of parts is read through them
    assert all(kind.code.startswith("none") for kind in KINDS)


def strings(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where texts are in a JSON document, and where keys are."""
    if isinstance(data, str):
        yield path
    for key, part in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from strings(part, (*path, key))


def planted(data: Any, path: tuple[Any, ...], value: str) -> Any:
    copy = json.loads(json.dumps(data))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copy


ENDS = (EXPRESSION, f"x'); {EXPRESSION}; ('", f'x"); {EXPRESSION}; ("', f"x:\n    {EXPRESSION}\n")
"""The expression alone, and as what is left of generated code when a name ends a text or a line."""


def test_every_text_in_a_program() -> None:
    program(Path("net.pt2"))
    members = zip_members(Path("net.pt2"))
    (name,) = (member for member in members if member.endswith("models/model.json"))
    document = json.loads(members[name])
    document["guards_code"] = ["True"]
    for k, place in enumerate(strings(document)):
        text = ENDS[k % len(ENDS)]
        put_zip(Path("net.pt2"), members | {name: json.dumps(planted(document, place, text)).encode()})
        reads(Path("net.pt2"))
        assert not Path(MARKER).exists(), place


TARGETS = [
    "torch.os.mkdir",
    "torch.serialization.os.mkdir",
    "torch.hub.load",
    "torch.load",
    "torch.ops.load_library",
    "torch.ops.aten.from_file.default",
    "torch.ops.aten.save.default",
    "torch.ops.aten.__class__",
    "torch.ops.aten.linear.default.__call__",
    "torch.ops.higher_order.triton_kernel_wrapper_functional",
    "_operator.methodcaller",
    "_operator.attrgetter",
    "math.__loader__.load_module",
    "#custom:op",
    "os.mkdir",
]


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_no_operation_of_tensors_is_not_even_looked_up(target: str) -> None:
    program(Path("net.pt2"))
    members = zip_members(Path("net.pt2"))
    (name,) = (member for member in members if member.endswith("models/model.json"))
    document = json.loads(members[name])
    node = document["graph_module"]["graph"]["nodes"][0]
    node["target"], node["inputs"] = target, [{"name": "", "arg": {"as_string": MARKER}, "kind": 1}]
    put_zip(Path("net.pt2"), members | {name: json.dumps(document).encode()})
    with pytest.raises(CheckpointError, match=r"it calls|runs graphs"):
        read_exported(Path("net.pt2"))


def test_an_index_and_a_symmetry_hold_texts_only() -> None:
    index = sharded(Path("model"), WEIGHTS)
    document = json.loads(index.read_text())
    for place in strings(document):
        index.write_text(json.dumps(planted(document, place, EXPRESSION)))
        reads(index)
    text = Symmetry((), (("w", (2, 3)),)).to_json()
    for place in strings(json.loads(text)):
        with pytest.raises(ValueError, match=r"."):
            Symmetry.from_json(json.dumps(planted(json.loads(text), place, EXPRESSION)) + EXPRESSION)


@pytest.mark.parametrize("protocol", range(6))
def test_a_careless_reader_would_have_run_it(protocol: int) -> None:
    pickle.loads(payloads()[f"pickle {protocol}"])
    assert Path(MARKER).is_dir()
    Path(MARKER).rmdir()


def test_torch_runs_what_is_planted_among_its_guards() -> None:
    program(Path("net.pt2"))
    members = zip_members(Path("net.pt2"))
    (name,) = (member for member in members if member.endswith("models/model.json"))
    document = json.loads(members[name])
    document["guards_code"] = [f"{EXPRESSION} is None"]
    put_zip(Path("net.pt2"), members | {name: json.dumps(document).encode()})
    found = read_exported(Path("net.pt2"))
    assert "1 checks of its inputs are code and were not run" in found.notes
    assert not Path(MARKER).exists()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given buffer is not writable", UserWarning)  # torch 2.11 reads so
        loaded = torch.export.load("net.pt2")
    assert loaded.example_inputs is not None
    loaded.module()(*loaded.example_inputs[0])
    assert Path(MARKER).is_dir()
    Path(MARKER).rmdir()
