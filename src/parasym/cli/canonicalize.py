"""`parasym canonicalize`: the one representative that all checkpoints of an orbit share."""

from pathlib import Path
from typing import Annotated

import typer

from parasym.checkpoint import ensure_writable, write_checkpoint
from parasym.checkpoint.write import ensure_safetensors
from parasym.cli.match import unchanged, written
from parasym.cli.options import (
    ForceOption,
    InputOption,
    JsonOption,
    ModelOption,
    SeedOption,
    SymmetryOption,
    TrainOption,
    TrustOption,
    UntieOption,
)
from parasym.cli.outcome import Outcome, execute
from parasym.cli.parameters import read_fitted, read_symmetry
from parasym.cli.progress import working
from parasym.cli.screen import tell
from parasym.cli.subject import ensure_values, find_symmetry, load_subject
from parasym.orbit import canonicalize as find_canonical
from parasym.report import Table, rich_table, sig

OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="Write the representative to this safetensors file.")]


def canonicalize(
    checkpoint: Annotated[Path, typer.Argument(help="The checkpoint.")],
    model: ModelOption,
    inputs: InputOption = None,
    output: OutputOption = None,
    symmetry: SymmetryOption = None,
    untie: UntieOption = False,
    train: TrainOption = False,
    trust: TrustOption = False,
    seed: SeedOption = 0,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Move a checkpoint to the representative of its orbit: checkpoints equal up to symmetry become equal."""

    def job() -> Outcome:
        return _canonicalize(checkpoint, model, inputs or [], output, symmetry, untie, train, trust, seed, force)

    execute(job, as_json=as_json)


def _canonicalize(
    path: Path,
    spec: str,
    inputs: list[str],
    output: Path | None,
    symmetry_path: Path | None,
    untie: bool,
    train: bool,
    trust: bool,
    seed: int,
    force: bool,
) -> Outcome:
    if output is not None:
        ensure_writable(ensure_safetensors(output), force=force)
    subject = load_subject(spec, inputs, seed=seed, train=train, trust=trust)
    ensure_values(subject)
    tell(subject.notes)
    (given,) = read_fitted((path,), subject.model, untie=untie)
    symmetry = find_symmetry(subject) if symmetry_path is None else read_symmetry(symmetry_path)
    with working("Canonicalizing"):
        found = find_canonical(symmetry, given.params)
    tell(found.notes)
    with working("Checking that the function is unchanged"):
        same = unchanged(subject, found.element, given.params)
    rows = (("as it is", sig(found.before, 6)), ("canonical", sig(found.after, 6)))
    note = f"Function unchanged: {same.holds}, relative error {sig(same.error, 2)} in float64."
    shown = rich_table(Table("Norm of all weights", (("", "left"), ("norm", "right")), rows, note, strong=(1,)))
    wrote = output is not None and same.holds == "yes"
    if output is not None and wrote:
        write_checkpoint(output, given.as_saved(found.params), metadata={"parasym": "canonicalize"}, force=force)
    answer = {
        "norm_before": found.before,
        "norm_after": found.after,
        "converged": found.converged,
        "notes": list(found.notes),
        "function_error": same.error,
        "output": str(output) if wrote else None,
    }
    return Outcome(same.holds, answer, (shown, written(output, wrote)))
