"""Writing: whole or not at all, and never over another file by accident."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from parasym.checkpoint import atomic_write, ensure_writable, write_checkpoint
from parasym.core import BadInputError, CheckpointError


def test_tensors_come_back_as_they_were(tmp_path: Path) -> None:
    shared = torch.arange(6.0)
    params = {"a": shared, "b": shared, "c": torch.ones(2, 3).T, "n": torch.tensor(7), "h": torch.ones(2, dtype=torch.bfloat16)}
    write_checkpoint(tmp_path / "out.safetensors", params)
    read = load_file(tmp_path / "out.safetensors")
    assert sorted(read) == sorted(params)
    assert all(torch.equal(read[name], value) and read[name].dtype == value.dtype for name, value in params.items())


def test_an_existing_file_stays_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "out.safetensors"
    path.write_text("precious")
    with pytest.raises(BadInputError, match=r"exists already.*--force"):
        write_checkpoint(path, {"a": torch.ones(1)})
    assert path.read_text() == "precious"
    write_checkpoint(path, {"a": torch.ones(1)}, force=True)
    assert torch.equal(load_file(path)["a"], torch.ones(1))


def test_a_failure_half_way_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("precious")

    def fails(file: Path) -> None:
        file.write_text("half")
        raise RuntimeError("the disk is on fire")

    with pytest.raises(RuntimeError, match="on fire"):
        atomic_write(path, fails, force=True)
    assert [file.name for file in tmp_path.iterdir()] == ["out.json"]
    assert path.read_text() == "precious"


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"folder .* does not exist"):
        ensure_writable(tmp_path / "none" / "out.json")
    with pytest.raises(BadInputError, match="is a folder"):
        ensure_writable(tmp_path)
    with pytest.raises(CheckpointError, match=r"must end in `.safetensors`"):
        write_checkpoint(tmp_path / "out.pt", {})


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    atomic_write(tmp_path / "out", lambda file: file.write_text("x"))
    assert (tmp_path / "out").stat().st_mode == (tmp_path / "plain").stat().st_mode
