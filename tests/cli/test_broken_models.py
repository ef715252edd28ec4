"""Checkpoints of broken models on the command line: of one recipe, of another, of none, and of the old drawing."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from typer.testing import Result

from parasym.breaking import WAsymmetric, break_
from parasym.core import RECIPE
from tests.breaking.old_drawing import old_state

Run = Callable[..., Result]
FACTORY = """
import torch
from torch import nn
from parasym.breaking import WAsymmetric, break_

def plain():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))

def build():
    return break_(plain(), WAsymmetric(frozen=2)).model
"""


def broken(seed: int = 0) -> nn.Module:
    torch.manual_seed(0)
    return break_(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)), WAsymmetric(frozen=2, seed=seed)).model


def raised(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of another network: what is trained is larger."""
    return {n: x + 0.125 if x.is_floating_point() and not n.endswith(".frozen") else x.clone() for n, x in state.items()}


@pytest.fixture
def files(folder: Path) -> Path:
    (folder / "net.py").write_text(FACTORY)
    state, old = broken().state_dict(), old_state(broken())
    bare = {n: x for n, x in state.items() if n != RECIPE}
    for name, content in {
        "a": state,
        "b": raised(state),
        "bare": bare,
        "other": broken(1).state_dict(),
        "old": old,
        "old2": raised(old),
        "prefixed": {f"net.{n}": x for n, x in old.items()},
        "old3": old_state(broken(), seed=1),
    }.items():
        save_file(content, folder / f"{name}.safetensors")
    return folder


def distance(run: Run, a: str, b: str, factory: str = "build") -> Result:
    return run("distance", "-m", f"net.py:{factory}", f"{a}.safetensors", f"{b}.safetensors", "--input", "2x4")


def test_states_of_one_recipe_and_of_none(files: Path, run: Run):
    assert distance(run, "a", "b").exit_code == 0
    result = distance(run, "a", "bare")
    assert result.exit_code == 0
    assert "bare.safetensors: it has no recipe, so it may be of another architecture: at 0 of 18 frozen entries" in result.output


def test_the_state_of_another_recipe_is_refused(files: Path, run: Run):
    result = distance(run, "a", "other")
    assert result.exit_code == 2
    assert (
        "`other.safetensors`: The state was saved from a model that was broken otherwise: seed=1 instead of 0." in result.output
    )


@pytest.mark.parametrize("first", ["old", "prefixed"])
def test_files_of_the_old_drawing(files: Path, run: Run, first: str):
    result = distance(run, first, "old2")
    assert result.exit_code == 0, result.output
    assert result.output.count("constants instead of the recipe: they are taken from it") == 2
    for a, b, said in (("old", "old3", "has other constants in `0.weight`"), ("a", "old", "of different architectures")):
        refused = distance(run, a, b)
        assert refused.exit_code == 2
        assert said in refused.output


def test_what_is_written_has_the_constants(files: Path, run: Run):
    """Fault: a file without them, which nothing could draw again."""
    result = run("merge", "-m", "net.py:build", "old.safetensors", "old2.safetensors", "--input", "2x4", "-o", "m.safetensors")
    assert result.exit_code == 0, result.output
    merged, given = broken(), broken()
    merged.load_state_dict(load_file("m.safetensors"))
    with pytest.warns(UserWarning, match="earlier version"):
        given.load_state_dict(load_file("old.safetensors"))
    for name, old in old_state(broken()).items():
        if name.endswith("0.mask"):
            path = name.removesuffix("parametrizations.weight.0.mask")
            weight, first = merged.get_parameter(f"{path}weight"), given.get_parameter(f"{path}weight")
            assert torch.equal(weight[~old], first[~old])
            assert torch.allclose(weight[old], first[old] + 0.0625)


def test_a_plain_model_says_what_to_do(files: Path, run: Run):
    result = distance(run, "a", "b", "plain")
    assert result.exit_code == 2
    assert "is of a model that was broken, and has `breaking_recipe`" in result.output
    assert "parasym.break_(model, parasym.breaking.recipe_of(file)).model" in result.output
