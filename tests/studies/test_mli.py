"""Monotonic linear interpolation: a tiny run, and what rows of all kinds say."""

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch

from parasym.core import BadInputError
from parasym.studies import Row, mean_interval, mli, run_task
from parasym.studies.mli import MLI, MliSettings, MliTask, Sampling
from parasym.studies.row import counts_of, sums_of
from parasym.studies.variant import variant_named
from tests.needs import needs

needs("sklearn")
TINY: MliSettings = MLI.presets["tiny"][0]


def record(method: str, rise: float, *, diverged: bool = False) -> dict[str, Any]:
    if diverged:
        return {"method": method, "diverged": True, "seed": 0}
    names = ("local_convexity", "global_convexity", "first_loss", "last_loss", "test_accuracy")
    shape = {"largest_rise": rise, "monotonic": rise <= 0, "t": [0.0, 0.5, 1.0], "loss": [2.0, 1.0, 0.5]}
    return {"method": method, "diverged": False, "seed": 0, **shape, **dict.fromkeys(names, 0.5 - rise)}


def row(*records: dict[str, Any]) -> Row:
    task = asdict(MLI.tasks(TINY)[0])
    rest = {
        "commit": "",
        "versions": {},
        "sources": "",
        "device": "cpu",
        "threads": 1,
        "seed": 0,
        "seconds": 0.0,
        "processor": 0.0,
    }
    return Row("x", "mli", task, "", records=records, counts=counts_of(records), sums=sums_of(records), **rest)


def many(method: str, rises: np.ndarray, draws: int = 6) -> list[dict[str, Any]]:
    return [record(method, float(rise)) | {"seed": k, "draw": k % draws} for k, rise in enumerate(rises)]


RNG = np.random.default_rng(0)
GOOD, BAD = RNG.normal(-0.03, 0.005, 60), RNG.normal(0.08, 0.02, 60)


def test_a_tiny_run_has_one_record_per_network():
    task = MLI.tasks(TINY)[0]
    found = run_task(MLI, task, {})
    assert [(r["seed"], r["draw"]) for r in found.records] == [(0, 0), (1, 0), (2, 0)]
    assert (found.threads, len(found.sources)) == (torch.get_num_threads(), 64)
    for r in found.records:
        assert len(r["loss"]) == 9
        assert r["largest_rise"] == pytest.approx(max(b - a for a, b in zip(r["loss"], r["loss"][1:], strict=False)))
        assert r["monotonic"] == (r["largest_rise"] <= 0)
        assert r["last_loss"] < r["first_loss"]
    assert found.counts == {"standard": {"n": 3, "diverged": 0}}
    plans = [r["plan"] for r in found.records]
    assert len({p["rate"] for p in plans}) == 3
    assert run_task(MLI, task, {}).records == found.records


def test_every_draw_freezes_something_else_and_networks_of_one_draw_the_same(monkeypatch: pytest.MonkeyPatch):
    seen: list[int] = []
    w = variant_named("w")

    def made(network: Any, data: Any, width: float, seed: int) -> Any:
        seen.append(seed)
        return w.make(network, data, width, seed)

    monkeypatch.setattr(mli, "variant_named", lambda _: replace(w, make=made))
    for task in MLI.tasks(replace(TINY, variants=("w",))):
        run_task(MLI, task, {})
    assert len(set(seen)) == 2
    assert seen == sorted(seen, key=seen.index)


def test_a_rate_beyond_reason_is_counted_as_diverged():
    # AdamW takes steps of the size of the rate whatever the gradient: beyond the numbers of float32 all is infinite.
    found = run_task(MLI, replace(MLI.tasks(TINY)[0], sampling=replace(TINY.sampling, top_rate=1e39, decades=0.01)), {})
    assert found.counts == {"standard": {"n": 3, "diverged": 3}}
    summary = MLI.summarize([found])
    assert (summary.parts[0].lines[0].n, summary.parts[0].lines[0].diverged) == (0, 3)
    assert summary.parts[0].lines[0].cells[0].ours is None


def test_a_seed_has_the_same_plan_in_every_variant_and_within_the_ranges():
    plans = [Sampling().plan(seed) for seed in range(300)]
    assert Sampling().plan(7) == plans[7]
    rates, decays = np.array([p.rate for p in plans]), np.array([p.decay for p in plans])
    assert 0.005 < rates.min() < 0.006
    assert 0.45 < rates.max() < 0.5
    assert np.median(np.log10(rates)) == pytest.approx(np.log10(0.05), abs=0.15)
    assert 1e-5 < decays.min() < 2e-5
    assert 0.08 < decays.max() < 0.1
    assert {p.epochs for p in plans} == set(range(10, 41))
    assert 0.19 < max(p.smoothing for p in plans) < 0.2


EVERY = "share monotonic: W-asymmetric > 0.99"


def test_claims_hold_and_fail_with_the_numbers():
    good = {c.text: c.words for c in MLI.summarize([row(*many("standard", BAD), *many("w", GOOD))]).claims}
    assert good.pop(EVERY) == "not settled", "six draws cannot show it of nearly every network"
    assert set(good.values()) == {"holds"}
    assert len(good) == 4
    bad = MLI.summarize([row(*many("standard", GOOD), *many("w", BAD))])
    assert {c.words for c in bad.claims} == {"does not hold"}
    assert bad.verdict == "no"


def test_that_every_network_falls_is_judged_by_the_share_that_do():
    rises = np.where(np.arange(400) % 10 == 0, 0.001, -0.1)  # the mean is far below zero
    found = {c.text: c for c in MLI.summarize([row(*many("w", rises, draws=8))]).claims}
    assert list(found) == [EVERY]
    assert found[EVERY].verdict != "yes"
    often = np.where(np.arange(400) % 3 == 0, 0.001, -0.1)
    assert MLI.summarize([row(*many("w", often, draws=8))]).claims[0].words == "does not hold"
    everywhere = MLI.summarize([row(*many("w", GOOD.repeat(7), draws=400))]).claims[0]
    assert everywhere.words == "holds"


def test_draws_are_what_varies():
    # Every draw moves all its networks: 300 of them are 6 values.
    rng = np.random.default_rng(1)
    seeds = np.arange(300)
    drawn = {name: rng.normal(-0.05, 0.01, 6) for name in ("standard", "w")}
    records = [x for name, moved in drawn.items() for x in many(name, moved[seeds % 6] + 1e-5 * rng.normal(size=300))]
    part = MLI.summarize([row(*records)]).parts[0]
    ours = part.lines[0].cells[0].ours
    assert ours is not None
    assert (part.lines[0].n, ours.n) == (300, 6)
    claim = next(c for c in part.claims if c.quantity == "largest rise")
    assert claim.ours is not None
    differences = [r - s for r, s in zip(drawn["w"], drawn["standard"], strict=True)]
    assert claim.ours.low == pytest.approx(mean_interval(differences).low, abs=1e-4)
    assert "over the means of 6 draws" in part.note


def test_networks_are_compared_with_those_of_the_same_draw_and_seed():
    plans = np.random.default_rng(0).normal(-0.5, 0.3, 60)
    both = [*many("standard", plans), *many("w", plans - 0.01 + 0.001 * RNG.normal(size=60))]
    rise = next(c for c in MLI.summarize([row(*both)]).claims if c.quantity == "largest rise")
    assert rise.words == "holds"
    others = [r | {"seed": r["seed"] + 1000} if r["method"] == "w" else r for r in both]
    nothing = next(c for c in MLI.summarize([row(*others)]).claims if c.quantity == "largest rise")
    assert (nothing.words, nothing.reason) == ("not settled", "nothing measured")


def test_rows_without_a_draw_are_taken_task_by_task():
    old = [{k: v for k, v in r.items() if k != "draw"} for r in many("w", GOOD)]
    rows = [replace(row(*old[k : k + 10]), task=row().task | {"first": k}) for k in range(0, 60, 10)]
    ours = MLI.summarize(rows).parts[0].lines[0].cells[0].ours
    assert ours is not None
    assert ours.n == 6


def test_networks_that_diverge_are_counted_and_in_no_mean():
    records = [*many("w", GOOD), *(record("w", 0.0, diverged=True) for _ in range(24))]
    line = MLI.summarize([row(*records[:40]), row(*records[40:])]).parts[0].lines[0]
    assert (line.n, line.diverged) == (60, 24)
    assert line.cells[0].ours is not None
    assert line.cells[0].ours.mean == pytest.approx(GOOD.mean())
    assert line.cells[1].ours is not None
    assert (line.cells[1].ours.mean, line.cells[1].paper) == (1.0, "1.000")


def _tasks(settings: Any) -> list[MliTask]:
    return [task for task in MLI.tasks(settings) if isinstance(task, MliTask)]


def test_chunks_cover_all_networks_once():
    tasks = _tasks(replace(TINY, networks=8, chunk=3, variants=("w",)))
    assert [(t.first, t.count, t.draw) for t in tasks] == [(0, 3, 0), (3, 3, 1), (6, 2, 2)]
    assert len({t.draw for settings in MLI.presets["small"] for t in _tasks(settings)}) == 30
    small = [t for settings in MLI.presets["small"] for t in _tasks(settings)]
    assert {v: sum(t.count for t in small if t.variant == v) for v in ("standard", "sigma", "w")} == {
        "standard": 300,
        "sigma": 300,
        "w": 300,
    }


@pytest.mark.parametrize("field", [{"networks": 0}, {"chunk": 0}, {"points": 6}, {"points": 3}, {"width": -1.0}])
def test_settings_that_make_no_sense_are_refused(field: dict[str, Any]):
    with pytest.raises(BadInputError, match="needs at least one network"):
        MLI.tasks(replace(TINY, **field))
