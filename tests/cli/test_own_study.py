"""A study asked of a network and data of one's own: its controls, what is left out, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import Result

from parasym.breaking import frozen_tensors
from parasym.core import BadInputError
from parasym.data import Images
from parasym.studies.own_network import build_own, own_name
from parasym.studies.paper_network import network_named
from parasym.studies.variant import variant_named

Run = Callable[..., Result]

NET = """
import torch
from torch import nn

def wide(width=12):
    first = nn.Linear(6, width), nn.LayerNorm(width), nn.ReLU()
    return nn.Sequential(*first, nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3))

def fixed():
    return wide()

class Calls(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.down = nn.Linear(6, 8), nn.Linear(8, 3)
        self.mid = nn.Parameter(torch.randn(8, 8))

    def forward(self, x):
        return self.down((self.up(x).relu() @ self.mid.T).relu())

class Graph(nn.Module):
    def __init__(self):
        super().__init__()
        self.up, self.act, self.down = nn.Linear(32, 8), nn.GELU(), nn.Linear(8, 8)

    def forward(self, x, edges):
        h = self.act(self.up(x))
        return self.down(h.index_add(0, edges[1], h[edges[0]]))

def bare(width):
    return wide(width)

def few():
    return nn.Linear(6, 2)

def fails():
    raise ValueError("no such thing")

def number():
    return 3

one = wide()
"""


@pytest.fixture(autouse=True)
def a_network_and_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    save("own.npz", seed=0)


def save(name: str, *, seed: int) -> None:
    random = np.random.default_rng(seed)
    x = random.normal(size=(160, 6))
    y = (np.tanh(x) @ random.normal(size=(6, 3))).argmax(1)
    np.savez(name, x_train=x[:120], y_train=y[:120], x_test=x[120:], y_test=y[120:])


def methods(result: Result) -> set[str]:
    return {record["method"] for record in records(result)}


def records(result: Result) -> list[dict[str, Any]]:
    folder = Path(json.loads(result.stdout)["folder"])
    return [record for line in (folder / "rows.jsonl").read_text().splitlines() for record in json.loads(line)["records"]]


def test_barriers_of_ones_own_network_with_all_controls(run: Run):
    found = run(
        "study", "lmc", "--model", "net.py:wide", "--data", "own.npz", "--set", "pairs=1", "--set", "plan.batch=30", "--json"
    )
    assert json.loads(found.stdout)["left_out"] == {}
    assert methods(found) == {
        *("standard", "weight-matching", "activation-matching", "sigma", "w-zero", "w", "anchor", "shared-start"),
        *("as-many", "half", "double"),
    }
    by_name = {record["method"]: record for record in records(found)}
    assert (
        by_name["half"]["trainable"]
        < by_name["w"]["trainable"]
        < by_name["standard"]["trainable"]
        < by_name["double"]["trainable"]
    )
    assert by_name["anchor"]["trainable"] == by_name["standard"]["trainable"]
    assert all(np.isfinite(record["barrier"]) and record["from_start"] > 0 for record in by_name.values())
    assert json.loads(found.stdout)["folder"] == "parasym-lmc-wide-tiny"


def test_interpolation_of_ones_own_network(run: Run):
    settings = ("--set", "networks=2", "--set", "chunk=1", "--set", "sampling.batch=60")
    found = run("study", "mli", "--model", "net.py:wide", "--data", "own.npz", *settings, "--json")
    assert methods(found) == {"standard", "sigma", "w-zero", "w", "anchor"}
    assert {(record["seed"], record["draw"]) for record in records(found)} == {(0, 0), (1, 1)}


def test_what_cannot_be_asked_is_listed_with_its_reason(run: Run):
    listed = run("study", "lmc", "--model", "net.py:fixed", "--data", "own.npz", "--list", "--json")
    reason = "the factory of `net.py:fixed` takes no argument `width`"
    assert json.loads(listed.stdout)["left_out"] == dict.fromkeys(("as-many", "half", "double"), reason)
    assert f"left out: half: {reason}" in " ".join(listed.stderr.split())
    calls = run("study", "lmc", "--model", "net.py:Calls", "--data", "own.npz", "--list", "--json")
    assert "calls activations as functions" in json.loads(calls.stdout)["left_out"]["sigma"]
    assert "w" not in json.loads(calls.stdout)["left_out"]
    whole = run("study", "lmc", "--model", "net.py:wide", "--data", "own.npz", "--set", "plan.batch=120", "--list", "--json")
    assert list(json.loads(whole.stdout)["left_out"]) == ["shared-start"]
    assert "a batch is all 120 examples" in json.loads(whole.stdout)["left_out"]["shared-start"]


def test_a_graph_network_of_ones_own_takes_features_and_edges(run: Run):
    settings = ("--set", "pairs=1", "--set", "plan.epochs=1", "--set", "variants=standard,w,anchor")
    found = run("study", "lmc", "--model", "net.py:Graph", "--set", "data=blocks", *settings, "--json")
    assert methods(found) == {"standard", "weight-matching", "activation-matching", "w", "anchor"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lmc", "--model", "net.py:wide"), "Option --model needs data: --data FILE.npz"),
        (("lmc", "--model", "net.py:wide", "--data", "no.npz"), "file `no.npz` does not exist"),
        (("lmc", "--model", "net.py:wide", "--set", "data=karat"), "Data `karat` is unknown"),
        (("lmc", "--model", "net.py:few", "--data", "own.npz"), "has 2 outputs, but `own` has labels up to 2"),
        (("lmc", "--model", "net.py:fails", "--data", "own.npz"), "cannot be built: ValueError: no such thing (net.py, line"),
        (("lmc", "--model", "net.py:number", "--data", "own.npz"), "must return a torch.nn.Module, but returned a int"),
        (
            ("lmc", "--model", "net.py:one", "--data", "own.npz"),
            "must name a function or a class, so that every network starts anew",
        ),
        (("lmc", "--model", "net.py:bare", "--data", "own.npz"), "needs `width`"),
        (("lmc", "--model", "net.py:other", "--data", "own.npz"), "has no `other`; it defines"),
        (("lmc", "--model", "nothere.py:x", "--data", "own.npz"), "Model file `nothere.py` does not exist"),
        (("lmc", "--model", "net", "--data", "own.npz"), "has no `:factory`"),
        (("lmc", "--model", "net.py:wide", "--data", "own.npz", "--set", "data=digits"), "does not run on inputs of `digits`"),
        (
            ("lmc", "--model", "net.py:fixed", "--data", "own.npz", "--set", "variants=half"),
            "No variant can be made of `net.py:fixed`",
        ),
        (("lmc", "--model", "net.py:fixed", "--data", "own.npz", "--set", "variants=x"), "Variant `x` is unknown"),
        (("symh", "--model", "net.py:wide"), "Study `symh` takes no --model: its circuits are named by ring, qubits and ansatz"),
    ],
)
def test_bad_input_is_one_line_exit_code_two_and_no_folder(run: Run, arguments: tuple[str, ...], message: str):
    found = run("study", *arguments)
    assert found.exit_code == 2
    assert message in " ".join(found.output.split()), found.output
    assert "Traceback" not in found.output
    assert not list(Path().glob("parasym-*"))


def test_another_file_or_other_data_are_refused(run: Run):
    command = ("study", "lmc", "--model", "net.py:fixed", "--data", "own.npz", "--set", "pairs=1", "--set", "variants=w")
    assert "1 of 1" not in run(*command).output
    assert run(*command, "--list", "--json").stdout.count('"done": true') == 1
    save("own.npz", seed=1)
    assert "other data" in " ".join(run(*command).output.split())
    save("own.npz", seed=0)
    Path("net.py").write_text(NET + "\n# another one\n")
    assert "was begun with another list of tasks" in " ".join(run(*command).output.split())


def test_a_file_that_changes_below_a_run_is_seen():
    name = own_name("net.py:wide")
    assert build_own(name, 0.5).get_parameter("0.weight").shape == (6, 6)
    assert build_own(name, 1.01).get_parameter("0.weight").shape == (12, 6)
    stale = name[:-1] + ("0" if name[-1] != "0" else "1")
    with pytest.raises(BadInputError, match="is not the one that this study was begun with"):
        build_own(stale, 1.0)


def test_the_weights_of_ones_own_network_are_told_by_its_graph():
    x, y = torch.randn(8, 6, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 3
    data = Images("own", x, y, x, y, (0.0,), (1.0,), 3)
    network = network_named(own_name("net.py:Calls"))

    def made(name: str) -> torch.nn.Module:
        torch.manual_seed(5)
        return variant_named(name).make(network, data, 1.0, 2)

    assert {name for name, *_ in frozen_tensors(made("w"))} == {"up.weight", "mid", "down.weight"}
    assert torch.equal(made("anchor")(x), made("w")(x))
    assert not torch.equal(made("anchor")(x), made("standard")(x))
    assert network.title == "net.py:Calls"
