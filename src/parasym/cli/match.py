"""`parasym match`: bring one checkpoint as close to another as the symmetry allows."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from parasym.cli.data import DataOption
from parasym.cli.matching import MethodOption, named_method
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
from parasym.orbit import match as find_match
from parasym.report import Table, rich_table, sig

OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="Write the moved B to this safetensors file.")]


def match(
    a: Annotated[Path, typer.Argument(help="The checkpoint that stays.")],
    b: Annotated[Path, typer.Argument(help="The checkpoint that is moved.")],
    model: ModelOption,
    inputs: InputOption = None,
    output: OutputOption = None,
    method: MethodOption = "weight",
    data: DataOption = None,
    symmetry: SymmetryOption = None,
    untie: UntieOption = False,
    train: TrainOption = False,
    trust: TrustOption = False,
    seed: SeedOption = 0,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Move checkpoint B along its symmetry to where it is closest to A; its function does not change.

    Example:
        parasym match a.safetensors b.safetensors --model net.py:build --input 8x3x32x32 -o matched.safetensors
    """
    request = Request(model, inputs, symmetry, untie, train, trust, seed, data)
    execute(lambda: _match(a, b, request, output, method, force), as_json=as_json)


def _match(path_a: Path, path_b: Path, request: Request, output: Path | None, method: str, force: bool) -> Outcome:
    file = Written(output, force=force)
    opened = request.open([path_a, path_b])
    a, b = opened.fitted
    with working("Matching"):
        found = find_match(
            opened.symmetry,
            a.params,
            b.params,
            method=named_method(method, opened.subject),
            generator=torch.Generator().manual_seed(request.seed),
        )
    tell(found.notes)
    with working("Checking that the function is unchanged"):
        same = opened.unchanged(found.element, b.params)
    rows = (("B as it is", sig(found.before, 6)), ("B matched", sig(found.after, 6)))
    note = f"Norm over all weights. Function of B unchanged: {same.holds}, relative error {sig(same.error, 2)} in float64."
    shown = rich_table(Table("Distance to A", (("", "left"), ("distance", "right")), rows, note, strong=(1,)))
    file.write(b, found.params, verb="match", holds=same.holds)
    answer = {
        "distance_before": found.before,
        "distance_after": found.after,
        "converged": found.converged,
        "notes": list(found.notes),
        "function_error": same.error,
        "method": method,
        "output": file.name,
    }
    return Outcome(same.holds, answer, (shown, file.told))
