"""CONTRIBUTING, done literally: its files in a copy of the package, its entries in the tables, then every verb."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL | re.MULTILINE)

GROUP = """
import torch
from parasym import SymmetryError, Symmetry, canonicalize, distance, match, merge
from parasym.groups import GROUPS
from parasym.groups.cyclic import CyclicShift
from parasym.symmetry import Binding, Factor, Slot, Wire
from parasym.testing import assert_group_contract
from parasym.testing.tables import render

assert CyclicShift in GROUPS and "| `CyclicShift` | order 3 | `align`, `orient` |" in render()
assert_group_contract(CyclicShift(5))

ring = Factor(CyclicShift(5), Wire("up[0]", 5), (), (Binding("up", Slot.whole(0, 5)), Binding("down", Slot.whole(1, 5))))
symmetry = Symmetry((ring,), (("up", (5, 4)), ("down", (3, 5))))
assert "C(5)" in str(symmetry)
assert Symmetry.from_json(symmetry.to_json()) == symmetry  # the table knows it
generator = torch.Generator().manual_seed(0)
for seed in range(10):
    a = {"up": torch.randn(5, 4, generator=generator), "down": torch.randn(3, 5, generator=generator)}
    g = symmetry.sample(generator=generator)
    b = symmetry.act(g, a)
    found = match(symmetry, a, b)
    assert all(torch.equal(symmetry.act(found, b)[n], a[n]) for n in a), "the planted shift"
    assert float(distance(symmetry, a, b)) == 0
    one, two = canonicalize(symmetry, a).params, canonicalize(symmetry, b).params
    assert all(torch.equal(one[n], two[n]) for n in a)
CyclicShift.align = CyclicShift.__mro__[1].align  # as if nobody had written it
for verb in (match, distance, lambda s, a, b: merge(s, [a, b])):
    try:
        verb(symmetry, a, b)
    except SymmetryError as error:
        assert "needs `CyclicShift.align` for C(5) on wire `up[0]`" in str(error), error
    else:
        raise AssertionError("a ring that nobody can align was passed over")
print("group done")
"""

RULE = """
import torch
from torch import nn
from parasym import find
from parasym.rules import entropy
from parasym.rules._table import BY_NAME
from parasym.testing import assert_rule_contract

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.other, self.second = nn.Linear(4, 5), nn.Linear(4, 5), nn.Linear(5, 3)
    def forward(self, x):
        return self.second(torch.special.xlog1py(self.first(x), self.other(x).square()))

model, x = Net().double(), torch.randn(12, 4, dtype=torch.float64)
assert BY_NAME["special_xlog1py"] is entropy.RULES[0]
assert find(model, (x,)).uncovered == ()
assert_rule_contract(entropy.RULES[0], model, (x,), expected=("S(5)", "scale(5)", "signs(5)", "signs(5)"), wire=(), rest=None)
print("rule done")
"""

STUDY = """
from parasym.studies import STUDIES
from parasym.cli.app import app
assert "width" in {study.name for study in STUDIES}
app(["study", "width", "--preset", "tiny", "--out", "rows"], standalone_mode=False)
"""


def block(start: str) -> str:
    (found,) = [text for text in BLOCKS if start in text and not text.startswith(">>>")]
    return found


def added(package: Path, file: str, start: str, imported: str, item: str) -> None:
    """Write a file of the page, and add its import and its item to the table beside it."""
    (package / file).write_text(f'"""As the page has it."""\n\n{block(start)}')
    table = (package / file).parent / "_table.py"
    head, tuple_, rest = re.split(r"^([A-Z]+: tuple\[.*\] = \()", table.read_text(), maxsplit=1, flags=re.MULTILINE)
    table.write_text(f"{head}{imported}\n\n{tuple_}{item}, {rest}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("contributed")
    shutil.copytree(ROOT / "src" / "parasym", folder / "parasym", ignore=shutil.ignore_patterns("__pycache__"))
    for page in (
        ("groups/cyclic.py", "class CyclicShift(AbstractGroup)", "from parasym.groups.cyclic import CyclicShift", "CyclicShift"),
        ("rules/entropy.py", "def _xlog1py", "from parasym.rules import entropy", "*entropy.RULES"),
        ("studies/width.py", "class WidthTask", "from parasym.studies.width import WIDTH", "WIDTH"),
    ):
        added(folder / "parasym", *page)
    return folder


@pytest.fixture(scope="module")
def printed(folder: Path) -> dict[str, tuple[str, str]]:
    """What the three programs print, run side by side."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    runs = {
        name: subprocess.Popen([sys.executable, "-c", program], cwd=folder, env=environment, text=True, stdout=PIPE, stderr=PIPE)
        for name, program in (("group", GROUP), ("rule", RULE), ("study", STUDY))
    }
    return {name: run.communicate() for name, run in runs.items()}


def test_a_group(printed: dict[str, tuple[str, str]]):
    assert printed["group"][0].strip() == "group done", printed["group"][1]


def test_a_rule(printed: dict[str, tuple[str, str]]):
    assert printed["rule"][0].strip() == "rule done", printed["rule"][1]


def test_a_study(folder: Path, printed: dict[str, tuple[str, str]]):
    assert "width 16" in printed["study"][0], printed["study"][1]
    assert len((folder / "rows/rows.jsonl").read_text().splitlines()) == 6
