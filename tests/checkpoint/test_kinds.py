"""Every kind of file gives the tensors that were put in, and says what it left unread."""

import argparse
import collections
import datetime
import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from parasym.checkpoint import read_checkpoint
from parasym.core import CheckpointError
from tests.checkpoint.files import FILES, put_zip, sharded, zip_members

WEIGHTS = {
    "fc.weight": torch.arange(6.0).reshape(2, 3) - 2.5,
    "fc.bias": torch.tensor([0.25, -7.0], dtype=torch.float64),
    "fc.count": torch.tensor(3),
}


@pytest.mark.parametrize("name", FILES)
def test_the_tensors_come_out(tmp_path: Path, name: str) -> None:
    FILES[name](tmp_path / name, WEIGHTS)
    for file in (name, "renamed", "renamed.safetensors"):  # what a file is, its first bytes say
        (tmp_path / name).rename(tmp_path / "moved")
        (tmp_path / "moved").rename(tmp_path / file)
        found = read_checkpoint(tmp_path / file)
        assert found.notes == ()
        assert set(found.params) == set(WEIGHTS)
        assert all(torch.equal(found.params[k], v) and found.params[k].dtype == v.dtype for k, v in WEIGHTS.items())
        name = file


def test_the_tar_of_the_test_is_one_that_torch_reads(tmp_path: Path) -> None:
    FILES["old.tar"](tmp_path / "old.tar", WEIGHTS)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Python 3.14 will", DeprecationWarning)  # torch extracts it without a filter
        found = torch.load(tmp_path / "old.tar", weights_only=False)
    assert all(torch.equal(found[k], v) for k, v in WEIGHTS.items())


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "value",
    [
        torch.randn(3, 4, generator=torch.manual_seed(0))[1:, ::2],
        torch.randn(3, 4, generator=torch.manual_seed(0)).T,
        nn.Parameter(torch.ones(2)),
        torch.ones(3, dtype=torch.bfloat16),
        torch.ones(3).to(torch.float8_e4m3fn),
        torch.tensor([True, False, True]),
        torch.randn(3, dtype=torch.complex64, generator=torch.manual_seed(0)).conj(),
        torch.randn(3, dtype=torch.complex64, generator=torch.manual_seed(0)).conj().imag,
        torch.zeros(0, 3),
        torch.arange(6, dtype=torch.uint8),
    ],
    ids=lambda v: f"{v.dtype} {tuple(v.shape)}",
)
def test_every_tensor_is_what_torch_reads(tmp_path: Path, value: torch.Tensor, zipped: bool) -> None:
    torch.save({"x": value}, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    found = read_checkpoint(tmp_path / "a.pt").params["x"]
    untyped = value.dtype is torch.float8_e4m3fn and not zipped  # which torch writes and cannot read
    expected = value if untyped else torch.load(tmp_path / "a.pt", weights_only=True)["x"]
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    numbers = [x.view(torch.uint8) if x.element_size() == 1 else x for x in (found, expected)]
    assert torch.equal(*numbers)


def test_memory_is_shared_as_it_was(tmp_path: Path) -> None:
    whole = torch.arange(6.0)
    torch.save({"a": whole, "b": whole.view(2, 3), "c": whole[2:]}, tmp_path / "a.pt")
    found = read_checkpoint(tmp_path / "a.pt").params
    assert found["a"].data_ptr() == found["b"].data_ptr()
    assert found["c"].data_ptr() == found["a"].data_ptr() + 8


class Config(dict[str, Any]):
    """A dictionary of a class of its own, as libraries of settings have them."""


FOREIGN = {
    "namespace": argparse.Namespace(lr=0.1),
    "number": np.float32(0.5),
    "array": np.arange(3.0),
    "settings": Config(depth=3),
    "path": Path("a/b"),
    "when": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
    "names": {"a", "b"},
    "counts": collections.Counter("aab"),
    "by": collections.defaultdict(list, x=[1]),
    "kind": np.dtype("float32"),
    "optimizer": torch.optim.Adam(nn.Linear(2, 2).parameters()).state_dict(),
}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_foreign_objects_are_left_unbuilt_and_named(tmp_path: Path, zipped: bool, protocol: int) -> None:
    content = {"state_dict": WEIGHTS, "pytorch-lightning_version": "2.0.0", **FOREIGN}
    torch.save(content, tmp_path / "a.ckpt", pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    found = read_checkpoint(tmp_path / "a.ckpt")
    assert all(torch.equal(found.params[k], v) for k, v in WEIGHTS.items())
    (note,) = found.notes
    assert "`namespace` (argparse.Namespace)" in note
    assert "and 6 more" in note
    beside = {**WEIGHTS, **FOREIGN}
    torch.save(beside, tmp_path / "b.ckpt", pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    flat = read_checkpoint(tmp_path / "b.ckpt")
    assert set(flat.params) == {*WEIGHTS, "array"}
    assert flat.notes[0] == "1 arrays of numpy read as tensors"
    assert "10 entries that are not tensors left out: `namespace`" in flat.notes[1]


@pytest.mark.parametrize("protocol", range(6))
def test_plain_pickles_of_arrays_and_tensors(tmp_path: Path, protocol: int) -> None:
    by_columns = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    content = {"a": by_columns, "swapped": np.arange(3, dtype=">f4"), "t": torch.arange(4.0)[1:], "texts": np.array(["x"])}
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
    found = read_checkpoint(tmp_path / "a.pkl")
    assert found.params["a"].tolist() == by_columns.tolist()
    assert found.params["swapped"].tolist() == [0, 1, 2]
    assert found.params["t"].tolist() == [1, 2, 3]
    assert found.notes == ("2 arrays of numpy read as tensors", "1 entries that are not tensors left out: `texts`")


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: {"w": torch.eye(3).to_sparse()}, r"`w` must be a dense tensor.*sparse.*to_dense"),
        (lambda: {"w": torch.eye(3).to_sparse_csr(), "b": torch.ones(2)}, r"`w` must be a dense tensor.*sparse"),
        (lambda: {"w": torch.ones(3, device="meta")}, r"`w` must be a dense tensor.*meta"),
        (lambda: {"w": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)}, r"`w` must be a dense tensor.*quantized"),
        (lambda: {0: torch.ones(3)}, r"names must be texts, but `0` is an int"),
        (lambda: {"state_dict": {("a", 1): torch.ones(3)}}, r"names must be texts, but `\('a', 1\)` is an? tuple"),
        (lambda: {"one": WEIGHTS, "other": WEIGHTS}, r"must hold tensors by name.*`one \(3 tensors\)`, `other \(3 tensors\)`"),
        (lambda: nn.Linear(2, 2), r"must hold tensors by name.*torch.nn.modules.linear.Linear.*state_dict\(\)"),
        (lambda: {"model": nn.Linear(2, 2)}, r"`model \(torch.nn.modules.linear.Linear\)`"),
        (lambda: torch.ones(3), "one tensor without a name"),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta:UserWarning")
@pytest.mark.filterwarnings("ignore:.*quantize.*:UserWarning")
def test_what_is_no_dense_tensor_by_name_is_named(
    tmp_path: Path, content: Callable[[], object], words: str, zipped: bool
) -> None:
    torch.save(content(), tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=words):
        read_checkpoint(tmp_path / "a.pt")


def test_members_that_nothing_refers_to_are_named(tmp_path: Path) -> None:
    torch.save(WEIGHTS, tmp_path / "a.pt")
    put_zip(tmp_path / "b.pt", zip_members(tmp_path / "a.pt") | {"a/extra/notes.txt": b"hello", "a/data/99": b"1234"})
    assert read_checkpoint(tmp_path / "b.pt").notes == ("2 members left unread: `extra/notes.txt`, `data/99`",)


def test_a_file_without_checksums_says_so(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(compute_crc32=False)
    try:
        torch.save(WEIGHTS, tmp_path / "a.pt")
    finally:
        torch.serialization.set_crc32_options(compute_crc32=True)
    found = read_checkpoint(tmp_path / "a.pt")
    assert torch.equal(found.params["fc.weight"], WEIGHTS["fc.weight"])
    assert found.notes == ("the file was written without checksums, so damage cannot be noticed",)


def test_metadata_is_named(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "a.safetensors", metadata={"format": "pt", "step": "7", "author": "x"})
    assert read_checkpoint(tmp_path / "a.safetensors").notes in {
        (f"metadata left unread: {names}",) for names in ("`step`, `author`", "`author`, `step`")
    }


def test_a_script_is_code(tmp_path: Path) -> None:
    with pytest.warns(DeprecationWarning, match="jit"):
        torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "a.pt")  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(CheckpointError, match=r"TorchScript archive, which holds pickled code"):
        read_checkpoint(tmp_path / "a.pt")


@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_a_folder_of_parts(tmp_path: Path, ending: str) -> None:
    index = sharded(tmp_path / "model", WEIGHTS, ending=ending)
    for path in (index, index.parent):
        found = read_checkpoint(path)
        assert found.notes == ()
        assert all(torch.equal(found.params[k], v) for k, v in WEIGHTS.items())


def test_a_folder_of_one_file_is_that_file(tmp_path: Path) -> None:
    save_file(WEIGHTS, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    assert sorted(read_checkpoint(tmp_path).params) == sorted(WEIGHTS)
    save_file(WEIGHTS, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=r"is a folder, which has `model.safetensors`, `other.safetensors`: name one"):
        read_checkpoint(tmp_path)


def test_an_index_and_its_parts_must_fit_and_leftovers_are_named(tmp_path: Path) -> None:
    def index(places: dict[str, str], size: int = 8) -> None:
        (tmp_path / "m.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": size}, "weight_map": places}))

    save_file({"a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "1.safetensors")
    save_file({"b": torch.ones(1), "c": torch.ones(1)}, tmp_path / "2.safetensors")
    index({"a": "1.safetensors", "b": "1.safetensors"}, 9)
    notes = read_checkpoint(tmp_path).notes
    assert notes == (
        "1 files beside the index are not in it: `2.safetensors`",
        "the index says 9 bytes in all, but the tensors have 8",
    )
    index({"a": "1.safetensors", "c": "2.safetensors"}, 12)
    notes = read_checkpoint(tmp_path).notes
    assert notes == (
        "`b` is in `1.safetensors` and `2.safetensors`, with the same values",
        "1 tensors are in the files but not in the index: `b`",
    )
    save_file({"b": torch.zeros(1), "c": torch.ones(1)}, tmp_path / "2.safetensors")
    with pytest.raises(CheckpointError, match="both hold `b`, with different values"):
        read_checkpoint(tmp_path)
    index({"a": "1.safetensors", "z": "1.safetensors"})
    with pytest.raises(CheckpointError, match=r"`1.safetensors` must hold `z`, but does not"):
        read_checkpoint(tmp_path)
    for place, words in (
        ("../x.safetensors", "outside of its folder"),
        ("/etc/passwd", "outside"),
        ("3.safetensors", "is missing"),
    ):
        index({"a": place})
        with pytest.raises(CheckpointError, match=words):
            read_checkpoint(tmp_path)
    (tmp_path / "1.safetensors").write_bytes(b"no")
    index({"a": "1.safetensors"})
    with pytest.raises(CheckpointError, match=r"1.safetensors` must be a safetensors file, but cannot be read as one"):
        read_checkpoint(tmp_path)
    (tmp_path / "m.safetensors.index.json").write_text('{"weight_map": {"a": "1", "a": "2"}}')
    with pytest.raises(CheckpointError, match="the name `a` is there twice"):
        read_checkpoint(tmp_path)


def test_a_kind_that_is_not_read_is_told_which_are(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99))
    with pytest.raises(
        CheckpointError,
        match=r"none of the kinds that are read: torch.export.save \(.pt2\), numpy.savez \(.npz\), torch.save \(zip\)",
    ):
        read_checkpoint(tmp_path / "a.h5")
