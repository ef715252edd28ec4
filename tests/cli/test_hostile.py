"""Hostile text in every argument of every command: never a traceback, and nothing that acts on the terminal."""

import inspect
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch
from safetensors.torch import save_file
from typer.models import ArgumentInfo
from typer.testing import Result

from parasym.cli import VERBS, outcome
from parasym.cli.verb import imported
from tests.cli import circuits, nets

Run = Callable[..., Result]

SEQUENCE = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\b"
MARKUP = "[/red][bold]x[/bold] :smile: {0} %s"
LINES = "one\ntwo\u2028three\x85four\ttab"
ORDER = "\u202egnp.exe\u2066\u200f\ufeff"
ALL = f"{SEQUENCE}{MARKUP}{LINES}{ORDER}\udcff"
HOSTILE = {
    "all": f"a{ALL}b",
    "a name": f"a{ALL}b".replace("/", ""),
    "long": "x" * 5000,
    "dash": "--dash",
    "empty": "",
    "below a file": f"nets.py/{ALL}",
    "with a colon": f"{ALL}:{SEQUENCE}[/red]",
    "of the file": f"nets.py:{ALL}",
}
PLAUSIBLE = {
    "model": "nets.py:build",
    "a": "a.safetensors",
    "b": "b.safetensors",
    "checkpoint": "a.safetensors",
    "checkpoints": "a.safetensors b.safetensors",
    "output": "out.safetensors",
    "data": "labelled.pt",
    "circuit": f"{circuits.__file__}:circuit",
    "name": "mli",
    "folders": "nowhere",
}
"""What the required arguments of commands usually are."""

LONG = {"demo", "study"}
"""Commands that run for long once all is well: no output folder for them that can be made."""


def parameters(verb: Callable[..., None]) -> Iterator[tuple[str, Any, Any]]:
    """Name, type and description of every argument and option that takes text."""
    for name, hint in get_type_hints(verb, include_extras=True).items():
        if name == "return" or not get_args(hint):
            continue
        kind, info = get_args(hint)[0], get_args(hint)[-1]
        while get_args(kind) and kind not in {str, Path}:
            inner = [part for part in get_args(kind) if part is not type(None)]
            if not inner or not (isinstance(inner[0], type) or get_args(inner[0])):
                break  # a literal
            kind = inner[0]
        if kind in {str, Path}:
            yield name, kind, info


def command(verb: Callable[..., None], name: str, info: Any, value: str) -> list[str]:
    """The words of a command that is as it should be but for one argument."""
    given = inspect.signature(verb).parameters
    words, options = [], []
    for other, _, about in parameters(verb):
        required = given[other].default is inspect.Parameter.empty
        filled = [value] if other == name else PLAUSIBLE[other].split() if required else []
        if isinstance(about, ArgumentInfo):
            words += filled
        else:
            flag = next((decl for decl in about.param_decls if decl.startswith("--")), f"--{other.replace('_', '-')}")
            options += [f"{flag}={part}" for part in filled]
    if isinstance(info, ArgumentInfo) and value.startswith("-"):
        words = ["--", *words]
    return [verb.__name__.rstrip("_"), *options, *words]


def acts(text: str) -> list[str]:
    """Characters of a text that act on a terminal instead of showing."""
    return sorted({repr(c) for c in text if c != "\n" and unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}})


def harmless(result: Result, said: object) -> None:
    """Nothing was lost, nothing acted, and a mistake is one line."""
    assert result.exception is None or isinstance(result.exception, SystemExit), (said, result.exception)
    assert result.exit_code in {0, 2}, (said, result.output)
    for stream in (result.stdout, result.stderr):
        assert not acts(stream), (said, acts(stream))
    assert "Traceback" not in result.output, said
    assert "unexpected" not in result.stderr, (said, result.stderr)
    errors = [line for line in result.stderr.splitlines() if not line.startswith("note: ")]
    assert len(errors) == (result.exit_code == 2), (said, result.stderr)
    assert len(result.output) < 20_000, said


CASES = [(verb, name, kind, info) for verb in map(imported, VERBS) for name, kind, info in parameters(verb)]


@pytest.mark.parametrize(("verb", "name", "kind", "info"), CASES, ids=[f"{v.__name__} {n}" for v, n, _, _ in CASES])
def test_every_argument_of_every_command(
    run: Run, folder: Path, verb: Callable[..., None], name: str, kind: type, info: Any
) -> None:
    torch.save((torch.zeros(4, 6), torch.zeros(4, dtype=torch.int64)), "labelled.pt")
    for label, value in HOSTILE.items():
        if verb.__name__ in LONG and (kind is Path or isinstance(info, ArgumentInfo)) and label != "below a file":
            continue
        words = command(verb, name, info, value)
        harmless(run(*words), (label, words))
        Path("out.safetensors").unlink(missing_ok=True)


NAMES = ("\x1b[2J[red] \u202e one\nline :smile:", "a\udcff", "-n")


@pytest.mark.parametrize("name", NAMES)
def test_files_of_hostile_names(run: Run, folder: Path, name: str) -> None:
    """Files that are there, so that commands succeed and say their names."""
    a, b, out = (f"./{name}.{k}.safetensors" for k in "abc")
    shutil.copy("a.safetensors", a)
    shutil.copy("b.safetensors", b)
    shutil.copy("nets.py", f"./{name}.py")
    save_file({"x": torch.randn(300, 6)}, f"./{name}.data.safetensors")
    model = ["-m", f"./{name}.py:normalized"]
    for seed, path in enumerate((a, b)):
        save_file(nets.weights(seed, "normalized"), path)
    for words in (
        ["merge", a, b, *model, "-o", out, "--data", f"./{name}.data.safetensors"],
        ["match", a, b, *model, "-o", out, "--force", "--json"],
        ["find", f"./{name}.py:normalized", "-o", f"./{name}.json"],
        ["verify", f"./{name}.py:normalized", "-s", f"./{name}.json", "-p", out],
    ):
        told = run(*words)
        assert told.exit_code == 0, told.output
        harmless(told, words)


def test_hostile_names_inside_of_files(run: Run, folder: Path) -> None:
    for name in NAMES:
        torch.save({**nets.weights(1), name: torch.ones(1), f"{name} left": 3}, "more.pt")
        torch.save({"state_dict": nets.weights(1), name: {name: [name]}}, "beside.pt")
        torch.save({name: torch.ones(300, 6), f"{name}2": torch.ones(1)}, "data.pt")
        for words in (
            ["match", "a.safetensors", "more.pt", "-m", "nets.py:build"],
            ["match", "a.safetensors", "beside.pt", "-m", "nets.py:build"],
            ["verify", "nets.py:build", "--data", "data.pt"],
        ):
            told = run(*words)
            harmless(told, words)
            assert "more.pt" in told.stderr or "beside.pt" in told.stderr or "data.pt" in told.stderr


def test_hostile_names_of_a_model(run: Run, folder: Path) -> None:
    name = (SEQUENCE + MARKUP).replace(".", "")
    code = f"\n\ndef named():\n    model = build()\n    model.register_module({name!r}, nn.Linear(3, 3))\n    return model\n"
    with Path("nets.py").open("a") as file:
        file.write(code)
    for verb in ("find", "verify"):
        told = run(verb, "nets.py:named")
        assert told.exit_code == 0, told.output
        harmless(told, verb)
        assert ("x1b[2J" in told.stdout) == (verb == "find")


@pytest.mark.parametrize("fault", ["complain", "tell", "show"])
def test_a_print_that_does_not_escape_is_noticed(run: Run, folder: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(said: Any) -> None:
        stream = sys.stdout if fault == "show" else sys.stderr
        stream.write("\n".join([said] if isinstance(said, str) else [f"note: {x}" for x in said]) + "\n")

    monkeypatch.setattr(sys.modules["parasym.cli.find"] if fault == "tell" else outcome, fault, careless)
    words = ["find", "nets.py:half", "-o", "\x1b[2J.json"]
    if fault == "complain":
        words = ["find", "\x1b[2J.py:x"]
    if fault == "tell":
        torch.save((torch.ones(4, 6), torch.ones(4)), "\x1b[2J.pt")
        words = ["find", "nets.py:build", "--data", "\x1b[2J.pt"]
    with pytest.raises(AssertionError, match="x1b"):
        harmless(run(*words), words)
