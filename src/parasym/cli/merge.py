"""`parasym merge`: one network out of several checkpoints."""

from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from parasym.checkpoint import ensure_writable, write_checkpoint
from parasym.checkpoint.write import ensure_safetensors
from parasym.cli.match import act_exactly, written
from parasym.cli.matching import DataOption, Method, MethodOption, matching_method, read_data
from parasym.cli.options import (
    ForceOption,
    InputOption,
    JsonOption,
    ModelOption,
    SeedOption,
    SymmetryOption,
    TrainOption,
    UntieOption,
)
from parasym.cli.outcome import Outcome, execute
from parasym.cli.parameters import in_one_precision, read_fitted, read_symmetry
from parasym.cli.progress import working
from parasym.cli.screen import tell
from parasym.cli.soundness import Sameness, element_sameness
from parasym.cli.subject import ensure_values, find_symmetry, load_subject
from parasym.core import BadInputError, Params
from parasym.functional import reestimate
from parasym.functional.statistics import has_statistics
from parasym.orbit import match_many
from parasym.orbit.many import mean
from parasym.orbit.merge import without_stored
from parasym.orbit.objective import gap
from parasym.orbit.one_sided import without_variance_scales
from parasym.report import Table, rich_table, sig
from parasym.verify.report import worst


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
    seed: SeedOption = 0,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Match checkpoints of one architecture, average them, and write the result."""

    def job() -> Outcome:
        return _merge(checkpoints, model, output, inputs or [], method, data, symmetry, untie, train, seed, force)

    execute(job, as_json=as_json)


def _merge(
    paths: list[Path],
    spec: str,
    output: Path,
    inputs: list[str],
    method: Method,
    data_path: Path | None,
    symmetry_path: Path | None,
    untie: bool,
    train: bool,
    seed: int,
    force: bool,
) -> Outcome:
    if len(paths) < 2:
        raise BadInputError(f"Merging needs two checkpoints or more, but got {len(paths)}.")
    ensure_writable(ensure_safetensors(output), force=force)
    subject = load_subject(spec, inputs, seed=seed, train=train)
    ensure_values(subject)
    tell(subject.notes)
    fitted = in_one_precision(read_fitted(paths, subject.model, untie=untie))
    data = None if data_path is None else read_data(data_path, subject)
    symmetry = find_symmetry(subject) if symmetry_path is None else read_symmetry(symmetry_path)
    symmetry = without_variance_scales(symmetry)
    models = [each.params for each in fitted]
    chosen = matching_method(method, subject, data)
    if data is None and has_statistics(subject.model):
        tell(["running statistics are averaged, which suits no merged network: give --data to measure them anew"])
    if data is not None and has_statistics(subject.model):
        # What holds for stored statistics only would be undone when they are measured anew.
        symmetry = without_stored(symmetry, subject.model, models[0], data[0])
    with working("Matching"):
        elements = match_many(symmetry, models, method=chosen, generator=torch.Generator().manual_seed(seed))
    moved = [act_exactly(symmetry, element, params) for element, params in zip(elements, models, strict=True)]
    with working("Checking that every function is unchanged"):
        same = [element_sameness(subject, symmetry, e, p) for e, p in zip(elements, models, strict=True)]
    holds = worst([s.holds for s in same])
    if holds == "yes":
        merged = mean(moved)
        if data is not None:
            merged = reestimate(subject.model, merged, data)
        write_checkpoint(output, fitted[0].as_saved(merged), metadata={"parasym": "merge"}, force=force)
    answer = _answer(paths, models, moved, same) | {"method": method, "output": str(output) if holds == "yes" else None}
    return Outcome(holds, answer, (*_tables(paths, answer), written(output, holds == "yes")))


def _answer(paths: list[Path], models: list[Params], moved: list[Params], same: list[Sameness]) -> dict[str, Any]:
    return {
        "checkpoints": [
            {"path": str(path), "function_error": s.error, "function_unchanged": s.holds}
            for path, s in zip(paths, same, strict=True)
        ],
        "pairs": [
            {"first": i, "second": j, "distance_naive": gap(models[i], models[j]), "distance_matched": gap(moved[i], moved[j])}
            for i, j in combinations(range(len(models)), 2)
        ],
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
