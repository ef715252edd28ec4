"""`parasym match`: bring one checkpoint as close to another as the symmetry allows."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from parasym.checkpoint import ensure_writable, write_checkpoint
from parasym.checkpoint.write import ensure_safetensors
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
from parasym.cli.soundness import element_sameness
from parasym.cli.subject import ensure_values, find_symmetry, load_subject
from parasym.core import Params
from parasym.orbit import match as find_match
from parasym.orbit.objective import gap
from parasym.orbit.one_sided import without_variance_scales
from parasym.report import Table, rich_table, sig
from parasym.symmetry import Element, Symmetry

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
    seed: SeedOption = 0,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Move checkpoint B along its symmetry to where it is closest to A; its function does not change."""

    def job() -> Outcome:
        return _match(a, b, model, inputs or [], output, method, data, symmetry, untie, train, seed, force)

    execute(job, as_json=as_json)


def _match(
    path_a: Path,
    path_b: Path,
    spec: str,
    inputs: list[str],
    output: Path | None,
    method: Method,
    data: Path | None,
    symmetry_path: Path | None,
    untie: bool,
    train: bool,
    seed: int,
    force: bool,
) -> Outcome:
    if output is not None:
        ensure_writable(ensure_safetensors(output), force=force)
    subject = load_subject(spec, inputs, seed=seed, train=train)
    ensure_values(subject)
    tell(subject.notes)
    a, b = in_one_precision(read_fitted((path_a, path_b), subject.model, untie=untie))
    symmetry = find_symmetry(subject) if symmetry_path is None else read_symmetry(symmetry_path)
    symmetry = without_variance_scales(symmetry)
    chosen = matching_method(method, subject, None if data is None else read_data(data, subject))
    with working("Matching"):
        element = find_match(symmetry, a.params, b.params, method=chosen, generator=torch.Generator().manual_seed(seed))
    moved = act_exactly(symmetry, element, b.params)
    with working("Checking that the function is unchanged"):
        same = element_sameness(subject, symmetry, element, b.params)
    before, after = gap(a.params, b.params), gap(a.params, moved)
    rows = (("B as it is", sig(before, 6)), ("B matched", sig(after, 6)))
    note = f"Norm over all weights. Function of B unchanged: {same.holds}, relative error {sig(same.error, 2)} in float64."
    shown = [rich_table(Table("Distance to A", (("", "left"), ("distance", "right")), rows, note, strong=(1,)))]
    wrote = output is not None and same.holds == "yes"
    if output is not None and wrote:
        write_checkpoint(output, b.as_saved(moved), metadata={"parasym": "match"}, force=force)
    answer = {
        "distance_before": before,
        "distance_after": after,
        "function_error": same.error,
        "method": method,
        "output": str(output) if wrote else None,
    }
    return Outcome(same.holds, answer, (*shown, written(output, wrote)))


def act_exactly(symmetry: Symmetry, element: Element, params: Params) -> Params:
    """Return the moved parameters, computed in float64 and given back in their own precision.

    Args:
        symmetry: The symmetry.
        element: The element.
        params: Parameters and buffers by name.
    """
    wide = {name: value.double() if value.is_floating_point() else value for name, value in params.items()}
    moved = symmetry.act(element.to(torch.float64), wide)
    return {name: moved[name].to(value.dtype) for name, value in params.items()}


def written(output: Path | None, wrote: bool) -> str:
    """Return the sentence about the output file.

    Args:
        output: Where the user wanted it.
        wrote: Whether it was written.
    """
    if output is None:
        return "Nothing written: give -o to keep the result."
    return f"Written to {output}" if wrote else f"Not written: the function would change, so {output} was left alone."
