"""Faults are drawn the same in every process, each is a real change, and one that no test notices is told from one that is."""

import ast
import json
import shutil
import subprocess
import sys
import textwrap

import pytest

from faults.__main__ import TOLERATED, main
from faults.operators import faults_of
from faults.planting import drawn
from faults.reach import Reach
from faults.rooms import ROOT, files_of, looking_at, rooms

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
    """A package of one file: what its test looks at is noticed, what it does not look at survives."""
    room = tmp_path / "src" / "parasym" / "toy"
    room.mkdir(parents=True)
    (tmp_path / "tests" / "toy").mkdir(parents=True)
    (room / "__init__.py").touch()
    (room.parent / "__init__.py").touch()
    (room / "sums.py").write_text("def seen(x):\n    return x + 1\n\ndef unseen(x):\n    return x - 1\n")
    (tmp_path / "tests" / "toy" / "test_sums.py").write_text(
        "from parasym.toy.sums import seen\n\ndef test_it():\n    assert seen(2) == 3\n"
    )
    (tmp_path / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\naddopts = ['--import-mode=importlib']\nfilterwarnings = ['error']\n"
    )
    (tmp_path / "conftest.py").touch()
    shutil.copytree(ROOT / "faults", tmp_path / "faults", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "faults" / "tolerated.json").write_text("{}")
    done = subprocess.run([sys.executable, "-m", "faults", "toy"], cwd=tmp_path, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (1, "")
    assert [line.split()[0] for line in lines if "in seen" in line] == ["noticed"] * 2
    assert [line.split()[0] for line in lines if "in unseen" in line] == ["SURVIVES"] * 2
    assert lines[-1] == "4 faults, 2 not as the list says"


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


def test_the_list_has_reasons():
    assert all(isinstance(reason, str) and reason for reason in json.loads(TOLERATED.read_text()).values())
