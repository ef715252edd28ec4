"""The methods of matching, and the data they need, as options."""

from pathlib import Path
from typing import Annotated

import typer
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from parasym.checkpoint.names import some_names
from parasym.cli.subject import Subject
from parasym.core import BadInputError
from parasym.orbit import METHODS, AbstractMethod

BATCH = 256
"""Samples that the model is run on at once."""


MethodOption = Annotated[
    str,
    typer.Option(
        "--method",
        metavar=f"[{'|'.join(METHODS)}]",
        help="What is compared: weights, or activations on --data.",
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Inputs of the model: a safetensors file with one tensor."),
]


def read_data(path: Path, subject: Subject) -> list[Tensor]:
    """Return batches of the model's first argument from a safetensors file with one tensor.

    Args:
        path: The file.
        subject: The model that they are for.

    Raises:
        BadInputError: If the file cannot be read, or does not hold exactly one tensor with samples along its first axis.
    """
    if path.suffix != ".safetensors":
        raise BadInputError(
            f"Data `{path}` must be a safetensors file. Write it with safetensors.torch.save_file({{'x': inputs}}, ...)."
        )
    try:
        tensors = load_file(path, device="cpu")
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInputError(f"Data `{path}` cannot be read: {str(error).splitlines()[0]}.") from error
    if len(tensors) != 1:
        raise BadInputError(
            f"Data `{path}` must hold one tensor, the inputs of the model, but holds {some_names(list(tensors)) or 'none'}."
        )
    (value,) = tensors.values()
    if value.ndim == 0 or len(value) == 0:
        raise BadInputError(f"Data `{path}` must hold samples along the first axis, but has shape {tuple(value.shape)}.")
    if value.is_floating_point():
        value = value.to(next((p.dtype for p in subject.model.parameters() if p.is_floating_point()), value.dtype))
    return list(value.to(subject.device).split(BATCH))


def named_method(name: str, subject: Subject, data: list[Tensor] | None) -> AbstractMethod:
    """Return a method of matching by its name in the table.

    Args:
        name: What the user typed.
        subject: The model.
        data: Batches of inputs, if there are any.

    Raises:
        BadInputError: If there is no such method, or it needs data and there is none.
    """
    if name not in METHODS:
        raise BadInputError(f"Method `{name}` is unknown. Known are {', '.join(METHODS)}.")
    return METHODS[name].on(subject.model, data)
