"""The folder of a study: what is a row, what is none, and what becomes of it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from parasym.core import BadInputError
from parasym.studies import Ledger, Row
from parasym.studies.row import row_from_json
from tests.needs import needs
from tests.studies.toy import TOY, ToySettings, tasks

needs("sklearn")
WORK = tasks(ToySettings("net", 2))


def begun(folder: Path) -> tuple[Ledger, list[str]]:
    """A folder with the four rows of the toy, and their lines."""
    from parasym.studies import run_study

    run_study(TOY, WORK, folder, preset="tiny", paths={})
    return Ledger(folder), (folder / "rows.jsonl").read_text().splitlines()


def put(folder: Path, lines: list[str]) -> None:
    (folder / "rows.jsonl").write_text("".join(f"{line}\n" for line in lines))


def changed(line: str, **fields: object) -> str:
    return json.dumps({**json.loads(line), **fields})


def test_equal_rows_are_one_row_whatever_they_took(tmp_path: Path) -> None:
    ledger, lines = begun(tmp_path)
    rows = ledger.rows()
    put(tmp_path, [*lines, *[changed(line, seconds=9.0, commit="other") for line in lines]])
    assert ledger.rows() == rows
    put(tmp_path, [*lines, changed(lines[1], records=[{"method": "two", "diverged": False, "x": 99.0}])])
    with pytest.raises(BadInputError, match=r"Line 5 of `.*rows.jsonl` has other records than line 2, for the same task"):
        ledger.rows()


BROKEN = {
    "no JSON": lambda line: line[:-9],
    "no text": lambda line: line.replace('"study": "toy"', '"study": "to\udcffy"'),
    "a list": lambda line: f"[{line}]",
    "nothing": lambda line: "{}",
    "a field too many": lambda line: changed(line, more=1),
    "a number for a text": lambda line: changed(line, study=3),
    "a text for a number": lambda line: changed(line, seconds="3"),
    "a half seed": lambda line: changed(line, seed=0.5),
    "records without method": lambda line: changed(line, records=[{"diverged": False}]),
    "records of numbers": lambda line: changed(line, records=[3]),
    "records of none": lambda line: changed(line, records=None),
    "a key twice": lambda line: line.replace('{"id":', '{"seed": 3, "id":'),
    "no number": lambda line: line.replace('"seconds": ', '"seconds": NaN, "x": '),
    "nested too deep": lambda line: changed(line, task={}).replace(
        '"task": {}', '"task": {"a": ' + "[" * 9999 + "]" * 9999 + "}"
    ),
    "of another study": lambda line: changed(line, id="0" * 64),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_damaged_row_is_named_and_the_others_stay(tmp_path: Path, fault: str) -> None:
    ledger, lines = begun(tmp_path)
    whole = ledger.rows()
    bad = BROKEN[fault](lines[2])
    data = "".join(f"{line}\n" for line in (*lines[:2], bad, lines[3])).encode("utf-8", "surrogateescape")
    (tmp_path / "rows.jsonl").write_bytes(data)
    found = ledger.read()
    assert found.rows == (*whole[:2], whole[3])
    assert [damage.line for damage in found.damage] == [3]
    with pytest.raises(BadInputError, match=r"Line 3 of `.*rows.jsonl` .*The 3 whole rows stay usable: --repair"):
        ledger.rows()
    with pytest.raises(BadInputError, match=r"Line 3 of"):
        ledger.begin("toy", 1, WORK, preset="tiny", data={})
    ledger = Ledger(tmp_path)
    assert [damage.line for damage in ledger.repair()] == [3]
    assert ledger.rows() == (*whole[:2], whole[3])
    assert (tmp_path / "rows.damaged.jsonl").read_bytes() == bad.encode("utf-8", "surrogateescape") + b"\n"
    assert Ledger(tmp_path).begin("toy", 1, WORK, preset="tiny", data={}) == (WORK[2],)
    assert Ledger(tmp_path).repair() == ()


def test_a_separator_within_a_text_is_no_end_of_a_line(tmp_path: Path) -> None:
    ledger, lines = begun(tmp_path)
    odd = "a\u2028b\x85c"
    put(tmp_path, [json.dumps({**json.loads(lines[0]), "device": odd}, ensure_ascii=False), *lines[1:]])
    assert ledger.rows()[0].device == odd


def test_a_last_line_without_its_end_counts_if_it_is_whole(tmp_path: Path) -> None:
    ledger, lines = begun(tmp_path)
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    assert len(ledger.rows()) == 4
    assert Ledger(tmp_path).begin("toy", 1, WORK, preset="tiny", data={}) == ()
    assert (tmp_path / "rows.jsonl").read_text() == "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"study": 3}, r"`study` must be a text, but is 3"),
        ({"version": "1"}, r"`version` must be a whole number"),
        ({"tasks": []}, r"`tasks` must be an object"),
        ({"tasks": {"a": 1}}, r"`tasks.a` must be an object"),
        ({"data": {"digits": 7}}, r"`data.digits` must be a text"),
        ({"more": 1}, r"has more, which this version does not know"),
        ({"format": 2}, r"has format 2, but this version of parasym reads format 1"),
    ],
)
def test_the_list_of_tasks_has_the_same_schema(tmp_path: Path, change: dict[str, object], words: str) -> None:
    ledger, _ = begun(tmp_path)
    path = tmp_path / "study.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BadInputError, match=words):
        ledger.rows()


def test_a_list_of_tasks_from_before_formats_is_read_and_another_version_is_not(tmp_path: Path) -> None:
    ledger, _ = begun(tmp_path)
    path = tmp_path / "study.json"
    old = json.loads(path.read_text())
    del old["format"]
    path.write_text(json.dumps(old))
    assert len(ledger.rows()) == 4
    with pytest.raises(BadInputError, match=r"begun with version 1 of the study `toy`, which is now version 2"):
        Ledger(tmp_path).begin("toy", 2, WORK, preset="tiny", data={})
    path.write_bytes(b"\xff" + path.read_bytes())
    with pytest.raises(BadInputError, match="is not the list of tasks of a study"):
        ledger.rows()


def test_rows_of_before_sources_and_threads_were_kept_are_read(tmp_path: Path) -> None:
    ledger, lines = begun(tmp_path)
    now = ledger.rows()
    assert all(row.sources and row.threads for row in now)
    put(tmp_path, [json.dumps({k: v for k, v in json.loads(line).items() if k not in {"sources", "threads"}}) for line in lines])
    assert ledger.rows() == tuple(replace(row, sources="", threads=0) for row in now)


def test_numbers_that_are_not_finite_are_null() -> None:
    records = ({"method": "m", "diverged": True, "x": None},)
    row = Row("0" * 64, "s", {"a": [1, None]}, "", "", {}, "", "cpu", 1, 3, 1.0, 2.0, records, {}, {})
    assert row_from_json(row.to_json()) == row
    assert row_from_json(replace(row, sums={"m": {"x": float("inf")}}).to_json()).sums == {"m": {"x": None}}
