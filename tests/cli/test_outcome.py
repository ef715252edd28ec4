"""Outcomes: exit codes, pure JSON, one line per error."""

import json
import signal
import subprocess
import sys

import pytest
import typer

from parasym.cli.outcome import Outcome, Verdict, execute
from parasym.cli.stop import Terminated
from parasym.core import BadInputError


@pytest.mark.parametrize(("holds", "code"), [("yes", 0), ("no", 1), ("unsure", 2)])
def test_verdicts_become_exit_codes(holds: Verdict, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as stop:
        execute(lambda: Outcome(holds, {"n": 1}, ("shown",)), as_json=False)
    assert stop.value.exit_code == code
    assert capsys.readouterr().out == "shown\n"


def test_json_is_pure_even_if_the_model_prints(capsys: pytest.CaptureFixture[str]) -> None:
    def job() -> Outcome:
        print("from the model")  # noqa: T201
        return Outcome("yes", {"n": 1}, ("shown",))

    with pytest.raises(typer.Exit):
        execute(job, as_json=True)
    streams = capsys.readouterr()
    assert json.loads(streams.out) == {"holds": "yes", "n": 1}
    assert "from the model" in streams.err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BadInputError("Argument `x` must\n  be 1."), "parasym: Argument `x` must be 1."),
        (MemoryError(), "out of memory"),
        (KeyError("oops"), "unexpected KeyError: 'oops'"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_errors_are_one_line_and_code_2(
    error: BaseException, words: str, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    def job() -> Outcome:
        raise error

    with pytest.raises(typer.Exit) as stop:
        execute(job, as_json=as_json)
    streams = capsys.readouterr()
    assert stop.value.exit_code == 2
    assert words in streams.err
    assert streams.err.count("\n") == 1
    assert "Traceback" not in streams.err
    if as_json:
        assert json.loads(streams.out)["error"]["message"] in streams.err
    else:
        assert streams.out == ""


def test_a_bug_shows_its_traceback_on_request(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PARASYM_DEBUG", "1")
    with pytest.raises(typer.Exit):
        execute(lambda: {}["missing"], as_json=False)
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(("error", "code", "words"), [(KeyboardInterrupt, 130, "interrupted"), (Terminated, 143, "SIGTERM")])
def test_a_stop_is_no_verdict(error: type[BaseException], code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    def job() -> Outcome:
        raise error

    for kept, said in ((None, "none is half-written"), (lambda: "3 of 9 are done.", "3 of 9 are done.")):
        with pytest.raises(typer.Exit) as stop:
            execute(job, as_json=False, kept=kept)
        assert stop.value.exit_code == code
        err = capsys.readouterr().err
        assert words in err
        assert said in err


SLEEPS = """
import sys, time
from parasym.cli.outcome import execute
def job():
    print("ready", flush=True)
    time.sleep(60)
import typer
try:
    execute(job, as_json=False)
except typer.Exit as stop:
    sys.exit(stop.exit_code)
"""


def test_a_real_process_ends_with_the_code_of_its_signal() -> None:
    process = subprocess.Popen([sys.executable, "-c", SLEEPS], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "ready\n"  # what the job prints goes to stderr
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert said.startswith("parasym: stopped by SIGTERM")
    assert said.count("\n") == 1
