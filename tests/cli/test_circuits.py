"""`find` and `verify` on circuits, through the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from parasym.symmetry import Symmetry
from tests.needs import needs

Run = Callable[..., Result]
FILE = str(Path(__file__).parent / "circuits.py")


@pytest.mark.parametrize("name", ["circuit", "factory"])
def test_find_and_verify(run: Run, folder: Path, name: str):
    result = run("find", f"{FILE}:{name}", "-o", "symmetry.json")
    assert result.exit_code == 0
    assert "Z2^7" in result.output
    result = run("verify", f"{FILE}:{name}", "--symmetry", "symmetry.json", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["completeness"]["complete"] == "yes"


def test_noise_breaks_on_the_command_line(run: Run, folder: Path):
    noise = ("--noise", "amplitude_damping:0.05")
    surviving = run("find", f"{FILE}:circuit", *noise, "--json")
    assert Symmetry.from_json(surviving.stdout).order == 2
    assert run("verify", f"{FILE}:circuit", *noise, "--no-complete").exit_code == 0
    assert run("find", f"{FILE}:circuit", "-o", "whole.json").exit_code == 0
    assert run("verify", f"{FILE}:circuit", *noise, "--no-complete", "--symmetry", "whole.json").exit_code == 1
    assert (
        run("verify", f"{FILE}:circuit", "--noise", "dephasing:0.05", "--no-complete", "--symmetry", "whole.json").exit_code == 0
    )


def test_a_qnode_of_a_factory(run: Run, folder: Path):
    needs("pennylane")
    result = run("find", f"{FILE}:qnode", "--input", "2", "--json")
    assert Symmetry.from_json(result.stdout).shapes == (("w", (2,)),)
    assert run("verify", f"{FILE}:qnode", "--input", "2").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("find", f"{FILE}:constant"), "has none"),
        (("find", f"{FILE}:qnode"), "needs its parameters"),
        (("find", f"{FILE}:circuit", "--noise", "gravity:0.1"), "amplitude_damping, dephasing"),
        (("find", f"{FILE}:circuit", "--noise", "dephasing:2"), "between 0 and 1"),
        (("find", f"{FILE}:network", "--input", "1x2", "--noise", "dephasing:0.1"), "is for circuits"),
        (("verify", f"{FILE}:network", "--input", "1x2", "--noise", "dephasing:0.1"), "is for circuits"),
        (("match", "a", "b", "--model", f"{FILE}:circuit"), "is a circuit"),
        (("verify", f"{FILE}:circuit", "--dtype", "float32"), "float64"),
    ],
)
def test_bad_input_is_one_line(run: Run, folder: Path, arguments: tuple[str, ...], words: str):
    if "qnode" in arguments[1]:
        needs("pennylane")
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())


@pytest.mark.parametrize("verb", ["find", "verify", "hop"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("constant", "must have parameters"),
        ("lossy", "must preserve the trace"),
        ("misplaced", "An observable must act on"),
        ("measured_qnode", "measures wire [0] in the middle"),
        ("lossy_qnode", "trace preserving"),
        ("misplaced_qnode", "wire 5"),
        ("qnode --input 1", "does not run on these arguments (`w` of shape (1,))"),
    ],
)
def test_every_verb_refuses_in_one_line(run: Run, folder: Path, verb: str, name: str, words: str):
    if "qnode" in name:
        needs("pennylane")
    name, *options = name.split()
    result = run(verb, f"{FILE}:{name}", *(options or (["--input", "2"] if "qnode" in name else [])))
    said = " ".join(result.stderr.split())
    assert result.exit_code == 2
    assert words in said
    assert "unexpected" not in said
    assert said.startswith("parasym: ")


def test_what_is_not_understood_is_named(run: Run, folder: Path):
    found = run("find", f"{FILE}:unread")
    assert found.exit_code == 0
    assert "magic" in found.output
    proved = run("verify", f"{FILE}:unread")
    assert proved.exit_code == 2
    assert "not simulated here: `magic` on qubits (1,) is unknown" in " ".join(proved.output.split())
