"""Faults are drawn the same in every process, each is a real change, and one that no test notices is told from one that is."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap

import coverage
import pytest

from faults.__main__ import TOLERATED, main
from faults.operators import faults_of
from faults.planting import all_of, drawn
from faults.reach import Reach
from faults.record import LEAST, Entry, recorded
from faults.rooms import PACKAGE, ROOT, files_of, looking_at, rooms

SOURCE = textwrap.dedent('''
    """A module."""
    import math
    LIMIT: int = 3

    def area(r, *, scale=1.0):
        """Return it."""
        if r < 0 or math.isnan(r):
            raise ValueError(f"r must be at least 0, but is {r + 1}")
        parts = []
        parts.append(-r)
        parts[0] *= 2
        dict(zip(parts, parts, strict=True))
        return math.pi * r * r - parts[0] + LIMIT
''')


def test_every_operator_and_nothing_else():
    found = list(faults_of(SOURCE))
    assert {f.operator for f in found} == {"comparison", "sign", "constant", "statement"}
    keys = {f.key for f in found}
    assert "comparison in area: r < 0 -> r <= 0" in keys
    assert "comparison in area: r < 0 or math.isnan(r) -> r < 0 and math.isnan(r)" in keys
    assert "sign in area: -r -> r" in keys
    assert "statement in area: parts.append(-r) -> pass" in keys
    assert "statement in area: parts[0] *= 2 -> pass" in keys
    assert "constant in module: 3 -> 4" in keys
    assert not any("r + 1" in f.before or f.before == "LIMIT: int = 3" for f in found), "messages and annotations stay"
    assert not any(f.operator == "constant" and f.before == "True" for f in found), "so do assertions of zip"
    for fault in found:
        assert ast.unparse(ast.parse(fault.source)) != ast.unparse(ast.parse(SOURCE)), "something changes"
    assert len({f.source for f in found}) == len(found)


def test_the_same_in_every_process():
    here = [planted.key for planted in drawn("groups", 8, 1)]
    code = "from faults.planting import drawn; print(*(p.key for p in drawn('groups', 8, 1)), sep='\\n')"
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        )
        assert done.stdout.splitlines() == here
    assert [planted.key for planted in drawn("groups", 8, 2)] != here


@pytest.mark.parametrize("room", rooms())
def test_every_room_has_faults_and_tests(room):
    assert files_of(room)
    every = sum(1 for file in files_of(room) for _ in faults_of(file.read_text()))
    assert len(drawn(room, 20, 0)) == min(20, every) > 5
    assert f"tests/{room}" in looking_at(room)


def test_noticed_or_not(tmp_path):
    """What a test looks at is noticed, also in another process; what none looks at is not; one that fails anyway is left out."""
    room, tests = tmp_path / "src" / "parasym" / "toy", tmp_path / "tests" / "toy"
    room.mkdir(parents=True)
    tests.mkdir(parents=True)
    (room / "__init__.py").touch()
    (room.parent / "__init__.py").touch()
    (room / "sums.py").write_text(
        "def seen(x):\n    return x + 1\n\ndef abroad(x):\n    return x * x\n\ndef unseen(x):\n    return x - 1\n"
    )
    (tests / "test_sums.py").write_text(
        "import subprocess, sys\nfrom parasym.toy.sums import seen, unseen\n\ndef test_it():\n    assert seen(2) == 3\n\n"
        "def test_wrong():\n    assert unseen(2) == 3\n\ndef test_abroad():\n"
        "    subprocess.run([sys.executable, '-c', 'from parasym.toy.sums import abroad; assert abroad(2) == 4'], check=True)\n"
    )
    (tmp_path / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\naddopts = ['--import-mode=importlib']\nfilterwarnings = ['error']\n"
    )
    (tmp_path / "conftest.py").touch()
    shutil.copytree(ROOT / "faults", tmp_path / "faults", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "faults" / "tolerated.json").write_text("{}")
    planting = tmp_path / "faults" / "planting.py"
    planting.write_text(re.sub("PRELOADED = .*", "PRELOADED = []", planting.read_text()))  # this package does not need them
    done = subprocess.run(
        [sys.executable, "-m", "faults", "toy"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    assert (done.returncode, done.stderr) == (1, "")
    first, *lines, last = done.stdout.splitlines()
    assert first == "toy: 2 tests; left out, since they fail without a fault: tests/toy/test_sums.py::test_wrong"
    verdicts = {name: [line.split()[0] for line in lines if f"in {name}:" in line] for name in ("seen", "abroad", "unseen")}
    assert verdicts == {"seen": ["noticed"] * 2, "abroad": ["noticed"], "unseen": ["SURVIVES"] * 2}
    assert last == "5 faults, 2 not as the list says"


@pytest.mark.parametrize(
    ("survives", "listed", "code", "said"),
    [(0, (), 0, "noticed"), (1, (), 1, "SURVIVES"), (1, (0,), 0, "tolerated"), (0, (0,), 1, "take it off the list")],
)
def test_the_list_may_only_shrink(tmp_path, monkeypatch, capsys, survives, listed, code, said):
    faults = drawn("groups", 1, 0)
    tolerated = tmp_path / "tolerated.json"
    tolerated.write_text(json.dumps({faults[k].key: "nobody calls it" for k in listed}))
    for name, value in (
        ("TOLERATED", tolerated),
        ("reach_of", lambda paths: Reach({"tests/x.py::test_it": 0.1}, (), frozenset({"tests/x.py::test_it"}), ())),
        ("drawn", lambda room, n, seed: faults),
        ("notices", lambda planted, tests, seconds: not survives),
    ):
        monkeypatch.setattr(f"faults.__main__.{name}", value)
    monkeypatch.setattr("sys.argv", ["faults", "groups"])
    assert main() == code
    assert said in capsys.readouterr().out


def test_a_room_is_kept_when_all_is_as_the_list_says(tmp_path, monkeypatch, capsys):
    faults = drawn("groups", 20, 0)
    lists = {name: tmp_path / f"{name}.json" for name in ("tolerated", "record")}
    reached = Reach({"tests/x.py::test_it": 0.1}, (), frozenset({"tests/x.py::test_it"}), ())
    for name, value in (
        ("__main__.TOLERATED", lists["tolerated"]),
        ("record.RECORD", lists["record"]),
        ("__main__.commit", lambda: "0123456789"),
        ("__main__.reach_of", lambda paths: reached),
        ("__main__.notices", lambda planted, tests, seconds: planted.key != faults[3].key),
    ):
        monkeypatch.setattr(f"faults.{name}", value)
    monkeypatch.setattr("sys.argv", ["faults", "groups", "--record"])
    lists["tolerated"].write_text("{}")
    assert main() == 1
    assert not lists["record"].exists(), "one survives that nobody tolerates"
    lists["tolerated"].write_text(json.dumps({faults[k].key: "a reason" for k in (3, 4)}))
    assert main() == 1
    assert f"noticed, take it off the list: {faults[4].key}" in capsys.readouterr().out
    assert not lists["record"].exists(), "one is tolerated that a test notices"
    lists["tolerated"].write_text(json.dumps({faults[3].key: "a reason"}))
    assert main() == 0
    assert recorded() == dict.fromkeys(rooms()) | {"groups": Entry(0, 20, 0, (faults[3].key,), "0123456789")}
    monkeypatch.setattr("sys.argv", ["faults", "--summary"])
    capsys.readouterr()
    assert main() == 0
    told = capsys.readouterr().out.splitlines()
    assert told[1].split() == [rooms()[0], "not", "run"]
    assert [line.split() for line in told if line.startswith("groups")] == [["groups", "0", "20", "19", "1", "0123456789"]]
    assert told[-1] == f"1 of {len(rooms())} rooms: 20 faults, 19 noticed, 1 tolerated"


@pytest.mark.parametrize(("extra", "said"), [(["--n", "19"], "at least 20"), ([], "as they were committed")])
def test_what_is_not_kept(monkeypatch, capsys, extra, said):
    monkeypatch.setattr("faults.__main__.commit", lambda: None)
    monkeypatch.setattr("sys.argv", ["faults", "groups", "--record", *extra])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert said in capsys.readouterr().err


def test_tolerated_faults_are_planted_drawn_or_not(tmp_path, monkeypatch, capsys):
    *_, other = drawn("groups", 40, 0)
    tolerated = tmp_path / "tolerated.json"
    tolerated.write_text(json.dumps({other.key: "nobody calls it"}))
    monkeypatch.setattr("faults.__main__.TOLERATED", tolerated)
    monkeypatch.setattr("sys.argv", ["faults", "groups", "--n", "3", "--list"])
    assert main() == 0
    assert other.key in capsys.readouterr().out


def test_every_room_has_its_place_in_the_record():
    """At least 20 faults each, or it is said that a room was not run; what is tolerated there is what the list says."""
    entries, reasons = recorded(), json.loads(TOLERATED.read_text())
    assert tuple(entries) == rooms()
    for room, entry in entries.items():
        if entry is not None:
            assert entry.drawn >= LEAST
            assert set(entry.tolerated) == {key for key in reasons if key.startswith(f"{room}/")}, room


def test_a_place_in_the_draw_is_kept_when_the_room_changes(tmp_path, monkeypatch):
    before = [planted.key for planted in drawn("groups", 8, 0)]
    all_but = [planted for planted in all_of("groups") if planted.key != before[0]]
    monkeypatch.setattr("faults.planting.all_of", lambda room: iter(all_but))
    assert set(before[1:]) <= {planted.key for planted in drawn("groups", 9, 0)}


def test_the_list_speaks_of_what_is_there():
    for key in json.loads(TOLERATED.read_text()):
        file, _, fault = key.partition(": ")
        assert fault in {f.key for f in faults_of((PACKAGE / file).read_text())}, key


def test_the_list_has_reasons():
    assert all(isinstance(reason, str) and reason for reason in json.loads(TOLERATED.read_text()).values())


def test_near_tests_come_first_and_what_all_need_is_tried_on_all(tmp_path):
    data = coverage.CoverageData(str(tmp_path / "record"))
    for context, lines in {"": [1], "tests/a/test_far.py::f": [2], "tests/a/test_sums.py::n": [2], "x.py::q": [3]}.items():
        data.set_context(context)
        data.add_lines({"src/parasym/toy/sums.py": lines})
    seconds = {"tests/a/test_far.py::f": 0.1, "tests/a/test_sums.py::n": 2.0, "x.py::q": 0.2, "x.py::p": 0.3}
    reach = Reach(seconds, (), frozenset({"x.py::p"}), (data,))
    file = ROOT / "src/parasym/toy/sums.py"
    assert reach.tests(file, range(2, 3)) == ["tests/a/test_sums.py::n", "tests/a/test_far.py::f", "x.py::p"]
    assert reach.tests(file, range(4, 5)) == ["x.py::p"]
    assert reach.tests(file, range(1, 3)) == ["tests/a/test_sums.py::n", "tests/a/test_far.py::f", "x.py::q", "x.py::p"]
