"""Mistakes of a user: one clear line that names the thing and the remedy, exit code 2, nothing written."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from typer.testing import Result

from parasym.symmetry import Symmetry
from tests.cli.nets import weights

Run = Callable[..., Result]


class Runs:
    """A pickle that makes a folder when it is read carelessly."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("made-by-the-pickle",)


def put(name: str, value: torch.Tensor | None, *, drop: str = "") -> None:
    params = {k: v for k, v in weights(1).items() if k != drop}
    save_file(params | ({} if value is None else {name: value}), "bad.safetensors")


def corrupt() -> None:
    Path("bad.safetensors").write_bytes(Path("b.safetensors").read_bytes()[:200])


def pickled_code() -> None:
    torch.save({"0.weight": torch.ones(2), "hook": Runs()}, "bad.pt")


def other_architecture() -> None:
    save_file(dict(nn.LSTM(6, 4).state_dict()), "bad.safetensors")


def other_sizes() -> None:
    save_file(weights(1, "other"), "bad.safetensors")


CHECKPOINTS = [
    (lambda: None, "none.safetensors", "`none.safetensors` must be a file, but does not exist"),
    (corrupt, "bad.safetensors", "`bad.safetensors` must be a safetensors file, but cannot be read"),
    (pickled_code, "bad.pt", "holds pickled code (posix.mkdir)"),
    (lambda: put("", None, drop="2.bias"), "bad.safetensors", "misses `2.bias`"),
    (lambda: put("gain", torch.ones(3)), "bad.safetensors", "has `gain`, which the model does not know"),
    (
        lambda: put("2.weight", torch.ones(8, 7)),
        "bad.safetensors",
        "`2.weight` must have shape (8, 8) as in the model, but has shape (8, 7)",
    ),
    (other_architecture, "bad.safetensors", "is of another architecture"),
    (other_sizes, "bad.safetensors", "Is it of another architecture"),
    (lambda: put("0.bias", torch.full((8,), float("nan"))), "bad.safetensors", "`0.bias` must be finite, but 8 of its 8 numbers"),
    (lambda: put("0.bias", torch.full((8,), float("inf"))), "bad.safetensors", "`0.bias` must be finite"),
    (lambda: put("0.weight", torch.ones(8, 6, dtype=torch.int8)), "bad.safetensors", "`0.weight` must be a parameter in float64"),
]


@pytest.mark.parametrize("verb", ["match", "merge"])
@pytest.mark.parametrize(("make", "name", "words"), CHECKPOINTS)
def test_checkpoints_that_cannot_be_used(
    run: Run, folder: Path, verb: str, make: Callable[[], None], name: str, words: str
) -> None:
    make()
    before = contents(folder)
    fails(run(verb, "a.safetensors", name, "-m", "nets.py:build", "-o", "out.safetensors"), words)
    assert contents(folder) == before


COMMANDS = [
    (["find", "nets.py"], "has no `:factory`"),
    (["find", "none.py:build"], "`none.py` does not exist"),
    (["find", "nets.py:biuld"], "has no `biuld`; it defines"),
    (["find", "nets.py:build", "--input", "4xsix"], "Input `4xsix` must be a shape"),
    (["find", "nets.py:build", "--input", "4x7"], "does not run on the input 4x7:float32"),
    (["verify", "nets.py:build", "--input", "4x6:int64<9"], "does not run on the input 4x6:int64"),
    (["find", "nets.py:build", "--input", "4x6", "--input", "2"], "does not run on the input 4x6:float32, 2:float32"),
    (["find", "nets.py:Branching", "--input", "4x6"], ""),
    (["find", "nets.py:build", "-o", "none/s.json"], "the folder `none` does not exist"),
    (["verify", "nets.py:on_meta"], "is on the meta device, which is enough for `find`"),
    (["match", "a.safetensors", "b.safetensors", "-m", "nets.py:on_meta"], "let the factory build it on the CPU"),
    (["merge", "a.safetensors", "b.safetensors", "-m", "nets.py:on_meta", "-o", "out.safetensors"], "let the factory build it"),
    (["verify", "nets.py:build", "--symmetry", "none.json"], "`none.json` must be a file written by `parasym find -o`"),
    (["verify", "nets.py:build", "--symmetry", "nets.py"], "`nets.py` cannot be used"),
    (["match", "a.safetensors", "b.safetensors", "-m", "nets.py:build", "-i", "4x7"], "does not run on the input 4x7"),
    (["match", "a.safetensors", "b.safetensors", "-m", "nets.py:build", "-o", "out.pt"], "must end in `.safetensors`"),
    (["match", "a.safetensors", "b.safetensors", "-m", "nets.py:build", "--method", "activation"], "--data"),
    (["match", "a.safetensors", "b.safetensors", "-m", "nets.py:build", "--method", "luck"], "Known are weight, activation"),
    (["merge", "a.safetensors", "-m", "nets.py:build", "-o", "out.safetensors"], "two checkpoints or more"),
    (["merge", "a.safetensors", "b.safetensors", "-m", "nets.py:build", "-o", "a.safetensors"], "`a.safetensors` exists already"),
    (
        ["merge", "a.safetensors", "b.safetensors", "-m", "nets.py:build", "-o", "out.safetensors", "--data", "none.safetensors"],
        "Data `none.safetensors` must be a file, but does not exist",
    ),
]


@pytest.mark.parametrize(("arguments", "words"), COMMANDS)
def test_commands_that_cannot_be_done(run: Run, folder: Path, arguments: list[str], words: str) -> None:
    before = contents(folder)
    fails(run(*arguments), words)
    assert contents(folder) == before


def test_a_model_that_will_not_export_is_told_why_and_what_to_do(run: Run, folder: Path) -> None:
    result = run("find", "nets.py:Branching", "--input", "4x6")
    fails(result, "")
    assert "torch.cond" in result.stderr or "data" in result.stderr


@pytest.mark.parametrize("arguments", [["find"], ["find", "nets.py:build", "--colour"], ["fnid", "x"], ["merge", "--model", "x"]])
def test_wrong_usage_is_code_2(run: Run, folder: Path, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_json_says_the_error_too(run: Run, folder: Path) -> None:
    result = run("find", "nets.py:biuld", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["kind"] == "BadInputError"


@pytest.mark.parametrize("arguments", [["find", "nets.py:biuld"], ["find", "nets.py:build", "--input", "4x7"]])
def test_no_traceback_from_the_installed_command(folder: Path, arguments: list[str]) -> None:
    code = "from parasym.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("parasym: ")
    assert result.stdout == ""


def test_a_symmetry_of_another_model_is_refused(run: Run, folder: Path) -> None:
    assert run("find", "nets.py:other", "-o", "other.json").exit_code == 0
    fails(
        run("match", "a.safetensors", "b.safetensors", "-m", "nets.py:build", "--symmetry", "other.json"), "another architecture"
    )


def test_a_wrong_symmetry_writes_nothing(run: Run, folder: Path) -> None:
    assert run("find", "nets.py:build", "-o", "s.json").exit_code == 0
    symmetry = Symmetry.from_json(Path("s.json").read_text())
    factors = tuple(replace(factor, bindings=factor.bindings[:-1]) for factor in symmetry.factors)
    Path("wrong.json").write_text(replace(symmetry, factors=factors).to_json())
    for verb in ("match", "merge"):
        result = run(verb, "a.safetensors", "b.safetensors", "-m", "nets.py:build", "-s", "wrong.json", "-o", "out.safetensors")
        assert result.exit_code == 1
        assert "Not written" in result.output
        assert not Path("out.safetensors").exists()


def test_a_symmetry_that_was_edited_is_refused(run: Run, folder: Path) -> None:
    assert run("find", "nets.py:build", "-o", "s.json").exit_code == 0
    text = json.loads(Path("s.json").read_text())
    text["factors"][0]["bindings"] = text["factors"][0]["bindings"][:-1]
    Path("edited.json").write_text(json.dumps(text))
    fails(
        run("match", "a.safetensors", "b.safetensors", "-m", "nets.py:build", "-s", "edited.json"), "`edited.json` cannot be used"
    )


@pytest.mark.parametrize("verb", ["find", "verify"])
def test_an_exported_program_refuses_other_shapes(run: Run, folder: Path, verb: str) -> None:
    torch.export.save(torch.export.export(nn.Linear(6, 2), (torch.zeros(4, 6),)), "model.pt2")
    assert run(verb, "model.pt2").exit_code == 0
    fails(run(verb, "model.pt2", "--input", "4x7"), "Leave --input out")


def test_a_plain_pickle_is_refused_without_advice_to_run_it(run: Run, folder: Path) -> None:
    Path("bad.pkl").write_bytes(pickle.dumps({"0.weight": Runs()}))
    result = run("match", "a.safetensors", "bad.pkl", "-m", "nets.py:build")
    fails(result, "`bad.pkl`")
    assert "to `False`" not in result.stderr
    assert not Path("made-by-the-pickle").exists()


def fails(result: Result, words: str) -> None:
    assert result.exit_code == 2, result.output
    assert words in result.stderr, result.stderr
    assert result.stderr.startswith(("parasym: ", "note: "))
    assert len([line for line in result.stderr.splitlines() if not line.startswith("note: ")]) == 1, result.stderr
    assert "unexpected" not in result.stderr
    assert "Traceback" not in result.output


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
