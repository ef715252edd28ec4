"""A folder with a model file and checkpoints of it, and the command line to call."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import save_file
from typer.testing import CliRunner, Result

from parasym.cli import app
from tests.cli import nets

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``nets.py`` and checkpoints ``a``, ``b`` and ``c`` of ``build``; it is the current one."""
    shutil.copy(nets.__file__, tmp_path / "nets.py")
    for seed, name in enumerate("abc"):
        save_file(nets.weights(seed), tmp_path / f"{name}.safetensors")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@pytest.fixture
def run() -> Run:
    """The command line."""
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [str(a) for a in arguments])
