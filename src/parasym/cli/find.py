"""`parasym find`: the symmetry of a model."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from parasym.checkpoint import atomic_write, ensure_writable
from parasym.circuits.source import is_circuit
from parasym.cli.circuit import NoiseOption, circuit_subject, find_in_circuit, parse_noise
from parasym.cli.data import DataOption, ensure_one
from parasym.cli.options import ForceOption, InputOption, JsonOption, ModelArgument, SeedOption, TrainOption, TrustOption
from parasym.cli.outcome import Outcome, execute
from parasym.cli.screen import tell
from parasym.cli.subject import find_symmetry, load, load_subject
from parasym.core import BadInputError
from parasym.report import symmetry_tables
from parasym.symmetry import Symmetry, Why

OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="Write the symmetry to this JSON file.")]

CheckOption = Annotated[
    bool, typer.Option("--check/--no-check", help="Try one element of all factors on numbers, and leave out what does not hold.")
]

WhyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--why",
        help="Parameter, or parameter:group as in fc1.weight:scale: where groups act on it, and which instructions forbid them "
        "elsewhere. Repeatable.",
    ),
]

WORDS = ("permutation", "sign", "scale", "rotation", "linear", "shift")
"""The groups that are asked for where none is named; planes are turned by rotary embeddings alone."""


def find(
    model: ModelArgument,
    inputs: InputOption = None,
    data: DataOption = None,
    output: OutputOption = None,
    noise: NoiseOption = None,
    check: CheckOption = True,
    why: WhyOption = None,
    train: TrainOption = False,
    trust: TrustOption = False,
    seed: SeedOption = 0,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find the parameter symmetry of a model: which transformations leave its function unchanged.

    Example:
        parasym find net.py:build --input 1x3x224x224 -o symmetry.json
    """
    asked = why or []
    execute(
        lambda: _find(model, inputs or [], data, output, noise or [], check, asked, train, trust, seed, force), as_json=as_json
    )


def _find(
    spec: str,
    inputs: list[str],
    data: Path | None,
    output: Path | None,
    noise: list[str],
    check: bool,
    why: list[str],
    train: bool,
    trust: bool,
    seed: int,
    force: bool,
) -> Outcome:
    if output is not None:
        ensure_writable(output, force=force)
    ensure_one(inputs, data)
    loaded = load(spec, trust=trust, inputs=bool(inputs or data))
    if is_circuit(loaded.model):
        symmetry = find_in_circuit(circuit_subject(loaded, spec, inputs, noise, data=data, seed=seed), check=check)
    else:
        if parse_noise(noise) is not None:
            raise BadInputError(f"Option --noise is for circuits, but `{spec}` is a {type(loaded.model).__name__}.")
        subject = load_subject(spec, inputs, data=data, seed=seed, train=train, loaded=loaded)
        tell(subject.notes)
        symmetry = find_symmetry(subject, check=check)
    answers = [answer for asked in why for answer in answered(symmetry, asked)]
    text = symmetry.to_json()
    shown = [*symmetry_tables(symmetry), *(Text(str(answer)) for answer in answers)]
    if output is not None:
        atomic_write(output, lambda file: file.write_text(text + "\n", encoding="utf-8"), force=force)
        shown.append(f"Written to {output}")
    document = json.loads(text) | ({"why": [asdict(answer) for answer in answers]} if why else {})
    return Outcome("yes", document, tuple(shown))


def answered(symmetry: Symmetry, asked: str) -> list[Why]:
    """Return the answers to ``--why``: for one group, or for all that may act on any parameter.

    Args:
        symmetry: What was found.
        asked: The parameter, and the group behind a colon.
    """
    name, colon, group = asked.partition(":")
    return [symmetry.why(name, word) for word in ([group] if colon else WORDS)]
