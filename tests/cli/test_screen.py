"""What is said on stderr is one line each, however narrow the terminal; what comes from outside is text there."""

import json

import pytest
from rich.table import Table

from parasym.cli.screen import complain, console, show, show_json, tell

LONG = "a note of many words " * 10
EVIL = "[red]\x1b[2J:smile:\n\u202e"


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")


def test_a_note_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    tell([LONG, EVIL])
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first.split() == f"note: {LONG}".split()
    assert second.startswith("note: [red]")
    assert second.isprintable()
    assert ":smile:" in second


def test_an_error_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    said = complain(LONG + EVIL)
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"parasym: {said}\n")
    assert said.isprintable()


def test_results_are_text_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table()
    table.add_column("name")
    table.add_row(EVIL)
    show([EVIL, table])
    out, err = capsys.readouterr()
    assert err == ""
    assert out.count("[red]") == 2
    assert all(line.isprintable() for line in out.splitlines())


def test_json_is_alone_on_stdout_and_indented_by_two(capsys: pytest.CaptureFixture[str]) -> None:
    data = {"name": EVIL, "values": [1, 2]}
    show_json(data)
    out, err = capsys.readouterr()
    assert err == ""
    assert json.loads(out) == data
    assert out.isascii()
    assert out.startswith('{\n  "name"')


def test_consoles_write_where_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    console().print("one")
    console(stderr=True).print("two")
    assert tuple(capsys.readouterr()) == ("one\n", "two\n")


def test_numbers_have_no_color_of_their_own(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    console().print("3 of 'four'")
    assert capsys.readouterr().out == "3 of 'four'\n"
