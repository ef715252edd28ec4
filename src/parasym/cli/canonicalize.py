"""`parasym canonicalize`: the one representative that all checkpoints of an orbit share."""

from pathlib import Path
from typing import Annotated

import typer

from parasym.cli.opened import Request
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
from parasym.cli.progress import working
from parasym.cli.screen import tell
from parasym.cli.written import Written
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
    """Move a checkpoint to the representative of its orbit: checkpoints equal up to symmetry become equal.

    Example:
        parasym canonicalize a.safetensors --model net.py:build --input 8x3x32x32 -o canonical.safetensors
    """
    request = Request(model, inputs, symmetry, untie, train, trust, seed)
    execute(lambda: _canonicalize(checkpoint, request, output, force), as_json=as_json)


def _canonicalize(path: Path, request: Request, output: Path | None, force: bool) -> Outcome:
    file = Written(output, force=force)
    opened = request.open([path])
    (given,) = opened.fitted
    with working("Canonicalizing"):
        found = find_canonical(opened.symmetry, given.params)
    tell(found.notes)
    with working("Checking that the function is unchanged"):
        same = opened.unchanged(found.element, given.params)
    rows = (("as it is", sig(found.before, 6)), ("canonical", sig(found.after, 6)))
    note = f"Function unchanged: {same.holds}, relative error {sig(same.error, 2)} in float64."
    shown = rich_table(Table("Norm of all weights", (("", "left"), ("norm", "right")), rows, note, strong=(1,)))
    file.write(given, found.params, verb="canonicalize", holds=same.holds)
    answer = {
        "norm_before": found.before,
        "norm_after": found.after,
        "converged": found.converged,
        "notes": list(found.notes),
        "function_error": same.error,
        "output": file.name,
    }
    return Outcome(same.holds, answer, (shown, file.told))
