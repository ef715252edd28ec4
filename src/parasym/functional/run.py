"""A model run at given parameters, with nothing of it changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from parasym.core import BadInputError, Params, first_names
from parasym.functional.call import Call
from parasym.functional.snapshot import forgotten


@torch.no_grad()
def run(model: nn.Module, params: Params, call: Call) -> Any:
    """Return what ``model`` returns at ``params``, without gradients.

    Buffers are copied first, so neither the model nor ``params`` is written to: not the statistics of a BatchNorm in train mode,
    not the counters of quantizers. What the model's code makes of these parameters and keeps is forgotten afterwards.

    Args:
        model: Any module, in the mode in which it is meant.
        params: Parameters and buffers by name; those left out keep the values of the model.
        call: Its arguments.

    Raises:
        BadInputError: If the model does not run on them.
    """
    given = untied(model, params)
    buffers = {name: given.get(name, x).clone() for name, x in model.named_buffers()}
    with running(model, call), forgotten(model):
        return torch.func.functional_call(model, {**given, **buffers}, call.args, dict(call.kwargs))


@contextmanager
def running(
    model: object, call: Call, remedy: str = "Give inputs of the shapes and types that its forward expects."
) -> Iterator[None]:
    """Turn whatever a model raises into one line with its inputs.

    Args:
        model: The model that the body runs, or what to call it.
        call: Its arguments.
        remedy: What to do about it.

    Yields:
        Nothing.

    Raises:
        BadInputError: If the body fails.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (BadInputError, torch.OutOfMemoryError, MemoryError)):
            raise
        lines = str(error).strip().splitlines() or ["no message"]
        name = model if isinstance(model, str) else type(model).__name__
        labels = f" (taken for labels and left out: {Call(call.labels)})" if call.labels else ""
        raise BadInputError(
            f"{name} does not run on the input {call}{labels}: {type(error).__name__}: {lines[0].rstrip('.')}. {remedy}"
        ) from error


def untied(model: nn.Module, params: Params) -> Params:
    """Return ``params`` with the first name of every tied tensor only, which is what ``functional_call`` takes for all of them.

    Args:
        model: Any module.
        params: Parameters and buffers by name; if tied names differ, the first one counts.
    """
    first = first_names(model)
    return {first.get(name, name): value for name, value in reversed(params.items())}
