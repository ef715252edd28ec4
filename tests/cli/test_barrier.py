"""`parasym barrier`: what it refuses, in one line."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import Result

Run = Callable[..., Result]
X, Y = torch.zeros(300, 6), torch.zeros(300, dtype=torch.int64)

REFUSED = {
    "no labels": (X, (), "must hold inputs and one tensor of labels, but holds the inputs 256x6:float32 and no labels"),
    "two labels": ((X, Y, Y), (), "labels 256:int64, 256:int64"),
    "too few labels": (
        (X, Y[:20]),
        (),
        "must hold a label for every sample, but holds the inputs 256x6:float32 and",
    ),
    "unknown classes": (
        (X, Y + 7),
        (),
        "Loss `cross_entropy` cannot be taken of what the model returns and the labels in",
    ),
    "another shape": ((X, Y.float()), ("--loss", "mse_loss"), "Using a target size (torch.Size([256]))"),
    "an unknown loss": ((X, Y), ("--loss", "entropy"), "Loss `entropy` is unknown. Known are cross_entropy, "),
    "an even number": ((X, Y), ("--points", "4"), "Option --points must be odd and at least 3"),
    "inputs that do not fit": ((X[:, :5], Y), (), "Model `nets.py:build` does not run on"),
    "inputs from two places": ((X, Y), ("--input", "4x6", "--data", "no.pt"), "`no.pt`"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_measured_is_one_line(run: Run, folder: Path, case: str):
    content, flags, words = REFUSED[case]
    torch.save(content, folder / "data.pt")
    result = run("barrier", "a.safetensors", "b.safetensors", "-m", "nets.py:build", "--data", "data.pt", *flags)
    assert result.exit_code == 2, result.output
    (line,) = [x for x in result.stderr.splitlines() if not x.startswith("note: ")]
    assert words in line
    assert "bug in parasym" not in line


def test_a_loss_that_is_no_number_is_unsure(run: Run, folder: Path):
    torch.save((X + torch.inf, Y), folder / "data.pt")
    result = run(
        "barrier", "a.safetensors", "b.safetensors", "-m", "nets.py:build", "--data", "data.pt", "--points", "3", "--json"
    )
    assert result.exit_code == 2
    assert '"midpoint": null' in result.stdout
    assert "NaN" not in result.stdout
