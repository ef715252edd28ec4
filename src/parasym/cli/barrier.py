"""`parasym barrier`: the loss on the way from one checkpoint to another."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from torch import Tensor

from parasym.cli.opened import Request
from parasym.cli.options import InputOption, JsonOption, ModelOption, SeedOption, TrainOption, TrustOption, UntieOption
from parasym.cli.outcome import Outcome, execute
from parasym.cli.progress import working
from parasym.cli.subject import Subject, blaming_inputs
from parasym.core import BadInputError, SymmetryError
from parasym.functional import Call
from parasym.functional.factory import line_of
from parasym.landscape import LOSSES, Barrier
from parasym.landscape import barrier as find_barrier
from parasym.report import Columns, Table, percent, rich_table, sig

LabelledOption = Annotated[
    Path,
    typer.Option(
        "--data",
        help="Inputs of the model and their labels: a pair (inputs, labels) in .pt, or tensors by name in .npz or .safetensors, "
        "the inputs as forward names its arguments.",
    ),
]


def barrier(
    a: Annotated[Path, typer.Argument(help="The checkpoint where the segment begins.")],
    b: Annotated[Path, typer.Argument(help="The checkpoint where it ends; that of `parasym match -o` to leave symmetry out.")],
    model: ModelOption,
    data: LabelledOption,
    points: Annotated[int, typer.Option("--points", help="Points of the segment, odd so that the midpoint is one.")] = 25,
    loss: Annotated[str, typer.Option("--loss", help=f"Of torch.nn.functional: {', '.join(LOSSES)}.")] = "cross_entropy",
    renew: Annotated[
        bool, typer.Option("--renew", help="Estimate running statistics anew from --data at every point, not interpolated.")
    ] = False,
    inputs: InputOption = None,
    untie: UntieOption = False,
    train: TrainOption = False,
    trust: TrustOption = False,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Measure the barrier between two checkpoints: loss and accuracy along the straight segment from A to B.

    Example:
        parasym barrier a.safetensors matched.safetensors --model net.py:build --data labelled.npz --points 11
    """
    request = Request(model, inputs, None, untie, train, trust, seed, data)
    execute(lambda: _barrier(a, b, request, points, loss, renew), as_json=as_json)


def _barrier(path_a: Path, path_b: Path, request: Request, points: int, loss: str, renew: bool) -> Outcome:
    if loss not in LOSSES:
        raise BadInputError(f"Loss `{loss}` is unknown. Known are {', '.join(LOSSES)}.")
    if points < 3 or points % 2 == 0:
        raise BadInputError(f"Option --points must be odd and at least 3, so that the midpoint is among them, but is {points}.")
    subject, (a, b) = request.read([path_a, path_b])
    batches = labelled(subject, request.data)
    with working("Evaluating the segment"), blaming_inputs(subject), blaming_labels(f"Loss `{loss}`", request.data):
        renewing = batches if renew else None
        found = find_barrier(subject.model, a.params, b.params, batches, points=points, loss=LOSSES[loss], statistics=renewing)
    holds = "yes" if all(map(math.isfinite, found.loss)) else "unsure"
    return Outcome(holds, _answer(found, loss), (rich_table(_table(found, loss)),))


@contextmanager
def blaming_labels(loss: str, path: Path | None) -> Iterator[None]:
    """Say of what torch raises in the body that the loss does not fit the labels; also where it would only warn, and broadcast.

    Args:
        loss: What it is called.
        path: The file with the labels.

    Raises:
        BadInputError: If the body fails.
    """  # noqa: DOC501 (errors of the body that say so themselves pass through)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Using a target size", UserWarning)
            yield
    except SymmetryError:
        raise
    except (IndexError, RuntimeError, TypeError, ValueError, UserWarning) as error:
        raise BadInputError(
            f"{loss} cannot be taken of what the model returns and the labels in `{path}`: {line_of(error)}. "
            "Another one is given by --loss."
        ) from error


def labelled(subject: Subject, path: Path | None) -> list[Call]:
    """Return the batches of a file, each with one tensor of labels: whole numbers as torch wants classes.

    Args:
        subject: The model with the batches.
        path: The file, for errors.

    Raises:
        BadInputError: If a batch has no labels, or several, or another number of them than samples.
    """
    batches = []
    for call in subject.data or []:
        tensors = [x for x in call.labels if isinstance(x, Tensor)]
        if len(tensors) != 1:
            raise BadInputError(
                f"Data `{path}` must hold inputs and one tensor of labels, but holds the inputs {call} and "
                f"{f'labels {Call(call.labels)}' if call.labels else 'no labels'}. Save them as a pair, "
                "`torch.save((inputs, labels), file)`, or by name, the inputs by the names that forward gives its arguments."
            )
        (labels,) = tensors
        if call.samples is not None and (labels.ndim == 0 or len(labels) != call.samples):
            raise BadInputError(
                f"Data `{path}` must hold a label for every sample, but holds the inputs {call} and labels {Call((labels,))}."
            )
        batches.append(Call(call.args, call.kwargs, (labels if labels.is_floating_point() else labels.long(),)))
    return batches


def _answer(found: Barrier, loss: str) -> dict[str, Any]:
    return {
        "midpoint": _plain(found.midpoint),
        "maximum": _plain(found.maximum),
        "midpoint_accuracy": _plain(found.midpoint_accuracy),
        "t": list(found.t),
        "loss": list(map(_plain, found.loss)),
        "accuracy": list(map(_plain, found.accuracy)),
        "measured": loss,
    }


def _plain(value: float) -> float | None:
    """Return a number as JSON knows it."""
    return value if math.isfinite(value) else None


def _table(found: Barrier, loss: str) -> Table:
    middle = found.t.index(0.5)
    shown = dict.fromkeys(round(k * (len(found.t) - 1) / 8) for k in range(9)) | {middle: None}
    columns: Columns = (("t", "right"), (loss, "right"), *([("accuracy", "right")] if found.accuracy else []))
    rows = tuple(
        (sig(found.t[k]), sig(found.loss[k], 4), *([percent(found.accuracy[k])] if found.accuracy else [])) for k in sorted(shown)
    )
    return Table(
        "From A (t = 0) to B (t = 1)", columns, rows, f"{str(found).capitalize()}.", strong=(sorted(shown).index(middle),)
    )
