"""`--untie`: a checkpoint that says two things of tied names, through every verb that reads one."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import Result

from tests.cli import nets

Run = Callable[..., Result]
INPUT = ("--input", "2x3:int64<7")
VERBS = {
    "match": ("match", "one.safetensors", "two.safetensors", "-m", "nets.py:Tied", *INPUT, "-o", "out.safetensors"),
    "merge": ("merge", "one.safetensors", "two.safetensors", "-m", "nets.py:Tied", *INPUT, "-o", "out.safetensors"),
    "verify": ("verify", "nets.py:Tied", "--params", "two.safetensors", *INPUT),
}


@pytest.fixture(autouse=True)
def files(folder: Path) -> None:
    """``one`` holds the embedding only, ``two`` a head that differs from it by one."""
    for name, seed in (("one", 0), ("two", 1)):
        torch.manual_seed(seed)
        params = {k: v.clone() for k, v in nets.Tied().state_dict().items()}
        del params["head.weight"]
        head = {"head.weight": params["embed.weight"] + 1} if name == "two" else {}
        save_file(params | head, f"{name}.safetensors")


@pytest.mark.parametrize("verb", VERBS)
def test_it_is_refused_and_nothing_is_written(run: Run, verb: str) -> None:
    result = run(*VERBS[verb])
    assert result.exit_code == 2
    assert "`head.weight` and `embed.weight` are tied in the model but differ in the file (by 1.0)" in result.stderr
    assert not Path("out.safetensors").exists()


@pytest.mark.parametrize("verb", VERBS)
def test_untied_both_are_kept(run: Run, verb: str) -> None:
    result = run(*VERBS[verb], "--untie")
    assert result.exit_code == 0, result.output
    assert "untied, for the files differ there: `head.weight`" in result.stderr
    if verb != "verify":
        out = load_file("out.safetensors")
        assert {"head.weight", "embed.weight"} <= out.keys()
        assert float((out["head.weight"] - out["embed.weight"]).abs().max()) > 0.1


def test_where_nothing_differs_it_says_so(run: Run) -> None:
    result = run("verify", "nets.py:Tied", "--params", "one.safetensors", *INPUT, "--untie")
    assert result.exit_code == 0, result.output
    assert "nothing to untie" in result.stderr
