"""The option `--data`."""

from pathlib import Path
from typing import Annotated

import typer

from parasym.core import BadInputError
from parasym.functional.file import BATCH

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Inputs of the model: .pt, .npy, or named tensors in .safetensors or .npz (names of arguments, or numbers). "
        f"Runs on {BATCH} samples at once.",
    ),
]


def ensure_one(inputs: list[str], data: Path | None) -> None:
    """Check that inputs come from one place, where a command runs the model on one batch.

    Args:
        inputs: Shapes.
        data: A file.

    Raises:
        BadInputError: If both are given.
    """
    if inputs and data is not None:
        raise BadInputError(f"Options --input and --data both give inputs: leave one of them out (--data is `{data}`).")
