"""`parasym find`: the symmetry of a model."""

import json
from pathlib import Path
from typing import Annotated

import typer

from parasym.checkpoint import atomic_write, ensure_writable
from parasym.cli.options import ForceOption, InputOption, JsonOption, ModelArgument, SeedOption, TrainOption
from parasym.cli.outcome import Outcome, execute
from parasym.cli.progress import tell
from parasym.cli.subject import find_symmetry, load_subject
from parasym.report import symmetry_tables

OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="Write the symmetry to this JSON file.")]


def find(
    model: ModelArgument,
    inputs: InputOption = None,
    output: OutputOption = None,
    train: TrainOption = False,
    seed: SeedOption = 0,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find the parameter symmetry of a model: which transformations leave its function unchanged."""
    execute(lambda: _find(model, inputs or [], output, train, seed, force), as_json=as_json)


def _find(spec: str, inputs: list[str], output: Path | None, train: bool, seed: int, force: bool) -> Outcome:
    if output is not None:
        ensure_writable(output, force=force)
    subject = load_subject(spec, inputs, seed=seed, train=train)
    tell(subject.notes)
    symmetry = find_symmetry(subject)
    text = symmetry.to_json()
    shown = list(symmetry_tables(symmetry))
    if output is not None:
        atomic_write(output, lambda file: file.write_text(text + "\n", encoding="utf-8"), force=force)
        shown.append(f"Written to {output}")
    return Outcome("yes", json.loads(text), tuple(shown))
