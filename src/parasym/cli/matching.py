"""The methods of matching as an option."""

from typing import Annotated

import typer

from parasym.cli.subject import Subject
from parasym.core import BadInputError
from parasym.orbit import METHODS, AbstractMethod

MethodOption = Annotated[
    str,
    typer.Option(
        "--method",
        metavar=f"[{'|'.join(METHODS)}]",
        help="What is compared: weights, or activations on --data.",
    ),
]


def named_method(name: str, subject: Subject) -> AbstractMethod:
    """Return a method of matching by its name in the table.

    Args:
        name: What the user typed.
        subject: The model, with batches of inputs if there are any.

    Raises:
        BadInputError: If there is no such method, or it needs data and there is none.
    """
    if name not in METHODS:
        raise BadInputError(f"Method `{name}` is unknown. Known are {', '.join(METHODS)}.")
    return METHODS[name].on(subject.model, subject.data)
