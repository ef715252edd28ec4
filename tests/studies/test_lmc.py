"""Linear mode connectivity: a tiny run, and what rows of all kinds say."""

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from parasym.breaking import WAsymmetric, break_, trainable_masks
from parasym.core import BadInputError
from parasym.data import Images, block_model
from parasym.population import EpochReport, TrainingPlan
from parasym.population.value import Record as EpochRecord
from parasym.studies import Row, run_task
from parasym.studies.lmc import LMC, LmcSettings, LmcTask
from parasym.studies.lmc_early import EarlyPair
from parasym.studies.lmc_measure import Pair, how_far, train_loss, without_constants
from parasym.studies.lmc_summary import TITLES
from parasym.studies.row import counts_of, sums_of
from tests.needs import needs

needs("sklearn")
TINY: LmcSettings = LMC.presets["tiny"][0]
BARRIERS = {"standard": 1.0, "weight-matching": 0.3, "activation-matching": 0.4, "sigma": 0.8, "w": 0.1}


def row(method: str, pair: int, barrier: float, *, width: float = 1.0, **more: Any) -> Row:
    """A row as a task would have made it."""
    curve = {"t": [0.0, 0.5, 1.0], "loss": [1.0, 1.0 + barrier, 1.0], "accuracy": [0.9, 0.5, 0.9]}
    names = ("barrier", "accuracy_barrier", "maximum", "end_loss", "end_accuracy", "distance")
    record = {"method": method, "diverged": False, "trainable": 10, **dict.fromkeys(names, barrier), **curve, **more}
    if record["diverged"]:
        record = {k: record[k] for k in ("method", "diverged", "trainable")}
    task = asdict(replace(LMC.tasks(TINY)[0], pair=pair, width=width))
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
    return Row(f"{method}{pair}", "lmc", task, "", records=(record,), counts=counts_of([record]), sums=sums_of([record]), **rest)


def rows(barriers: dict[str, float], pairs: int = 5, spread: float = 0.01, **more: Any) -> list[Row]:
    """Rows whose barriers and differences vary from pair to pair; means are twice the spread above what is named."""
    return [
        row(m, p, b + spread * ((p * (len(m) % 4 + 1)) % 5 + b * (p - 2)), **more)
        for m, b in barriers.items()
        for p in range(pairs)
    ]


def title(name: str) -> str:
    return TITLES.get(name, name)


def claims(found: Sequence[Row]) -> dict[str, str]:
    return {claim.text: claim.words for claim in LMC.summarize(found).claims}


@pytest.fixture(scope="module")
def tiny() -> list[Row]:
    variants = ("standard", "w", "w-zero", "anchor", "shared-start")
    settings = replace(
        TINY, pairs=1, variants=variants, points=3, matched_loss=2.0, plan=TrainingPlan(epochs=8, batch=100, rate=3e-3)
    )
    return [run_task(LMC, task, {}) for task in LMC.tasks(settings)]


def test_a_tiny_run_measures_everything(tiny: list[Row]):
    methods = {record["method"]: record for row in tiny for record in row.records}
    assert set(methods) == {"standard", "weight-matching", "activation-matching", "w", "w-zero", "anchor", "shared-start"}
    for record in methods.values():
        assert not record["diverged"]
        assert record["barrier"] == pytest.approx(record["loss"][1] - (record["loss"][0] + record["loss"][2]) / 2)
        assert record["maximum"] >= max(record["barrier"], 0) - 1e-12
        assert record["end_accuracy"] > 0.3
    assert methods["weight-matching"]["distance"] < methods["standard"]["distance"]
    assert methods["weight-matching"]["barrier"] < methods["standard"]["barrier"]
    assert abs(methods["standard"]["exchange_cost"]) < 1e-5
    assert methods["w"]["exchange_cost"] > 1e-5
    assert methods["w"]["trainable"] < methods["standard"]["trainable"]


def test_how_far_networks_went_is_told(tiny: list[Row]):
    methods = {record["method"]: record for row in tiny for record in row.records}
    for record in methods.values():
        assert 0 < record["train_loss"] < record["loss_at_loss"] < 2.0
        assert 1 <= record["epochs_at_loss"] < 8
        assert record["from_start"] > 0.01
        assert record["barrier_at_loss"] != record["barrier"]
    assert methods["shared-start"]["apart"] < 0.5 * methods["standard"]["apart"]
    assert methods["anchor"]["apart"] < methods["w"]["apart"]
    assert methods["weight-matching"]["apart"] < methods["standard"]["apart"]
    assert methods["weight-matching"]["from_start"] == methods["standard"]["from_start"]


def test_distances_are_of_trainable_entries_and_losses_of_the_train_set():
    model = break_(nn.Linear(3, 2, bias=False), WAsymmetric(frozen=1, std=9.0)).model
    mask = trainable_masks(model)["weight"]
    a, b, start = ({"weight": torch.where(mask, value, 7.0)} for value in (3.0, 1.0, 2.0))
    pair = Pair(model, a, b, False, (start, start))
    assert how_far(pair, b) == pytest.approx({"from_start": 0.5, "apart": 1.0})
    data = Images("x", torch.eye(3), torch.tensor([0, 1, 1]), torch.eye(3), torch.tensor([0, 1, 1]), (0.0,), (1.0,), 2)
    expected = nn.functional.cross_entropy(torch.func.functional_call(model, a, (torch.eye(3),)), torch.tensor([0, 1, 1]))
    assert train_loss(model, a, data) == pytest.approx(float(expected), rel=1e-6)


def test_a_loss_that_is_not_reached_is_not_told():
    found = run_task(LMC, replace(LMC.tasks(TINY)[0], matched_loss=1e-9), {})
    assert all("barrier_at_loss" not in record and "barrier" in record for record in found.records)
    early = EarlyPair(0.5)
    for epoch, losses in enumerate([(0.9, 0.4), (0.4, 0.9), (0.4, 0.45), (0.1, 0.1)]):
        records = tuple(EpochRecord(seed, epoch, loss, 0.1, True) for seed, loss in enumerate(losses))
        early.look(EpochReport(epoch, records, lambda epoch=epoch: [{"epoch": torch.tensor(epoch)}] * 2))
    assert early.networks is not None
    assert (early.epoch, int(early.networks[0]["epoch"])) == (3, 2)


def test_two_networks_that_are_the_same_are_refused():
    graph = block_model(nodes=80)
    plan = TrainingPlan(2, 10**6, 1e-3, 0.0, optimizer="adam", schedule="constant")
    settings = LmcSettings("graph", "blocks", 40, 40, ("shared-start",), 1, 1 / 16, 3, 0, plan)
    with pytest.raises(BadInputError, match="of variant `shared-start` of `graph` are the same: they start alike"):
        LMC.run(LMC.tasks(settings)[0], graph, "cpu")


def test_matching_does_not_change_the_networks(tiny: list[Row]):
    ends = [record["loss"][-1] for record in tiny[0].records]
    assert ends == pytest.approx([ends[0]] * 3, abs=1e-4)


def test_the_same_task_gives_the_same_row(tiny: list[Row]):
    task = LmcTask(**{**tiny[1].task, "plan": TrainingPlan(**tiny[1].task["plan"])})
    again = run_task(LMC, task, {})
    assert (again.id, again.records) == (tiny[1].id, tiny[1].records)


def test_a_graph_network_runs_and_its_edges_stay_whole_numbers():
    graph = block_model(nodes=80)
    plan = TrainingPlan(5, 10**6, 1e-3, 0.0, optimizer="adam", schedule="constant")
    settings = LmcSettings("graph", "blocks", 40, 40, ("standard",), 1, 1 / 16, 3, 0, plan)
    found = LMC.run(LMC.tasks(settings)[0], graph, "cpu")
    assert [record["method"] for record in found] == ["standard", "weight-matching", "activation-matching"]
    ends = [record["loss"][-1] for record in found]
    assert ends == pytest.approx([ends[0]] * 3, abs=1e-4)
    assert set(without_constants({"edges": torch.zeros(2, 3).long(), "count": torch.tensor(1)})) == {"count"}


def test_networks_that_diverge_are_counted_and_in_no_mean():
    plan = TrainingPlan(epochs=2, batch=100, rate=1e30, decay=0.0, optimizer="sgd", schedule="constant")
    found = run_task(LMC, replace(LMC.tasks(TINY)[0], plan=plan), {})
    assert found.counts == {m: {"n": 1, "diverged": 1} for m in ("standard", "weight-matching", "activation-matching")}
    assert found.sums == {}
    line = LMC.summarize([found, *rows({"standard": 1.0})]).parts[-1].lines[0]
    assert (line.n, line.diverged) in {(5, 0), (5, 1)}
    mixed = [*rows(BARRIERS), row("w", 5, math.nan, diverged=True)]
    w = next(line for line in LMC.summarize(mixed).parts[0].lines if line.name == "W-asymmetric")
    assert (w.n, w.diverged) == (5, 1)
    assert w.cells[0].ours is not None
    assert w.cells[0].ours.mean == pytest.approx(0.12)


def test_claims_of_the_papers_order_hold_and_fail_with_the_numbers():
    found = claims(rows(BARRIERS))
    orderings = {text: words for text, words in found.items() if "<" in text}
    assert set(orderings.values()) == {"holds"}
    assert len(orderings) == 5
    assert {words for text, words in found.items() if "= 0" in text} == {"does not hold"}
    worse = claims(rows({**BARRIERS, "w": 1.5}))
    assert worse["barrier: W-asymmetric < standard"] == "does not hold"
    assert worse["barrier: sigma-asymmetric < standard"] == "holds"
    assert LMC.summarize(rows({**BARRIERS, "w": 1.5})).verdict == "no"


def test_noise_leaves_a_claim_open():
    noisy = [row("standard", p, b) for p, b in enumerate((0.0, 2.0, 0.5))] + [
        row("w", p, b) for p, b in enumerate((0.9, 0.1, 0.2))
    ]
    found = LMC.summarize(noisy).claims
    assert [(c.text, c.words) for c in found] == [
        ("barrier: W-asymmetric < standard", "not settled"),
        ("barrier: W-asymmetric = 0 within a margin", "not settled"),
    ]
    assert "no margin" in found[1].reason, "the standard barrier itself may be 0"


def test_two_methods_are_compared_pair_by_pair():
    # Barriers differ more between pairs than the methods do: only the paired difference shows it.
    base = (0.0, 1.0, 2.0, 3.0)
    for low in ("weight-matching", "w"):
        both = [row("standard", p, b) for p, b in enumerate(base)]
        both += [row(low, p, b - 0.1 + 0.001 * p) for p, b in enumerate(base)]
        assert [c.words for c in LMC.summarize(both).claims if c.sense == "<"] == ["holds"]


def test_no_barrier_and_equality_need_the_margin_of_the_standard_one():
    small = {"standard": 1.0, "w": 0.004, "anchor": 0.006}
    found = {c.text: c for c in LMC.summarize(rows(small, spread=0.001)).claims}
    assert found["barrier: W-asymmetric = 0 within ±0.05 nats"].words == "holds"
    assert found["control, barrier: W-asymmetric = standard (starts from the constants of W) within ±0.05 nats"].words == "holds"
    lower = {c.text: c.words for c in LMC.summarize(rows({"standard": 0.09, "w": 0.004}, spread=0.005)).claims}
    assert lower["barrier: W-asymmetric = 0 within ±0.01 nats"] == "not settled", "a tenth of a small barrier"


def test_controls_can_turn_the_conclusion():
    turned = {"standard": 0.68, "w-zero": 0.79, "w-0.1": 0.7, "w-0.3": 0.4, "w": 0.009, "anchor": 0.009, "shared-start": 0.01}
    noisy = [row(m, p, b + 0.01 * ((p * (2 + len(m))) % 5)) for m, b in turned.items() for p in range(10)]
    found = {(c.a, c.sense, c.b): c for c in LMC.summarize(noisy).claims if c.control}
    assert found[title("w-zero"), "<", "standard"].words == "does not hold"
    assert found[title("w"), "<", title("anchor")].words == "not settled"
    assert found[title("w"), "=", title("anchor")].words == "holds"
    assert found[title("anchor"), "<", "standard"].words == "holds"
    assert found[title("shared-start"), "<", "standard"].words == "holds"
    slope = next(c for c in found.values() if c.quantity.startswith("slope"))
    assert slope.words == "holds"
    assert slope.ours is not None
    x, y = np.array([0, 0.1, 0.3, 1]), np.array([0.79, 0.7, 0.4, 0.009])
    assert slope.ours.mean == pytest.approx(np.polyfit(x, y, 1)[0], abs=0.03)


def test_a_method_that_no_table_knows_is_shown_by_its_name():
    lines = LMC.summarize(rows({"standard": 1.0, "mine": 0.5})).parts[0].lines
    assert [line.name for line in lines] == ["standard", "mine"]


def test_what_newer_rows_measure_is_a_column():
    part = LMC.summarize(rows({"standard": 1.0}, train_loss=0.25, from_start=3.0)).parts[0]
    cells = dict(zip(part.measures, part.lines[0].cells, strict=True))
    assert cells["train loss"].ours is not None
    assert cells["train loss"].ours.mean == 0.25
    assert cells["barrier at equal loss"].ours is None


def test_where_all_diverged_nothing_is_claimed():
    dead = [row("w", p, 0.0, diverged=True) for p in range(3)] + rows({"standard": 1.0})
    assert [(c.verdict, c.reason) for c in LMC.summarize(dead).claims] == [("unsure", "nothing measured")] * 2
    assert LMC.summarize(dead).parts[0].lines[1].cells[0].ours is None


def test_controls_are_named_as_such_and_widths_are_apart():
    found = LMC.summarize([*rows({**BARRIERS, "as-many": 0.9}), *rows(BARRIERS, width=8.0)])
    assert len(found.parts) == 2
    assert [c.text for c in found.parts[0].claims if c.control] == [
        "control, barrier: W-asymmetric < standard (as many parameters as W trains)"
    ]
    assert [line.control for line in found.parts[0].lines] == [False] * 5 + [True]
    assert found.parts[0].lines[0].cells[0].paper == "0.188 ± 0.12"
    assert found.parts[1].lines[0].cells[0].paper == ""


@pytest.mark.parametrize("preset", LMC.presets)
def test_tasks_of_every_preset_are_different_and_begin_with_one_pair_of_everything(preset: str):
    tasks = [task for settings in LMC.presets[preset] for task in LMC.tasks(settings)]
    assert len(set(tasks)) == len(tasks)
    first = LMC.presets[preset][0]
    assert [t.variant for t in tasks[: len(first.variants)] if isinstance(t, LmcTask)] == list(first.variants)
    assert preset == "tiny" or all(settings.pairs >= 3 for settings in LMC.presets[preset])


@pytest.mark.parametrize("field", [{"pairs": 0}, {"points": 4}, {"points": 1}, {"swaps": -1}, {"width": 0.0}])
def test_settings_that_make_no_sense_are_refused(field: dict[str, Any]):
    with pytest.raises(BadInputError, match="needs at least one pair, an odd number of points"):
        LMC.tasks(replace(TINY, **field))
    with pytest.raises(BadInputError, match="Variant `x` is unknown"):
        LMC.tasks(replace(TINY, variants=("x",)))
