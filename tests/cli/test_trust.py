"""`--trust`: an exported program is data, and what is more than that runs only on request."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from typer.testing import Result

from tests.checkpoint.files import put_zip, zip_members

Run = Callable[..., Result]
MARKER = "made-by-the-file"


@pytest.fixture
def acting(folder: Path) -> None:
    """``acts.pt2`` calls what is no operation; ``guarded.pt2`` has code among its guards."""
    torch.export.save(torch.export.export(nn.Linear(6, 2), (torch.zeros(4, 6),)), "plain.pt2")
    members = zip_members(Path("plain.pt2"))
    (name,) = (member for member in members if member.endswith("models/model.json"))
    document = json.loads(members[name])
    code = f"__import__('os').mkdir('{MARKER}') is None"
    put_zip(Path("guarded.pt2"), members | {name: json.dumps(document | {"guards_code": [code]}).encode()})
    document["graph_module"]["graph"]["nodes"][0]["target"] = "torch.os.mkdir"
    put_zip(Path("acts.pt2"), members | {name: json.dumps(document).encode()})


@pytest.mark.usefixtures("acting")
@pytest.mark.parametrize("verb", ["find", "verify"])
def test_what_is_no_data_is_refused_and_nothing_runs(run: Run, verb: str) -> None:
    refused = run(verb, "acts.pt2")
    assert refused.exit_code == 2
    assert "`acts.pt2` is more than data: it calls `torch.os.mkdir`" in refused.stderr
    assert "--trust" in refused.stderr
    read = run(verb, "guarded.pt2")
    assert read.exit_code == 0, read.output
    assert "1 checks of its inputs are code and were not run" in read.stderr
    assert not Path(MARKER).exists()


@pytest.mark.usefixtures("acting")
def test_trusted_it_runs(run: Run) -> None:
    found = run("find", "guarded.pt2", "--trust")
    assert found.exit_code == 0, found.output
    assert Path(MARKER).exists()


def test_other_inputs_and_the_mode_are_answered(run: Run, folder: Path) -> None:
    torch.export.save(
        torch.export.export(nn.Sequential(nn.Linear(6, 2), nn.BatchNorm1d(2)).eval(), (torch.zeros(4, 6),)), "n.pt2"
    )
    refused = run("verify", "n.pt2", "--input", "4x7")
    assert refused.exit_code == 2
    assert "must have the shape 4x6 that it was exported for" in refused.stderr
    kept = run("verify", "n.pt2", "--train-mode")
    assert kept.exit_code == 0, kept.output
    assert "--train-mode changes nothing" in kept.stderr


@pytest.mark.parametrize("verb", ["find", "verify", "match", "merge"])
def test_help_says_what_is_run(run: Run, verb: str) -> None:
    told = " ".join(run(verb, "--help").output.replace("│", " ").split())
    assert "Python, which is run" in told
    assert "runs code that the file holds" in told
