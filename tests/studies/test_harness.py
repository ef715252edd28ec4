"""Tasks get a row once, whatever stops them; rows of another list are refused; rows add up."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from parasym.core import BadInputError
from parasym.studies import Ledger, Row, run_study, run_task, task_id
from parasym.studies.row import counts_of, row_from_json, sums_of
from parasym.studies.task import canonical
from tests.needs import needs
from tests.studies.toy import TOY, ToySettings, ToyTask, tasks

needs("sklearn")


def done(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def start(folder: Path, work: tuple[ToyTask, ...], workers: int = 1) -> tuple[Row, ...]:
    return run_study(TOY, work, folder, preset="tiny", paths={}, workers=workers)


def test_the_id_is_the_same_in_every_process_and_another_for_every_field():
    task = ToyTask("one", 3)
    others = [replace(task, number=4), replace(task, method="two"), replace(task, log="x"), replace(task, stop_at=1)]
    ids = {task_id("toy", 1, task), task_id("toy", 2, task), task_id("mli", 1, task), *(task_id("toy", 1, t) for t in others)}
    assert len(ids) == 7
    code = "from tests.studies.toy import *; from parasym.studies import task_id; print(task_id('toy', 1, ToyTask('one', 3)))"
    other = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        cwd=Path(__file__).parents[2],
    )
    assert other.stdout.strip() == task_id("toy", 1, task)


def test_every_task_has_a_row_with_all_that_matters(tmp_path: Path):
    rows = start(tmp_path / "a", tasks(ToySettings("net", 2)))
    assert [(r.task["method"], r.task["number"]) for r in rows] == [("one", 0), ("two", 0), ("one", 1), ("two", 1)]
    row = rows[1]
    assert row.counts == {"two": {"n": 1, "diverged": 0}}
    assert row.sums == {"two": {"x": 20.0, "x^2": 400.0}}
    assert len(row.id) == len(row.data) == 64
    assert {"python", "torch", "parasym", "drawing"} == set(row.versions)
    assert row.seconds >= 0
    assert row.device.startswith("cpu")
    again = run_task(TOY, tasks(ToySettings("net", 2))[1], {})
    assert (again.id, again.records, again.data) == (row.id, row.records, row.data)


def test_a_finished_task_is_not_run_again(tmp_path: Path):
    log = tmp_path / "log"
    work = tasks(ToySettings("net", 2, str(log)))
    first = start(tmp_path / "a", work)
    assert start(tmp_path / "a", work) == first
    assert len(done(log)) == 4


def test_an_interrupted_study_goes_on_where_it_was(tmp_path: Path):
    log = tmp_path / "log"
    work = tasks(ToySettings("net", 3, str(log)))
    stopping = (*work[:3], replace(work[3], stop_at=1), *work[4:])
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path / "a", stopping)
    assert len(Ledger(tmp_path / "a").rows()) == 3
    # The same ids: the task list on disk is put right by hand, since what stops is a field of the task here.
    begun = json.loads((tmp_path / "a/study.json").read_text())
    begun["tasks"] = {task_id("toy", 1, task): {} for task in work}
    (tmp_path / "a/study.json").write_text(json.dumps(begun))
    assert len(start(tmp_path / "a", work)) == 6
    assert len(done(log)) == 6


def test_killed_in_the_middle_it_ends_with_the_same_rows(tmp_path: Path):
    log, folder = tmp_path / "log", tmp_path / "a"
    code = (
        "import time; from pathlib import Path; from tests.studies import toy; from parasym.studies import run_study\n"
        "from dataclasses import replace\n"
        "def slow(task, data, device):\n"
        "    time.sleep(0.2); return toy.run(task, data, device)\n"
        f"run_study(replace(toy.TOY, run=slow), toy.tasks(toy.ToySettings('net', 10, {str(log)!r})), Path({str(folder)!r}), "
        "preset='tiny', paths={})\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    until = time.monotonic() + 60
    while len(done(log)) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = len(done(log))
    kept = len(Ledger(folder).rows())
    assert 2 <= before < 20
    assert before - kept <= 1  # at most the task that was running
    rows = start(folder, tasks(ToySettings("net", 10, str(log))))
    assert [row.task["number"] for row in rows] == [k // 2 for k in range(20)]
    assert len(done(log)) == 20 + before - kept


def test_a_line_cut_in_the_middle_is_dropped_and_the_next_row_begins_a_new_one(tmp_path: Path):
    work = tasks(ToySettings("net", 2))
    whole = start(tmp_path, work)
    path = tmp_path / "rows.jsonl"
    path.write_text(path.read_text()[:-50])
    assert len(Ledger(tmp_path).rows()) == 3
    again = start(tmp_path, work)
    assert [row.id for row in again] == [row.id for row in whole]
    assert len(path.read_text().splitlines()) == 4


def test_two_processes_give_the_same_rows_in_the_same_order(tmp_path: Path):
    work = tasks(ToySettings("net", 2))
    one, two = start(tmp_path / "a", work), start(tmp_path / "b", work, workers=2)
    assert [(r.id, r.records) for r in one] == [(r.id, r.records) for r in two]


def test_another_list_of_tasks_is_refused_with_what_changed(tmp_path: Path):
    start(tmp_path, tasks(ToySettings("net", 2)))
    with pytest.raises(BadInputError, match="0 of its 4 tasks are gone and 2 are new"):
        start(tmp_path, tasks(ToySettings("net", 3)))
    with pytest.raises(BadInputError, match=r"4 of its 4 tasks are gone and 4 are new \(`log` was  and is now"):
        start(tmp_path, tasks(ToySettings("net", 2, str(tmp_path / "log"))))


def test_a_row_of_another_list_is_refused(tmp_path: Path):
    start(tmp_path / "a", tasks(ToySettings("net", 3)))
    start(tmp_path / "b", tasks(ToySettings("net", 2)))
    foreign = (tmp_path / "a/rows.jsonl").read_text().splitlines(keepends=True)
    with (tmp_path / "b/rows.jsonl").open("a") as file:
        file.write(foreign[-1])
    with pytest.raises(BadInputError, match=r"Line 5 of .* belongs to no task of this study"):
        Ledger(tmp_path / "b").rows()
    (tmp_path / "b/rows.jsonl").write_text('{"id": 3}\n')
    with pytest.raises(BadInputError, match="one line of JSON with the fields of a row"):
        Ledger(tmp_path / "b").rows()


def test_other_data_and_another_study_are_refused(tmp_path: Path):
    work = tasks(ToySettings("net", 1))
    start(tmp_path, work)
    with pytest.raises(BadInputError, match="begun with other data `digits:5:5`"):
        Ledger(tmp_path).begin("toy", 1, work, preset="tiny", data={"digits:5:5": "0" * 64})
    with pytest.raises(BadInputError, match="belongs to the study `toy`"):
        Ledger(tmp_path).begin("lmc", 1, work, preset="tiny", data={})
    with pytest.raises(BadInputError, match="the same task twice"):
        Ledger(tmp_path / "b").begin("toy", 1, (*work, work[0]), preset="tiny", data={})


def test_a_folder_that_is_no_study(tmp_path: Path):
    with pytest.raises(BadInputError, match="holds no study"):
        Ledger(tmp_path).rows()
    (tmp_path / "study.json").write_text("[]")
    with pytest.raises(BadInputError, match="is not the list of tasks"):
        Ledger(tmp_path).rows()
    (tmp_path / "study.json").unlink()
    (tmp_path / "rows.jsonl").write_text("")
    with pytest.raises(BadInputError, match=r"has rows.jsonl but no study.json"):
        start(tmp_path, tasks(ToySettings("net", 1)))


def test_numbers_that_are_not_finite_are_counted_written_as_null_and_in_no_sum(tmp_path: Path):
    rows = start(tmp_path, (ToyTask("one", 13), ToyTask("one", 1), ToyTask("two", 1)))
    assert rows[0].counts == {"one": {"n": 1, "diverged": 1}}
    assert rows[0].sums == {}
    assert rows[0].records[0]["x"] is None
    assert "NaN" not in (tmp_path / "rows.jsonl").read_text()
    line = TOY.summarize(rows).parts[0].lines[0]
    assert (line.n, line.diverged) == (1, 1)


def test_rows_add():
    records = [
        {"method": m, "diverged": d, "x": float(k), "n": 3} for k, (m, d) in enumerate([("a", 0), ("a", 1), ("b", 0), ("a", 0)])
    ]
    parts = [(counts_of(records[k : k + 2]), sums_of(records[k : k + 2])) for k in (0, 2)]
    assert counts_of(records) == {"a": {"n": 3, "diverged": 1}, "b": {"n": 1, "diverged": 0}}
    total = {"x": 0.0, "x^2": 0.0}
    for _, sums in parts:
        for name in total:
            total[name] += sums.get("a", {}).get(name, 0.0)
    assert sums_of(records)["a"] == total == {"x": 3.0, "x^2": 9.0}


def test_a_row_survives_its_json():
    row = run_task(TOY, ToyTask("two", 4), {})
    assert row_from_json(row.to_json()) == row
    assert math.isclose(json.loads(row.to_json())["sums"]["two"]["x"], 28.0)


def test_a_cluster_is_handed_the_tasks_that_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    handed = []

    class Backwards:
        def run(self, function: Callable[..., Row], work: list[tuple[Any, ...]], *, gpu: bool) -> Iterator[tuple[int, Row]]:
            handed.extend((task, device, gpu) for _, task, _, device in work)
            assert all(path.is_absolute() for _, _, paths, _ in work for path in paths.values())
            yield from ((k, function(*work[k])) for k in reversed(range(len(work))))

    @contextmanager
    def connect(address: str) -> Iterator[Backwards]:
        assert address == "ray://somewhere"
        yield Backwards()

    monkeypatch.setattr("parasym.studies.harness.connect", connect)
    work = tasks(ToySettings("net", 2))
    start(tmp_path / "a", work)  # all are there: nobody connects
    for _ in range(2):
        rows = run_study(TOY, work, tmp_path / "b", preset="tiny", paths={}, address="ray://somewhere")
        assert [r.id for r in rows] == [task_id("toy", 1, task) for task in work]
        assert handed == [(task, "cpu", False) for task in work]
    assert [r.records for r in rows] == [r.records for r in Ledger(tmp_path / "a").rows()]


def test_what_is_no_number_has_no_text():
    for value in (math.nan, math.inf):
        with pytest.raises(ValueError, match="not JSON compliant"):
            canonical({"a": [value]})
