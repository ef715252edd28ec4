"""Writing: whole or not at all, and never over another file by accident."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save

from parasym.checkpoint import atomic_write, ensure_writable, write_checkpoint
from parasym.checkpoint.write import CODES
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


def test_what_is_written_is_what_the_library_writes_byte_for_byte(tmp_path: Path) -> None:
    params = {f"{k}.{code}": (torch.arange(6).reshape(2, 3) % 2).to(dtype) for k in "ba" for dtype, code in CODES.items()}
    params |= {"empty": torch.zeros(0, 3), "scalar": torch.tensor(3.0), 'a "name" – µ': torch.ones(2)}
    write_checkpoint(tmp_path / "a.safetensors", params, metadata={"parasym": "ü"})
    assert (tmp_path / "a.safetensors").read_bytes() == save(params, {"parasym": "ü"})


def test_a_precision_without_a_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"`w` cannot be written as safetensors, which has no torch.complex128"):
        write_checkpoint(tmp_path / "a.safetensors", {"w": torch.ones(1, dtype=torch.complex128)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("named", [False, True])
def test_until_it_is_whole_nothing_is_to_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool) -> None:
    if named:
        monkeypatch.delattr("os.O_TMPFILE")
    seen = []

    def writes(file: Path) -> None:
        file.write_text("whole")
        seen.append([path.name for path in tmp_path.iterdir()])

    atomic_write(tmp_path / "a.txt", writes)
    atomic_write(tmp_path / "a.txt", writes, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "whole"
    assert (len(seen[0]) == 1) == named  # where the system has no files without a name it is a hidden one
    assert len(seen[1]) == 1 + named


def test_a_file_that_appears_meanwhile_stays(tmp_path: Path) -> None:
    def writes(file: Path) -> None:
        file.write_text("late")
        (tmp_path / "a.txt").write_text("early")

    with pytest.raises(BadInputError, match="it appeared meanwhile"):
        atomic_write(tmp_path / "a.txt", writes)
    assert (tmp_path / "a.txt").read_text() == "early"


KILLED = """
import os, signal, sys, pathlib, torch
from parasym.checkpoint import write_checkpoint
class Dies(dict):
    def __getitem__(self, name):
        if name == "z" and sys._getframe(1).f_code.co_name == "write_tensors" and self.looked:
            os.kill(os.getpid(), signal.SIGKILL)
        self.looked = name == "z"
        return super().__getitem__(name)
params = Dies(a=torch.ones(1 << 20), z=torch.ones(1))
params.looked = False
write_checkpoint(sys.argv[1], params)
"""


def test_a_process_that_is_killed_while_it_writes_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "a.safetensors"], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert list(tmp_path.iterdir()) == []
