"""`parasym break`: a checkpoint of an architecture without the symmetries of its own."""

import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.text import Text
from torch import Tensor, nn

from parasym.breaking import METHODS, PRESETS, AbstractBreaking, BreakReport, preset
from parasym.breaking import break_ as break_model
from parasym.checkpoint import Fitted
from parasym.cli.data import DataOption, ensure_one
from parasym.cli.options import ForceOption, InputOption, JsonOption, ModelOption, SeedOption, TrainOption
from parasym.cli.outcome import Outcome, execute
from parasym.cli.parameters import read_fitted
from parasym.cli.progress import quiet_errors, working
from parasym.cli.screen import tell
from parasym.cli.subject import blaming_inputs, ensure_values, load, load_subject, run_model
from parasym.cli.written import Written
from parasym.core import BadInputError, model_params

AMOUNT = "one number, or PATTERN=NUMBER for the layers that match. Repeatable."


def break_(
    checkpoint: Annotated[Path, typer.Argument(help="The checkpoint, of initial weights: another function comes out of it.")],
    model: ModelOption,
    output: Annotated[Path, typer.Option("--output", "-o", help="The safetensors file to write.")],
    inputs: InputOption = None,
    data: DataOption = None,
    method: Annotated[str, typer.Option("--method", metavar=f"[{'|'.join(METHODS)}]", help="How.")] = next(iter(METHODS)),
    named: Annotated[
        str | None, typer.Option("--preset", help=f"Settings of the paper for one of its networks: {', '.join(PRESETS)}.")
    ] = None,
    frozen: Annotated[
        list[str] | None, typer.Option("--frozen", help=f"Constants per row, a count or a fraction of it: {AMOUNT}")
    ] = None,
    std: Annotated[list[str] | None, typer.Option("--std", help=f"Standard deviation of the constants: {AMOUNT}")] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="entry, or filter for whole kernels of convolutions.")] = None,
    init: Annotated[str | None, typer.Option("--init", help="keep the other entries, or draw them anew: kaiming.")] = None,
    leftover: Annotated[
        str | None, typer.Option("--leftover", help="keep, or freeze what else bears a freedom, such as biases.")
    ] = None,
    pin: Annotated[list[str] | None, typer.Option("--pin", help="Pattern of vectors to freeze as a whole. Repeatable.")] = None,
    functional: Annotated[
        str | None, typer.Option("--functional", help="error, or leave activations that are called as functions.")
    ] = None,
    train: TrainOption = False,
    seed: SeedOption = 0,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Break the symmetries of an architecture: freeze entries of weights, or let activations mix their channels.

    Example:
        parasym break a.safetensors --model net.py:build --input 8x3x32x32 --frozen 0.25 --std 2 -o broken.safetensors
    """

    def job() -> Outcome:
        how = method_of(
            method,
            named,
            {
                "frozen": amount("--frozen", frozen),
                "std": amount("--std", std),
                "unit": unit,
                "init": init,
                "leftover": leftover,
                "pin": tuple(pin) if pin else None,
                "functional": functional,
            },
            seed,
        )
        file = Written(output, force=force)
        ensure_one(inputs or [], data)
        return _break(checkpoint, model, inputs or [], data, how, file, train, seed)

    execute(job, as_json=as_json)


def _break(
    path: Path, spec: str, inputs: list[str], data: Path | None, how: AbstractBreaking, file: Written, train: bool, seed: int
) -> Outcome:
    loaded = load(spec, inputs=bool(inputs or data))
    if loaded.program is not None or spec.endswith(".pt2"):
        raise BadInputError(f"Model `{spec}` is exported, and its graph stays as it is: name the Python that makes the model.")
    made = {name: x.dtype for name, x in _tensors(loaded.model).items()}
    subject = load_subject(spec, inputs, data=data, seed=seed, train=train, loaded=loaded)
    ensure_values(subject)
    tell(subject.notes)
    (fitted,) = read_fitted([path], subject.model)
    run_model(subject)  # weights are told by types where the graph cannot be read: inputs that do not fit would not be noticed
    with torch.no_grad():
        for name, x in _tensors(subject.model).items():
            x.data = fitted.params[name].to(made[name])  # constants are drawn in the precision that the factory gives
    call = subject.call.like(model_params(subject.model))
    with working("Breaking"), blaming_inputs(replace(subject, call=call)), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with quiet_errors():
            broken = break_model(subject.model, how, call, generator=torch.Generator().manual_seed(seed))
    tell(dict.fromkeys(str(warning.message) for warning in said))
    state = {name: x for name, x in broken.model.state_dict().items() if isinstance(x, Tensor)}
    more = {name: x for name, x in state.items() if name not in fitted.dtypes}
    file.write(_with(fitted, more), state, verb="break", holds="yes")
    recipe = f"Its model: parasym.break_(model, parasym.breaking.recipe_of({str(file.path)!r})).model"
    answer = _answer(broken.report) | {"output": file.name}
    return Outcome("yes", answer, (Text(str(broken.report)), file.told, recipe))


def _tensors(model: Any) -> dict[str, Tensor]:
    """Return parameters and buffers themselves, by every name; nothing of a circuit, which is refused in a moment."""
    if not isinstance(model, nn.Module):
        return {}
    return dict([*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)])


def _with(fitted: Fitted, more: dict[str, Tensor]) -> Fitted:
    """Return a checkpoint with what the broken model has beside it: the recipe, and matrices of activations."""
    return replace(fitted, beside=more | fitted.beside)


def amount(option: str, given: Sequence[str] | None) -> float | dict[str, float] | None:
    """Return a number, or numbers by pattern.

    Args:
        option: Its name, for errors.
        given: What the user typed.

    Raises:
        BadInputError: If it is neither.

    Example:
        >>> amount("--frozen", ["8"]), amount("--frozen", ["head=0.5", "layers.*=8"])
        (8, {'head': 0.5, 'layers.*': 8})
    """
    if not given:
        return None
    parts = [text.rpartition("=") for text in given]
    if len(parts) > 1 and not all(pattern for pattern, _, _ in parts):
        raise BadInputError(f"Option {option} must be one number, or PATTERN=NUMBER each time, but is {', '.join(given)}.")
    numbers = [_number(option, text) for _, _, text in parts]
    if not parts[0][0]:
        return numbers[0]
    return {pattern: number for (pattern, _, _), number in zip(parts, numbers, strict=True)}


def _number(option: str, text: str) -> float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise BadInputError(f"Option {option} must be a number, or PATTERN=NUMBER, but has `{text}` for a number.")


def method_of(name: str, named: str | None, given: dict[str, Any], seed: int) -> AbstractBreaking:
    """Return the method that the options say.

    Args:
        name: In the table.
        named: A preset.
        given: Settings by name; ``None`` for those that the user left out.
        seed: Of the architecture.

    Raises:
        BadInputError: If there is no such method, or it has no such setting.
    """
    settings = {key: value for key, value in given.items() if value is not None} | {"seed": seed}
    if name not in METHODS:
        raise BadInputError(f"Method `{name}` is unknown. Known are {', '.join(METHODS)}.")
    kind: Any = METHODS[name]
    if named is not None:
        found = preset(named)
        if not isinstance(found, kind):
            raise BadInputError(f"Option --preset is for {type(found).__name__}, but --method is {name}.")
        return replace(found, **settings)
    own = {field.name for field in fields(kind)}
    wrong = [key for key in settings if key not in own]
    if wrong:
        known = ", ".join(f"--{key}" for key in given if key in own)
        raise BadInputError(f"Option --{wrong[0]} is not one of {name}. Its options are {known}.")
    return kind(**settings)


def _answer(report: BreakReport) -> dict[str, Any]:
    return {
        "method": report.method,
        "broken": [asdict(one) for one in report.broken],
        "left": [{"names": list(one.names), "reason": one.reason} for one in report.left],
        "symmetry": None if report.symmetry is None else json.loads(report.symmetry.to_json()),
        "parameters": report.parameters,
        "trained": report.trained,
        "frozen": report.frozen,
        "memory": report.memory,
        "seconds": report.seconds,
    }
