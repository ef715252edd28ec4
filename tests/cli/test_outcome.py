"""Outcomes: exit codes, pure JSON, one line per error."""

import json

import pytest
import typer

from parasym.cli.outcome import Outcome, Verdict, execute
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
        (KeyboardInterrupt(), "interrupted"),
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
