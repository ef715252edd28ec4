"""Faults are drawn the same in every process, each is a real change, and one that no test notices is told from one that is."""

import ast
import subprocess
import sys
import textwrap

import pytest

from faults.__main__ import TOLERATED, drawn, main
from faults.operators import faults_of
from faults.rooms import ROOT, files_of, rooms, stages_of

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
    code = "from faults.__main__ import drawn; print(*(p.key for p in drawn('groups', 8, 1)), sep='\\n')"
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
    for file in files_of(room):
        for path in (p for stage in stages_of(room, file) for p in stage):
            assert (ROOT / path).exists()
    assert (ROOT / "tests" / room).is_dir()


def test_noticed_or_not(tmp_path, monkeypatch, capsys):
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
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\naddopts = ['--import-mode=importlib']\n")
    (tmp_path / "conftest.py").touch()
    tolerated = tmp_path / "tolerated.json"
    tolerated.write_text("{}")
    for module in ("faults.__main__", "faults.rooms"):
        monkeypatch.setattr(f"{module}.ROOT", tmp_path)
        monkeypatch.setattr(f"{module}.PACKAGE", room.parent)
    monkeypatch.setattr("faults.__main__.TOLERATED", tolerated)
    monkeypatch.setattr("sys.argv", ["faults", "toy"])
    assert main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if "in seen" in line] == ["noticed"] * 2
    assert [line.split()[0] for line in lines if "in unseen" in line] == ["SURVIVES"] * 2
    assert lines[-1] == "4 faults, 2 not as the list says"
    keys = [f"toy/sums.py: {f.key}" for f in faults_of((room / "sums.py").read_text())]
    tolerated.write_text(str({key: "nobody calls it" for key in keys}).replace("'", '"'))
    assert main() == 1, "a tolerated fault that is noticed has to leave the list"
    assert "take it off the list" in capsys.readouterr().out
    tolerated.write_text(str({key: "nobody calls it" for key in keys if "unseen" in key}).replace("'", '"'))
    assert main() == 0


def test_the_list_has_reasons():
    import json

    assert all(isinstance(reason, str) and reason for reason in json.loads(TOLERATED.read_text()).values())
