"""`parasym hop`: the point it leads to, the page, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from typer.testing import Result

from parasym.checkpoint import read_checkpoint
from parasym.circuits import NoiseModel, amplitude_damping, transfer, with_noise
from tests.cli.circuits import circuit
from tests.needs import needs
from tests.report.test_page import CHROMIUM, ink, outside_references, screenshot

Run = Callable[..., Result]
FILE = str(Path(__file__).parent / "circuits.py")
DAMPED = ("--noise", "amplitude_damping:0.05")


def test_the_point_it_writes_has_the_cost_it_says(run: Run, folder: Path) -> None:
    result = run("hop", f"{FILE}:circuit", *DAMPED, "-o", "there.safetensors", "--json", "--seed", "1")
    data = json.loads(result.stdout)
    assert result.exit_code == 0
    assert data["moved"]
    assert data["after"] < data["before"]
    assert data["order"] == data["cosets"] * data["surviving"]
    simulator = transfer(with_noise(circuit, NoiseModel((), (amplitude_damping(0.05, 0),))))
    there = read_checkpoint(Path("there.safetensors")).params["angles"]
    assert float(simulator.cost(there)) == pytest.approx(data["after"], abs=1e-12)
    assert there.dtype == torch.float64
    again = run("hop", f"{FILE}:circuit", *DAMPED, "--params", "there.safetensors", "--selector", "exhaustive", "--json")
    assert json.loads(again.stdout)["before"] == pytest.approx(data["after"], abs=1e-12)


def test_noise_that_preserves_gives_nothing_to_gain(run: Run, folder: Path) -> None:
    result = run("hop", f"{FILE}:circuit", "--noise", "depolarizing:0.05", "--json")
    data = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (data["moved"], data["cosets"]) == (False, 1)
    assert data["spread"] < 1e-12


def test_the_page_shows_histogram_and_curves(run: Run, folder: Path) -> None:
    result = run("hop", f"{FILE}:circuit", *DAMPED, "--starts", "3", "--steps", "9", "--report", "hop.html", "--seed", "1")
    assert result.exit_code == 0, result.output
    html = Path("hop.html").read_text(encoding="utf-8")
    assert outside_references(html) == []
    for words in ("equivalent points", "Histogram of the noisy cost at 128", "Walsh decode", "random restarts", "n = 3 starts"):
        assert words in html, words
    if CHROMIUM is not None:
        assert ink(screenshot(Path("hop.html").resolve())) > 0.03
    refused = run("hop", f"{FILE}:circuit", *DAMPED, "--report", "hop.html")
    assert refused.exit_code == 2


def test_shots_and_selectors(run: Run, folder: Path) -> None:
    for selector in ("walsh", "random", "greedy", "exhaustive"):
        result = run("hop", f"{FILE}:circuit", *DAMPED, "--shots", "5000", "--selector", selector, "--seed", "1", "--json")
        assert result.exit_code in {0, 1}, result.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((f"{FILE}:circuit", "--shots", "0"), "at least 1, or None"),
        ((f"{FILE}:circuit", "--selector", "luck"), "Known are walsh, random, greedy, exhaustive"),
        ((f"{FILE}:network",), "must be a circuit"),
        ((f"{FILE}:constant",), "must have parameters"),
        ((f"{FILE}:circuit", "--noise", "amplitude_damping:2"), "strength between 0 and 1"),
    ],
)
def test_bad_input(run: Run, folder: Path, arguments: tuple[str, ...], words: str) -> None:
    result = run("hop", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_angles_of_the_wrong_length(run: Run, folder: Path) -> None:
    from parasym.checkpoint import write_checkpoint

    write_checkpoint("short.safetensors", {"angles": torch.zeros(4)})
    result = run("hop", f"{FILE}:circuit", "--params", "short.safetensors")
    assert result.exit_code == 2
    assert "must have shape (9,)" in result.stderr


def test_the_qnode_of_a_file_starts_at_its_example(run: Run, folder: Path) -> None:
    needs("pennylane")
    result = run("hop", str(Path(__file__).parents[2] / "examples" / "vqe.py") + ":qnode", "--json")
    data = json.loads(result.stdout)
    assert data["before"] == pytest.approx(1.99555, abs=1e-4)
    assert data["after"] < data["before"]
