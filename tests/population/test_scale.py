"""On a Ray cluster of this machine, with a worker that is killed in the middle."""

import os
import signal
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor

from parasym.core import BadInputError, CheckpointError
from parasym.population import TrainingPlan, train_population
from parasym.population.scale import shares
from tests.needs import needs
from tests.population.networks import data, normalized, perceptron

PLAN = TrainingPlan(epochs=4, batch=16, rate=1e-2)


class DiesOnce:
    """Changes nothing, but kills the process that asks it for the n-th time, once for all."""

    def __init__(self, marker: Path, calls: int) -> None:
        self.marker, self.calls, self.driver = marker, calls, os.getpid()

    def __call__(self, x: Tensor, _generator: torch.Generator) -> Tensor:
        self.calls -= 1
        if self.calls == 0 and os.getpid() != self.driver and not self.marker.exists():
            self.marker.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return x


@pytest.mark.filterwarnings("ignore")
def test_a_worker_is_killed(tmp_path, monkeypatch):
    ray = needs("ray")
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), *filter(None, sys.path)]))
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    x, y = data()
    dies = DiesOnce(tmp_path / "died", calls=14)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
        told: list[int] = []
        try:
            spread = train_population(
                normalized, x, y, seeds=(0, 1, 2), plan=PLAN, augment=dies, way="loop", address="local", advance=told.append,
                checkpoint=tmp_path / "c.safetensors", rows=tmp_path / "rows.jsonl",
            )  # fmt: skip
        finally:
            ray.shutdown()
    assert dies.marker.exists(), "nobody was killed"
    here = train_population(normalized, x, y, seeds=(0, 1, 2), plan=PLAN, augment=dies, way="loop")
    for a, b in zip(spread.params, here.params, strict=True):
        assert all(torch.equal(a[n], b[n]) for n in b)
    for a, b in zip(spread.initial, here.initial, strict=True):
        assert all(torch.equal(a[n], b[n]) for n in b)
    assert spread.history == here.history
    assert sum(told) == PLAN.epochs
    assert "the first of 3 parts on Ray" in spread.way.reason
    names = sorted(p.name for p in tmp_path.glob("c-*.safetensors"))
    assert names == [Path(p.checkpoint or "").name for p in shares((0, 1, 2), tmp_path / "c.safetensors")]
    rows = (tmp_path / "rows.jsonl").read_text()
    assert len(rows.splitlines()) == 12
    # The same networks without a cluster have the same ids: nothing is there twice.
    train_population(
        normalized, x, y, seeds=(0, 1, 2), plan=PLAN, augment=dies, way="loop", rows=tmp_path / "rows.jsonl"
    )  # fmt: skip
    assert sorted((tmp_path / "rows.jsonl").read_text().splitlines()) == sorted(rows.splitlines())


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(BadInputError, match=r"parasym\[scale\]"):
        train_population(perceptron, *data(), seeds=(0,), plan=PLAN, address="local")


def test_parts_depend_on_the_seeds_alone(tmp_path):
    parts = shares(tuple(range(300)), tmp_path / "c.safetensors")
    assert len(parts) == 38, "many more than workers"
    assert [s for part in parts for s in part.seeds] == list(range(300))
    assert len({part.checkpoint for part in parts}) == 38
    assert parts == shares(tuple(range(300)), tmp_path / "c.safetensors")
    assert [len(p.seeds) for p in shares(tuple(range(8)), None)] == [1] * 8
    with pytest.raises(CheckpointError, match="seeds differ"):
        shares(tuple(range(301)), tmp_path / "c.safetensors")


def test_hooks_stay_in_this_process():
    with pytest.raises(BadInputError, match="called in this process"):
        train_population(perceptron, *data(), seeds=(0,), plan=PLAN, on_step=print, address="local")
