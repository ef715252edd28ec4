"""`parasym merge`: one network out of several checkpoints."""

from pathlib import Path
from typing import Annotated, Any

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
from parasym.core import BadInputError
from parasym.orbit import Merge
from parasym.orbit import merge as merge_models
from parasym.report import Table, rich_table, sig
from parasym.verify import Sameness, worst


def merge(
    checkpoints: Annotated[list[Path], typer.Argument(help="Two checkpoints or more.")],
    model: ModelOption,
    output: Annotated[Path, typer.Option("--output", "-o", help="The safetensors file to write.")],
    inputs: InputOption = None,
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
    """Match checkpoints of one architecture, average them, and write the result.

    Example:
        parasym merge a.safetensors b.safetensors c.safetensors --model net.py:build --data images.npz -o merged.safetensors
    """
    request = Request(model, inputs, symmetry, untie, train, trust, seed, data)
    execute(lambda: _merge(checkpoints, request, output, method, force), as_json=as_json)


def _merge(paths: list[Path], request: Request, output: Path, method: str, force: bool) -> Outcome:
    if len(paths) < 2:
        raise BadInputError(f"Merging needs two checkpoints or more, but got {len(paths)}.")
    file = Written(output, force=force)
    opened = request.open(paths)
    models, data = [each.params for each in opened.fitted], opened.subject.data
    with working("Matching"):
        merged = merge_models(
            opened.symmetry,
            models,
            method=named_method(method, opened.subject),
            model=None if data is None else opened.subject.model,
            data=data,
            generator=torch.Generator().manual_seed(request.seed),
        )
    tell(merged.notes)
    with working("Checking that every function is unchanged"):
        same = [opened.unchanged(g, params) for g, params in zip(merged.elements, models, strict=True)]
    holds = worst([s.holds for s in same])
    file.write(opened.fitted[0], merged.params, verb="merge", holds=holds)
    answer = _answer(paths, merged, same) | {"method": method, "output": file.name}
    return Outcome(holds, answer, (*_tables(paths, answer), file.told))


def _answer(paths: list[Path], merged: Merge, same: list[Sameness]) -> dict[str, Any]:
    return {
        "checkpoints": [
            {"path": str(path), "function_error": s.error, "function_unchanged": s.holds}
            for path, s in zip(paths, same, strict=True)
        ],
        "pairs": [
            {"first": p.first, "second": p.second, "distance_naive": p.before, "distance_matched": p.after} for p in merged.pairs
        ],
        "converged": merged.converged,
        "notes": list(merged.notes),
    }


def _tables(paths: list[Path], answer: dict[str, Any]) -> list[Any]:
    names = [path.name for path in paths] if len({path.name for path in paths}) == len(paths) else [str(path) for path in paths]
    pairs = tuple(
        (f"{names[p['first']]} and {names[p['second']]}", sig(p["distance_naive"], 5), sig(p["distance_matched"], 5))
        for p in answer["pairs"]
    )
    checks = tuple(
        (name, c["function_unchanged"], sig(c["function_error"], 2)) for name, c in zip(names, answer["checkpoints"], strict=True)
    )
    return [
        rich_table(
            Table("Distance between the weights", (("checkpoints", "left"), ("naive", "right"), ("matched", "right")), pairs)
        ),
        rich_table(
            Table(
                "Moved, each computes the same function", (("checkpoint", "left"), ("same", "left"), ("error", "right")), checks
            )
        ),
    ]
