"""`parasym break`: what it refuses, in one line, with nothing written."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import Result

from tests.cli import nets

Run = Callable[..., Result]

REFUSED = {
    "--frozen x": "Option --frozen must be a number, or PATTERN=NUMBER, but has `x` for a number",
    "--frozen 2 --frozen 0=3": "Option --frozen must be one number, or PATTERN=NUMBER each time",
    "--frozen 99": "3 layers are too narrow",
    "--frozen head=1": "pattern `head`, but no layer matches it",
    "--std -1": "Argument `std` must be a finite number of at least 0",
    "--unit row": "Argument `unit` must be one of",
    "--functional leave": "Option --functional is not one of w-asymmetric. Its options are --frozen, --std,",
    "--method sigma-asymmetric --frozen 2": "Option --frozen is not one of sigma-asymmetric. Its options are --std, --functional",
    "--method mask": "Method `mask` is unknown. Known are w-asymmetric, sigma-asymmetric",
    "--preset vgg": "Argument `name` must be one of mlp,",
    "--preset mlp --method sigma-asymmetric": "Option --preset is for WAsymmetric, but --method is sigma-asymmetric",
    "--input 4x7": "does not run on",
}


@pytest.mark.parametrize("flags", REFUSED)
def test_what_cannot_be_broken_is_one_line(run: Run, folder: Path, flags: str):
    before = sorted(folder.iterdir())
    result = run("break", "a.safetensors", "-m", "nets.py:build", "-o", "out.safetensors", *flags.split())
    assert result.exit_code == 2, result.output
    (line,) = [x for x in result.stderr.splitlines() if not x.startswith("note: ")]
    assert REFUSED[flags] in line
    assert sorted(x for x in folder.iterdir() if x.name != "__pycache__") == [x for x in before if x.name != "__pycache__"]


def test_an_exported_program_is_refused(run: Run, folder: Path):
    torch.export.save(torch.export.export(nets.build().eval(), nets.example_inputs), folder / "net.pt2")
    result = run("break", "a.safetensors", "-m", "net.pt2", "-o", "out.safetensors")
    assert (result.exit_code, "is exported" in result.stderr) == (2, True)
    assert not Path("out.safetensors").exists()


def test_a_preset_is_that_of_the_paper_with_the_seed_of_the_command(run: Run, folder: Path):
    words = ("a.safetensors", "-m", "nets.py:build", "-o", "out.safetensors", "--preset", "graph", "--frozen", "3", "--seed", "2")
    result = run("break", *words)
    assert result.exit_code == 0, result.output
    assert "WAsymmetric(frozen=3, std=0.5, seed=2)" in result.stdout
    assert "recipe_of('out.safetensors')" in result.stdout


def test_a_layer_that_is_frozen_as_a_whole_is_noted(run: Run, folder: Path):
    result = run("break", "a.safetensors", "-m", "nets.py:build", "-o", "out.safetensors", "--frozen", "4=8", "--frozen", "*=2")
    assert result.exit_code == 0, result.output
    assert "note: `4` is frozen as a whole" in result.stderr
    assert "Warning" not in result.stderr
