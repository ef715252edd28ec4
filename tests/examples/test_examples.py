"""Every example runs, on a tiny setting, and prints what it promises."""

import runpy
from pathlib import Path

import pytest

from tests.needs import needs

FOLDER = Path(__file__).parents[2] / "examples"

CASES = {
    "merge_two_checkpoints.py": (["12", "64"], ["naive", "matched", "merged: 9"]),
    "vqe.py": (["9"], ["hop 0", "energy with hops"]),
    "circuit_symmetries.py": ([], ["order 8192", "holds: yes", "4096 different levels"]),
    "find_your_model.py": ([], ["S(5)", "holds: yes", "of an output"]),
}


def test_every_example_is_run() -> None:
    assert sorted(path.name for path in FOLDER.glob("*.py")) == sorted(CASES)


@pytest.mark.parametrize("name", sorted(CASES))
def test_an_example_runs(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if name.startswith("circuit"):
        needs("pennylane")
    arguments, words = CASES[name]
    monkeypatch.setattr("sys.argv", [name, *arguments])
    runpy.run_path(str(FOLDER / name), run_name="__main__")
    output = capsys.readouterr().out
    assert all(word in output for word in words), output
