"""`parasym distance`: how far two checkpoints are apart when symmetry does not count."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from parasym.cli.data import DataOption
from parasym.cli.matching import MethodOption, named_method
from parasym.cli.opened import Request
from parasym.cli.options import (
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
from parasym.orbit import distance as find_distance
from parasym.report import Columns, Table, rich_table, sig


def distance(
    a: Annotated[Path, typer.Argument(help="A checkpoint.")],
    b: Annotated[Path, typer.Argument(help="Another one.")],
    model: ModelOption,
    inputs: InputOption = None,
    method: MethodOption = "weight",
    data: DataOption = None,
    symmetry: SymmetryOption = None,
    untie: UntieOption = False,
    train: TrainOption = False,
    trust: TrustOption = False,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Measure how far the orbits of two checkpoints are apart: the same wherever along their orbits they are.

    Example:
        parasym distance a.safetensors b.safetensors --model net.py:build --input 8x3x32x32 --json
    """
    request = Request(model, inputs, symmetry, untie, train, trust, seed, data)
    execute(lambda: _distance(a, b, request, method), as_json=as_json)


def _distance(path_a: Path, path_b: Path, request: Request, method: str) -> Outcome:
    opened = request.open([path_a, path_b])
    a, b = opened.fitted
    with working("Measuring"):
        found = find_distance(
            opened.symmetry,
            a.params,
            b.params,
            method=named_method(method, opened.subject),
            generator=torch.Generator().manual_seed(request.seed),
        )
    tell(found.notes)
    rows = ((sig(float(found), 6), sig(found.relative, 4), found.status),)
    note = "Measured in one gauge. " + "; ".join(found.gauge) + "." if found.gauge else "No freedom changes norms."
    columns: Columns = (("distance", "right"), ("in norms of A", "right"), ("proved", "left"))
    answer = {
        "distance": float(found),
        "relative": found.relative,
        "status": found.status,
        "size": found.size,
        "gauge": list(found.gauge),
        "notes": list(found.notes),
        "method": method,
    }
    return Outcome("yes", answer, (rich_table(Table("Distance between the orbits", columns, rows, note)),))
