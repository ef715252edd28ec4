"""The command line lists its verbs without importing them, and every way of asking works."""

import os
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from parasym.cli import VERBS, app
from parasym.cli.verb import Verb, imported, summary
from parasym.version import __version__

WITHOUT_TORCH = """
import sys
from parasym.cli import main
try:
    main()
finally:
    heavy = {"torch", "numpy", "matplotlib"} & set(sys.modules)
    assert heavy == (set() if HEAVY else heavy), heavy
    assert bool(heavy) or HEAVY, "it should have been needed"
"""


def command(*arguments: str, light: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, which fails if what is heavy was imported, or if it was not where it must be."""
    code = f"HEAVY = {light}\n{WITHOUT_TORCH}"
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "100", **variables}
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("asked", ["--help", "-h", "--version", ""])
def test_help_and_version_need_no_torch(asked: str):
    done = command(*asked.split())
    assert "AssertionError" not in done.stderr, done.stderr
    assert done.returncode == (0 if asked else 2)
    if asked == "--version":
        assert done.stdout == f"parasym {__version__}\n"
    else:
        for verb in VERBS:
            assert re.search(rf"^│ {verb.rstrip('_')} +[A-Z]", done.stdout, re.MULTILINE), verb


def test_the_module_is_a_command():
    for asked, said in (("--version", f"parasym {__version__}\n"), ("-h", "Usage: parasym [OPTIONS]")):
        done = subprocess.run([sys.executable, "-m", "parasym", asked], capture_output=True, text=True, check=False)
        assert done.returncode == 0
        assert said in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_tells_its_help_in_both_ways(verb: str):
    function = imported(verb)
    assert Verb(verb).loaded().callback.__wrapped__ is function
    assert summary(verb) == Verb(verb).help == str(function.__doc__).partition("\n\n")[0]
    long, short = (CliRunner().invoke(app, [verb.rstrip("_"), option]) for option in ("--help", "-h"))
    assert long.exit_code == short.exit_code == 0
    assert long.stdout == short.stdout
    said = " ".join(long.stdout.replace("│", " ").split())
    assert "--json" in said
    assert " ".join(summary(verb).replace("`", "").split())[:60] in said.replace("`", "")


def test_a_wrong_verb_is_told_what_is_near():
    result = CliRunner().invoke(app, ["mach"])
    assert result.exit_code == 2
    assert "No such command 'mach'. Did you mean 'match'? See `parasym --help`." in result.output


def test_verbs_are_completed_without_torch():
    done = command(_PARASYM_COMPLETE="complete_bash", COMP_WORDS="parasym ma", COMP_CWORD="1")
    assert "AssertionError" not in done.stderr, done.stderr
    assert done.stdout.split() == ["match"]


def test_options_are_completed():
    done = command(light=False, _PARASYM_COMPLETE="complete_bash", COMP_WORDS="parasym match --da", COMP_CWORD="2")
    assert done.stdout.split() == ["--data"]


def test_completion_can_be_shown():
    done = command("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "_PARASYM_COMPLETE=complete_bash" in done.stdout
