"""What a command does if nobody says otherwise, and what it refuses before it begins."""

from pathlib import Path

import pytest
import typer

from parasym.cli import app
from tests.cli.conftest import Run

COMMANDS = typer.main.get_command(app).commands  # pyright: ignore[reportAttributeAccessIssue]
ON = {("find", "check"), ("verify", "complete")}
"""The switches that are on."""


@pytest.mark.parametrize("name", COMMANDS)
def test_switches_are_off_and_seeds_are_zero(name: str) -> None:
    params = COMMANDS[name].loaded().params
    switches = [p for p in params if isinstance(p.default, bool)]
    assert {p.name for p in switches if p.default} == {switch for command, switch in ON if command == name}
    assert "as_json" in {p.name for p in switches}
    assert all(p.default == 0 for p in params if p.name == "seed")


@pytest.mark.parametrize("verb", ["match", "merge", "canonicalize", "break"])
@pytest.mark.parametrize(
    ("output", "words"),
    [("there.safetensors", "exists"), ("no/such/folder.safetensors", "folder"), ("of.another.kind", "safetensors")],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_model_is_built(
    run: Run, folder: Path, verb: str, output: str, words: str
) -> None:
    (folder / "there.safetensors").write_text("old")
    (folder / "late.py").write_text("raise AssertionError('the model was built')")
    files = ["a.safetensors"] if verb in {"canonicalize", "break"} else ["a.safetensors", "b.safetensors"]
    result = run(verb, *files, "-m", "late.py:build", "-o", output)
    assert result.exit_code == 2
    assert words in result.output
    assert "the model was built" not in result.output
    assert (folder / "there.safetensors").read_text() == "old"


def test_an_output_of_find_is_refused_before_the_model_is_built(run: Run, folder: Path) -> None:
    (folder / "there.json").write_text("old")
    (folder / "late.py").write_text("raise AssertionError('the model was built')")
    result = run("find", "late.py:build", "-o", "there.json")
    assert (result.exit_code, "exists" in result.output) == (2, True)
    assert "the model was built" not in result.output
