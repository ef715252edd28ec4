"""One committed row of every study, measured again: today's code gives the numbers that the documentation shows."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from parasym.population import TrainingPlan
from parasym.studies import STUDIES, AbstractTask, Ledger, Row, run_task
from parasym.studies.lmc import LmcTask
from parasym.studies.mli import MliTask, Sampling
from parasym.studies.symh import SymhTask
from tests.needs import needs

needs("sklearn")
RESULTS = Path(__file__).parents[2] / "docs/results"
SAME = ("method", "seed", "draw", "trainable", "plan", "diverged")
"""Fields that no rounding changes."""

HERE, ELSEWHERE = 1e-4, 0.05
"""Relative, and absolute below 1: what the places of tensors in memory do to sums, and another release of torch or number of
threads, after rounding has grown in training."""

TASKS: dict[str, Callable[[dict[str, Any]], AbstractTask]] = {
    "lmc": lambda task: LmcTask(**{**task, "plan": TrainingPlan(**task["plan"])}),
    # The first rows had one draw for all networks.
    "mli": lambda task: MliTask(**{"draw": 0, **task, "sampling": Sampling(**task["sampling"])}),
    "symh": lambda task: SymhTask(**task),
}
OTHERS: dict[str, Callable[[Any], AbstractTask]] = {
    "lmc": lambda task: replace(task, pair=task.pair + 1),
    "mli": lambda task: replace(task, first=task.first + 1),
    "symh": lambda task: replace(task, first=task.first + 1),
}
"""A planted fault: everything random is drawn from other seeds."""


def cheapest(study: str) -> Row:
    """The row that took least, of those with most records on data that is there."""
    rows = [row for row in Ledger(RESULTS / f"{study}-small").rows() if row.task.get("data") != "cifar10"]
    most = max(len(row.records) for row in rows)
    return min((row for row in rows if len(row.records) == most), key=lambda row: row.processor)


def unlike(old: Row, new: Row) -> list[str]:
    """Names of the numbers of a row that another does not have up to rounding."""
    alike = old.threads == new.threads and old.versions["torch"] == new.versions["torch"]
    tolerance = HERE if alike else ELSEWHERE
    if len(old.records) != len(new.records):
        return ["records"]
    return [
        f"{before['method']}.{name}"
        for before, after in zip(old.records, json.loads(new.to_json())["records"], strict=True)
        for name, value in before.items()
        if not (value == after.get(name) if name in SAME else _close(value, after.get(name), tolerance))
    ]


def _close(a: Any, b: Any, tolerance: float) -> bool:
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(_close(x, y, tolerance) for x, y in zip(a, b, strict=True))
    if a is None or b is None or isinstance(a, (bool, str, dict)):
        return isinstance(a, bool) or a == b
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)


@contextmanager
def threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_a_committed_row_comes_out_again(study: Any) -> None:
    row = cheapest(study.name)
    task = TASKS[study.name](row.task)
    with threads(row.threads or 1):
        assert unlike(row, run_task(study, task, {})) == []
        assert unlike(row, run_task(study, OTHERS[study.name](task), {})) != []


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
@pytest.mark.parametrize(
    ("version", "change", "seen"), [("", 1e-9, False), ("", 1e-2, True), ("other", 1e-3, False), ("other", 0.2, True)]
)
def test_a_number_that_differs_is_seen(study: Any, version: str, change: float, seen: bool) -> None:
    row = replace(cheapest(study.name), threads=1)
    name = next(name for name, value in row.records[0].items() if isinstance(value, float) and abs(value) > 0.1)
    records = ({**row.records[0], name: row.records[0][name] * (1 + change) + (change if change > 0.1 else 0)}, *row.records[1:])
    other = replace(row, records=records, versions=row.versions | ({"torch": version} if version else {}))
    assert unlike(row, row) == []
    assert bool(unlike(row, other)) == seen
    assert unlike(row, replace(row, records=row.records[:1] * (len(row.records) + 1))) == ["records"]
