"""`parasym match`: bring one checkpoint as close to another as the symmetry allows."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from parasym.checkpoint import ensure_writable, write_checkpoint
from parasym.checkpoint.write import ensure_safetensors
from parasym.cli.data import DataOption
from parasym.cli.matching import MethodOption, named_method
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
from parasym.cli.parameters import in_one_precision, read_fitted, read_symmetry
from parasym.cli.progress import working
from parasym.cli.screen import tell
from parasym.cli.subject import Subject, blaming_inputs, ensure_values, find_symmetry, load_subject
from parasym.core import Params
from parasym.orbit import match as find_match
from parasym.report import Table, rich_table, sig
from parasym.symmetry import Element
from parasym.verify import Sameness, same_function

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
    """Move checkpoint B along its symmetry to where it is closest to A; its function does not change."""

    def job() -> Outcome:
        return _match(a, b, model, inputs or [], output, method, data, symmetry, untie, train, trust, seed, force)

    execute(job, as_json=as_json)


def _match(
    path_a: Path,
    path_b: Path,
    spec: str,
    inputs: list[str],
    output: Path | None,
    method: str,
    data: Path | None,
    symmetry_path: Path | None,
    untie: bool,
    train: bool,
    trust: bool,
    seed: int,
    force: bool,
) -> Outcome:
    if output is not None:
        ensure_writable(ensure_safetensors(output), force=force)
    subject = load_subject(spec, inputs, data=data, seed=seed, train=train, trust=trust)
    ensure_values(subject)
    tell(subject.notes)
    a, b = in_one_precision(read_fitted((path_a, path_b), subject.model, untie=untie))
    symmetry = find_symmetry(subject) if symmetry_path is None else read_symmetry(symmetry_path)
    with working("Matching"):
        found = find_match(
            symmetry,
            a.params,
            b.params,
            method=named_method(method, subject),
            generator=torch.Generator().manual_seed(seed),
        )
    tell(found.notes)
    with working("Checking that the function is unchanged"):
        same = unchanged(subject, found.element, b.params)
    rows = (("B as it is", sig(found.before, 6)), ("B matched", sig(found.after, 6)))
    note = f"Norm over all weights. Function of B unchanged: {same.holds}, relative error {sig(same.error, 2)} in float64."
    shown = [rich_table(Table("Distance to A", (("", "left"), ("distance", "right")), rows, note, strong=(1,)))]
    wrote = output is not None and same.holds == "yes"
    if output is not None and wrote:
        write_checkpoint(output, b.as_saved(found.params), metadata={"parasym": "match"}, force=force)
    answer = {
        "distance_before": found.before,
        "distance_after": found.after,
        "converged": found.converged,
        "notes": list(found.notes),
        "function_error": same.error,
        "method": method,
        "output": str(output) if wrote else None,
    }
    return Outcome(same.holds, answer, (*shown, written(output, wrote)))


def unchanged(subject: Subject, element: Element, params: Params) -> Sameness:
    """Return whether an element leaves the function of a checkpoint unchanged: nothing is written otherwise.

    Args:
        subject: The model and its inputs.
        element: What a verb found.
        params: Parameters and buffers by name.

    Raises:
        BadInputError: If the model does not run on its inputs.
    """
    with blaming_inputs(subject):
        return same_function(subject.model if subject.program is None else subject.program, element, params, subject.call)


def written(output: Path | None, wrote: bool) -> str:
    """Return the sentence about the output file.

    Args:
        output: Where the user wanted it.
        wrote: Whether it was written.
    """
    if output is None:
        return "Nothing written: give -o to keep the result."
    return f"Written to {output}" if wrote else f"Not written: the function would change, so {output} was left alone."
