"""Loading models: what works, and what each mistake is answered with."""

from pathlib import Path

import pytest
import torch
from torch import nn

from parasym.cli.model import load_model
from parasym.core import BadInputError

SOURCE = """
import torch
from torch import nn

example_inputs = (torch.ones(2, 3),)
ready = nn.Linear(3, 4)
number = 7

def build():
    return nn.Linear(3, 2)

def sized(width, depth=1):
    return nn.Linear(3, width)

def broken():
    return nn.Linear(3, 2).weigth

def text():
    return "a model"

class Net(nn.Module):
    example_inputs = (torch.ones(5, 3),)

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)

    def forward(self, x):
        return self.fc(x)
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "nets.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize(("name", "outputs", "batch"), [("build", 2, 2), ("ready", 4, 2), ("Net", 1, 5)])
def test_functions_modules_and_classes(source: Path, name: str, outputs: int, batch: int) -> None:
    loaded = load_model(f"{source}:{name}")
    assert loaded.model(torch.zeros(1, 3)).shape == (1, outputs)
    assert loaded.examples[0].shape == (batch, 3)


def test_a_package(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source.rename(source.parent / "nets_of_a_package.py")  # files that were loaded before may have left their names behind
    monkeypatch.syspath_prepend(source.parent)
    monkeypatch.chdir(source.parent)
    assert isinstance(load_model("nets_of_a_package:build").model, nn.Linear)


def test_an_exported_program(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    x = torch.ones(2, 3)
    torch.export.save(torch.export.export(model, (x,)), tmp_path / "net.pt2")
    loaded = load_model(str(tmp_path / "net.pt2"))
    assert loaded.program is not None
    torch.testing.assert_close(loaded.model(x), model(x))
    assert sorted(loaded.model.state_dict()) == sorted(model.state_dict())


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("{source}", r"must be `package.module:factory`.*has no `:factory`"),
        ("{source}:", r"has no `:factory`"),
        ("{folder}/none.py:build", r"none.py` does not exist"),
        ("{folder}/none.pt2", r"does not exist"),
        ("no_such_package_here:build", r"ModuleNotFoundError: No module named"),
        ("{source}:biuld", r"has no `biuld`; it defines `ready`, `build`"),
        ("{source}:number", r"names a int"),
        ("{source}:text", r"must return a torch.nn.Module, but returned a str"),
        ("{source}:sized", r"must be callable without arguments, but needs `width`"),
        ("{source}:broken", r"cannot be built: AttributeError: 'Linear' object has no attribute 'weigth'"),
    ],
)
def test_mistakes_are_named(source: Path, spec: str, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        load_model(spec.format(source=source, folder=source.parent))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(:\n", r"SyntaxError.*bad.py, line 1"),
        ("x = 1\ny = x / 0\n", r"ZeroDivisionError.*bad.py, line 2"),
        ("import sys\nsys.exit(3)\n", r"SystemExit: 3 \(bad.py, line 2\)"),
    ],
)
def test_a_file_that_fails_is_answered_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "bad.py").write_text(text)
    with pytest.raises(BadInputError, match=words):
        load_model(f"{tmp_path / 'bad.py'}:f")


def test_a_corrupt_program(tmp_path: Path) -> None:
    (tmp_path / "net.pt2").write_bytes(b"nothing of the kind")
    with pytest.raises(BadInputError, match=r"net.pt2.*Export it again"):
        load_model(str(tmp_path / "net.pt2"))
