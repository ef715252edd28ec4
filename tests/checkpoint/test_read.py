"""Reading checkpoints: formats, wrappers, prefixes, and files that must be refused."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from parasym.checkpoint import read_checkpoint
from parasym.core import CheckpointError

WEIGHTS = {"fc.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.ones(2)}


class Runs:
    """A pickle that makes a file when it is read by a careless reader."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth", ".bin"])
def test_every_format_gives_the_tensors(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    save_file(WEIGHTS, path) if suffix == ".safetensors" else torch.save(WEIGHTS, path)
    checkpoint = read_checkpoint(path)
    assert checkpoint.notes == ()
    assert all(torch.equal(checkpoint.params[name], value) for name, value in WEIGHTS.items())


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ({"state_dict": WEIGHTS, "epoch": 3}, "`state_dict`"),
        ({"model": WEIGHTS, "optimizer": {"state": {}}}, "`model`"),
        ({"model": {"state_dict": WEIGHTS}}, "`state_dict`"),
        ({f"module.{k}": v for k, v in WEIGHTS.items()}, "`module.`"),
        ({f"_orig_mod.{k}": v for k, v in WEIGHTS.items()}, "`_orig_mod.`"),
        ({f"_orig_mod.module.{k}": v for k, v in WEIGHTS.items()}, "`_orig_mod.`"),
        ({**WEIGHTS, "epoch": 3}, "`epoch`"),
    ],
)
def test_wrappers_and_prefixes_are_taken_off_and_said(tmp_path: Path, content: dict[str, object], note: str) -> None:
    torch.save(content, tmp_path / "a.pt")
    checkpoint = read_checkpoint(tmp_path / "a.pt")
    assert sorted(checkpoint.params) == sorted(WEIGHTS)
    assert any(note in line for line in checkpoint.notes)


def test_prefix_of_some_names_only_is_part_of_the_name(tmp_path: Path) -> None:
    torch.save({"module.weight": torch.ones(1), "head": torch.ones(1)}, tmp_path / "a.pt")
    assert sorted(read_checkpoint(tmp_path / "a.pt").params) == ["head", "module.weight"]


def test_pickled_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    made = tmp_path / "made-by-the-pickle"
    torch.save({"weight": torch.ones(1), "hook": Runs(made)}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"pickled code.*weights_only=True"):
        read_checkpoint(tmp_path / "a.pt")
    assert not made.exists()


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_plain_pickled_code_is_refused_too(tmp_path: Path, protocol: int) -> None:
    made = tmp_path / "made-by-the-pickle"
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(Runs(made), protocol=protocol))
    with pytest.raises(CheckpointError, match="pickled code"):
        read_checkpoint(tmp_path / "a.pkl")
    assert not made.exists()


def test_a_whole_pickled_model_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"Linear.*state_dict\(\)"):
        read_checkpoint(tmp_path / "a.pt")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_file_that_was_cut_off(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"a{suffix}"
    save_file(WEIGHTS, path) if suffix == ".safetensors" else torch.save(WEIGHTS, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CheckpointError, match=r"a\..*corrupt"):
        read_checkpoint(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_bytes_of_something_else(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"this is no checkpoint at all, just words\n" * 9)
    with pytest.raises(CheckpointError, match="corrupt"):
        read_checkpoint(path)


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [torch.ones(1)], 7])
def test_a_pickle_without_named_tensors(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="must hold tensors by name"):
        read_checkpoint(tmp_path / "a.pt")


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        read_checkpoint(tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match="is a folder"):
        read_checkpoint(tmp_path)
