"""The example in the help of every verb is a command that works, in the order of the list."""

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from typer.testing import Result

from parasym.cli import VERBS
from parasym.cli.verb import Verb, imported

Run = Callable[..., Result]
PARSED = {"hop", "demo", "study", "report"}
"""Verbs whose examples need a package, or minutes, or what others made: only read."""

NET = """
from torch import nn

def build():
    return nn.Sequential(nn.Conv2d(3, 4, 8, 8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
"""


def example(verb: str) -> list[str]:
    doc = imported(verb).__doc__ or ""
    (line,) = [line.strip() for line in doc.partition("Example:\n")[2].splitlines() if line.strip()]
    program, name, *words = shlex.split(line)
    assert (program, name) == ("parasym", verb.rstrip("_"))
    return words


@pytest.mark.parametrize("verb", VERBS)
def test_it_has_the_options_that_there_are(verb: str):
    context = Verb(verb).make_context(verb, example(verb))
    given = {name for name, value in context.params.items() if context.get_parameter_source(name).name == "COMMANDLINE"}
    assert len(given) > 1


def test_an_option_that_there_is_not_is_noticed():
    with pytest.raises(Exception, match="No such option: --ouput"):
        Verb("match").make_context("match", [*example("match"), "--ouput", "x"])


def test_they_run_one_after_the_other(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    generator = torch.Generator().manual_seed(0)
    for seed, name in enumerate("abc"):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Conv2d(3, 4, 8, 8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        save_file(model.state_dict(), f"{name}.safetensors")
    images = torch.randn(20, 3, 32, 32, generator=generator).numpy()
    np.savez("images.npz", input=images)
    np.savez("labelled.npz", input=images, labels=torch.randint(3, (20,), generator=generator).numpy())
    for verb in VERBS:
        if verb not in PARSED:
            result = run(verb.rstrip("_"), *example(verb))
            assert result.exit_code == 0, (verb, result.output)
    made = {path.name for path in tmp_path.iterdir()}
    assert {"symmetry.json", *(f"{n}.safetensors" for n in ("matched", "merged", "canonical", "broken"))} <= made
    assert not torch.equal(load_file("matched.safetensors")["0.weight"], load_file("b.safetensors")["0.weight"])
