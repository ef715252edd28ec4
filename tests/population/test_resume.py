"""Killed at any moment, the same call goes on and ends with the same numbers."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy, mse_loss

from parasym.core import BadInputError, CheckpointError
from parasym.population import Population, RandomFlip, TrainingPlan, train_population
from parasym.population.resume import describe
from tests.population.networks import Counting, convolutional, data, dropping, images, normalized, perceptron

PLAN = TrainingPlan(epochs=4, batch=16, rate=1e-2)
FLIP = RandomFlip()


class StoppedError(Exception):
    """Somebody pressed a key."""


def stop_after(epochs: int) -> Callable[[int], None]:
    done = 0

    def told(more: int) -> None:
        nonlocal done
        done += more
        if done >= epochs:
            raise StoppedError

    return told


def same(a: Population, b: Population) -> bool:
    numbers = all(torch.equal(x[n], y[n]) for x, y in zip(a.params, b.params, strict=True) for n in x)
    return numbers and a.history == b.history and a.diverged == b.diverged


CASES: dict[str, dict[str, Any]] = {
    "together": {"factory": normalized, "way": "vmap"},
    "loop": {"factory": normalized, "way": "loop"},
    "dropout": {"factory": dropping},
    "buffers": {"factory": Counting},
    "augmented": {"factory": convolutional, "augment": FLIP, "way": "vmap"},
    "plans": {"factory": perceptron, "way": "vmap", "plan": [PLAN, replace(PLAN, epochs=2, rate=1e-3)]},
    "half": {"factory": perceptron, "way": "vmap", "plan": replace(PLAN, precision="bfloat16")},
    "momentum": {"factory": perceptron, "way": "vmap", "plan": replace(PLAN, optimizer="sgd", momentum=0.9)},
}


@pytest.mark.parametrize("name", CASES)
def test_stopped_and_taken_up(name, tmp_path):
    case = {"plan": PLAN, "seeds": (0, 1)} | CASES[name]
    x, y = images() if case["factory"] is convolutional else data()
    run = partial(train_population, x=x, y=y, **case)
    whole = run()
    with pytest.raises(StoppedError):
        run(checkpoint=tmp_path / "c.safetensors", advance=stop_after(1))
    with pytest.raises(StoppedError):
        run(checkpoint=tmp_path / "c.safetensors", advance=stop_after(3))
    told: list[int] = []
    resumed = run(checkpoint=tmp_path / "c.safetensors", advance=told.append)
    assert told == [3, 1]
    assert same(resumed, whole)
    assert same(run(checkpoint=tmp_path / "c.safetensors"), whole), "finished: read, not trained again"
    other = run(seeds=(0, 2))
    assert not same(other, whole)


def test_forgotten_memory_would_be_seen(tmp_path, monkeypatch):
    run = partial(train_population, perceptron, *data(), seeds=(0, 1), plan=PLAN, way="vmap")
    with pytest.raises(StoppedError):
        run(checkpoint=tmp_path / "c.safetensors", advance=stop_after(2))
    from parasym.population import here as train

    right = train.load_state

    def forgets(*args):
        found = right(*args)
        assert found is not None
        found[0].rows.first[0].zero_()
        return found

    monkeypatch.setattr(train, "load_state", forgets)
    assert not same(run(checkpoint=tmp_path / "c.safetensors"), run())


SCRIPT = """
    import sys, time
    from parasym.population import TrainingPlan, train_population
    from tests.population.networks import data, normalized
    train_population(normalized, *data(), seeds=(0, 1), plan=TrainingPlan(epochs=80, batch=16, rate=1e-2), way="vmap",
                     checkpoint=sys.argv[1], rows=sys.argv[2])
"""


def test_killed(tmp_path):
    path, rows = tmp_path / "c.safetensors", tmp_path / "rows.jsonl"
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(path), str(rows)]
    where = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])}
    process = subprocess.Popen(command, env=os.environ | where)
    until = time.monotonic() + 60
    while (not rows.exists() or len(rows.read_text().splitlines()) < 9) and time.monotonic() < until:
        assert process.poll() is None, "it ended by itself"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    seen = len(rows.read_text().splitlines())
    assert 9 <= seen < 160
    with rows.open("a") as file:
        file.write('{"task": "half a li')  # what a kill in the middle of a line leaves
    plan = TrainingPlan(epochs=80, batch=16, rate=1e-2)
    told: list[int] = []
    run = partial(train_population, normalized, *data(), seeds=(0, 1), plan=plan, way="vmap")
    resumed = run(checkpoint=path, rows=rows, advance=told.append)
    assert told[0] > 1, "it began anew"
    assert same(resumed, run())
    lines = [json.loads(line) for line in rows.read_text().splitlines()]
    assert [(r["seed"], r["epoch"]) for r in lines] == [(s, e) for e in range(80) for s in (0, 1)]
    assert [r["loss"] for r in lines] == [r.loss for r in resumed.history]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seeds": (0, 2)}, "seeds, initial weights differ"),
        ({"plan": replace(PLAN, rate=2e-2)}, "plan differs"),
        ({"y": 2 - data()[1]}, "data differs"),
        ({"factory": normalized}, "architecture, initial weights differ"),
        ({"loss": partial(cross_entropy, reduction="mean")}, "loss differs"),
        ({"augment": lambda x, _: x}, "augment differs"),
    ],
)
def test_another_task_is_refused(change, named, tmp_path):
    run = partial(train_population, y=data()[1], x=data()[0], checkpoint=tmp_path / "c.safetensors")
    task = {"factory": perceptron, "seeds": (0, 1), "plan": PLAN}
    run(**task)
    with pytest.raises(CheckpointError, match=named):
        run(**(task | change))


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    run = partial(train_population, perceptron, *data(), seeds=(0,), plan=PLAN, checkpoint=path)
    run()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cannot be read"):
        run()
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="no checkpoint of a population"):
        run()


def test_a_history_that_does_not_fit_is_refused(tmp_path):
    run = partial(train_population, perceptron, *data(), seeds=(0,), plan=PLAN, checkpoint=tmp_path / "c.safetensors")
    whole = run()
    history = tmp_path / "c.safetensors.history"
    text = history.read_bytes()
    history.write_bytes(text + b"[0, 9, half a li")
    assert run().history == whole.history, "what was appended after the checkpoint does not count"
    history.write_bytes(text[:-3])
    with pytest.raises(CheckpointError, match="was cut off"):
        run()
    history.write_bytes(b"x" * len(text))
    with pytest.raises(CheckpointError, match="cannot be read"):
        run()
    history.unlink()
    with pytest.raises(CheckpointError, match="delete both"):
        run()


def test_a_checkpoint_costs_what_the_state_costs(tmp_path):
    path = tmp_path / "c.safetensors"
    run = partial(train_population, perceptron, *data(), seeds=range(4), way="vmap", checkpoint=path)
    run(plan=replace(PLAN, epochs=1))
    size = path.stat().st_size
    path.unlink()
    run(plan=replace(PLAN, epochs=50))
    assert path.stat().st_size < 1.01 * size


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("parasym.population.resume.write_tensors", full)
    with pytest.raises(BadInputError, match="No space left on device"):
        train_population(perceptron, *data(), seeds=(0,), plan=PLAN, checkpoint=tmp_path / "c.safetensors")
    assert not list(tmp_path.iterdir())


def test_rows_of_other_tasks_stay(tmp_path):
    path = tmp_path / "rows.jsonl"
    run = partial(train_population, perceptron, *data(), plan=replace(PLAN, epochs=1), rows=path)
    run(seeds=(0, 1))
    run(seeds=(2,))
    run(seeds=(0, 1))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(r["seed"] for r in rows) == [0, 1, 2]
    assert len({r["task"] for r in rows}) == 3, "one id per network"
    path.write_text("hello\n" + path.read_text())
    with pytest.raises(BadInputError, match="Line 1"):
        run(seeds=(0, 1))


def test_a_diverged_loss_is_null(tmp_path):
    path = tmp_path / "rows.jsonl"
    wild = TrainingPlan(epochs=3, batch=16, rate=1e30, decay=1.0, optimizer="sgd")
    train_population(perceptron, *data(), seeds=(0,), plan=wild, rows=path)
    last = json.loads(path.read_text().splitlines()[-1])
    assert last["loss"] is None
    assert last["finite"] is False


def test_callables_are_described_without_addresses():
    for function in (mse_loss, partial(mse_loss, reduction="sum"), FLIP, lambda x: x, Counting()):
        assert "0x" not in describe(function)
    assert describe(partial(mse_loss, reduction="sum")) != describe(mse_loss)


@pytest.mark.parametrize("what", ["rows", "checkpoint"])
def test_one_training_at_a_time(tmp_path: Path, what: str) -> None:
    """While one training writes, another is refused, also after the file was replaced; then the file is free, and whole."""
    path = tmp_path / "file"
    run = partial(train_population, perceptron, *data(), plan=replace(PLAN, epochs=2), **{what: path})
    refused = []

    def again(_: int) -> None:
        with pytest.raises(BadInputError, match=rf"`{path}` is in use: another process is writing to it"):
            run(seeds=(1,))
        refused.append(path.read_bytes())

    run(seeds=(0,), advance=again)
    assert len(refused) == 2
    assert refused[1].startswith(refused[0]) == (what == "rows")
    if what == "rows":
        run(seeds=(1,))
        assert len(path.read_text().splitlines()) == 4


def test_a_training_that_is_refused_leaves_no_file(tmp_path: Path) -> None:
    x, y = data()
    with pytest.raises(BadInputError):
        train_population(perceptron, x[:, :1], y, seeds=(0,), plan=PLAN, rows=tmp_path / "r", checkpoint=tmp_path / "c")
    assert list(tmp_path.iterdir()) == []
