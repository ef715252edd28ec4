"""What every test shares: fixed threads, examples in Markdown, tests that need a GPU, a fresh seed."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import doctest
import importlib.util
import shutil

import hypothesis
import pytest
import torch
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from parasym.find import self_check
from parasym.symmetry import Factor

OPTIONAL = ("torchvision", "transformers", "digit_recognizer", "facenet_pytorch", "torchani", "pynauty", "sklearn")
OPTIONAL += ("pennylane", "qiskit", "qiskit_aer", "stim")
"""Third-party packages whose tests skip where they are missing."""

hypothesis.settings.register_profile("parasym", deadline=None, derandomize=True, max_examples=25)
hypothesis.settings.load_profile("parasym")

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)],
    patterns=["*.md"],
).pytest()


def pytest_configure() -> None:
    """Use one thread in every test process: results and times do not depend on the machine's cores."""
    torch.set_num_threads(1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the examples of a page in their order, and skip tests marked ``gpu`` where there is none."""
    for item in items:
        if item.path.suffix == ".md":
            item.add_marker(pytest.mark.random_order(disabled=True))
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a GPU"))


@pytest.fixture(autouse=True)
def _seeded(doctest_namespace: dict[str, object]) -> None:
    """Give every test the same global seed, and doctests the name ``torch``."""
    torch.manual_seed(0)
    doctest_namespace["torch"] = torch


@pytest.fixture(autouse=True)
def _believing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test fail if ``find`` refutes a factor of its own, unless it plants the fault."""

    def fail(factor: Factor, error: float) -> None:
        raise AssertionError(f"refuted: {factor.label} on {factor.wire.name} changes the outputs by {error:.1e}")

    if request.node.get_closest_marker("refutes") is None:
        monkeypatch.setattr(self_check, "refuted", fail)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which optional parts of the suite could run here."""
    present = {name: importlib.util.find_spec(name) is not None for name in OPTIONAL}
    present |= {"chromium": shutil.which("chromium") is not None, "GPU": torch.cuda.is_available()}
    terminalreporter.section("covered")
    for title, wanted in (("with", True), ("without", False)):
        terminalreporter.write_line(f"{title}: {', '.join(name for name, there in present.items() if there is wanted) or '-'}")
