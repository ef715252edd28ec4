"""Inputs of a model from a file: tensors by name or in order, as calls."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from parasym.checkpoint.names import some_names
from parasym.checkpoint.read import read_file
from parasym.checkpoint.rebuild import Foreign
from parasym.core import BadInputError, model_params
from parasym.functional.call import Call
from parasym.functional.reading import batch_call, check_call, example_call
from parasym.functional.signature import signature_of
from parasym.functional.tensors import tensors_in

BATCH = 256
"""Samples that the model is run on at once."""

NUMBERED = re.compile(r"^(?:args?|arr)?[._]?(\d+)$")
"""Names of positional arguments: `0`, `arg0`, `args.0`, and `arr_0` as numpy writes."""


@dataclass(frozen=True)
class FileInputs:
    """What a file with inputs holds.

    Attributes:
        batches: Calls of the model, of bounded size unless the file has batches of its own; each has its labels in
            ``Call.labels``.
        notes: Sentences for the user.
    """

    batches: list[Call]
    notes: tuple[str, ...]


def read_inputs(path: str | Path, model: nn.Module, *, size: int = BATCH) -> FileInputs:
    """Return the inputs in a file as calls of a model, on its device and in its precision.

    | the file holds | read as |
    | --- | --- |
    | one tensor (``.npy``, ``.pt``) | the first argument |
    | a tuple or list of tensors (``.pt``) | the arguments in order, the optional ones too, which is said |
    | one that begins with a tuple, list or dictionary (``.pt``) | arguments as that entry says; what follows are labels |
    | a longer one than ``forward`` takes (``.pt``) | the arguments that it requires; what follows are labels |
    | tensors by name (``.safetensors``, ``.npz``, ``.pt``) | arguments by these names, or in order if the names are numbers |
    | one tensor of any other name | the first argument |
    | a list of tuples, lists or dictionaries (``.pt``) | batches, each as above, left as they are |

    Nothing in the file is run. Arguments that share their first length are cut into batches along it; others, such as those of
    a graph, are one batch.

    Args:
        path: The file.
        model: The model that they are for.
        size: How many samples it is run on at once.

    Raises:
        CheckpointError: If the file cannot be read.
        BadInputError: If it holds something else, or what ``forward`` does not take.
    """
    path = Path(path)
    found = read_file(path, "Data")
    content = _plain(found.content)
    left = _foreign(content)
    if left:
        raise BadInputError(
            f"Data `{path}` must hold tensors in lists, tuples or dictionaries, but holds {some_names(left)}, which is left "
            "unbuilt. Save plain tensors, for example `torch.save(dict(batch), ...)`."
        )
    params = model_params(model)
    try:
        if not tensors_in(content):
            raise BadInputError(f"it must hold tensors, but holds a {type(content).__name__} without any.")
        given = [_call(part, model) for part in content] if _is_batches(content) else [_call(content, model)]
        calls = [call.like(params) for call in given]
        for call in calls:
            _check(call)
    except BadInputError as error:
        raise BadInputError(f"Data `{path}` does not fit the model: {error}") from error
    if len(calls) == 1 and not _is_batches(content) and calls[0].samples is not None:
        calls = _cut(calls[0], size)
    notes = tuple(f"{path}: {note}" for note in (*found.notes, *_remarks(given[0], model)))
    return FileInputs(calls, notes)


def _cut(call: Call, size: int) -> list[Call]:
    """Return parts of a call, each with its part of those labels that there is one of for every sample."""
    parts = call.split(size)
    if not call.labels:
        return parts
    columns = [
        x.split(size) if isinstance(x, Tensor) and x.ndim and len(x) == call.samples else (x,) * len(parts) for x in call.labels
    ]
    return [replace(part, labels=tuple(labels)) for part, *labels in zip(parts, *columns, strict=True)]


def _call(content: Any, model: nn.Module) -> Call:
    if isinstance(content, Mapping):
        return _named(dict(content), model)
    call = example_call(content, model=model)
    signature = signature_of(model)
    if isinstance(content, (tuple, list)) and signature is not None:
        nested = bool(content) and isinstance(content[0], (tuple, list, Mapping)) and bool(call.args)
        if nested or signature.complaint(call.args, call.kwargs):
            return batch_call(content, model)
    check_call(call, model)
    return call


def _named(content: dict[Any, Any], model: nn.Module) -> Call:
    """Return tensors by name as a call: names are those of arguments, or their numbers."""
    signature = signature_of(model)
    named = () if signature is None else signature.named
    numbers = {int(match[1]): name for name in content if name not in named and (match := NUMBERED.match(str(name)))}
    if len(content) == 1 and not numbers and not set(content) & set(named):
        call = Call(tuple(content.values()))
        check_call(call, model)
        return call
    if sorted(numbers) != list(range(len(numbers))):
        raise BadInputError(f"Arguments by number must be 0, 1, ... without a gap, but are {some_names(sorted(numbers))}.")
    args = tuple(content.pop(numbers[k]) for k in range(len(numbers)))
    if not args:
        return batch_call(content, model)
    call = Call(args, content)
    check_call(call, model)
    return call


def _plain(content: Any) -> Any:
    """Return a tree with its arrays as tensors."""
    if isinstance(content, np.ndarray):
        return torch.from_numpy(content)
    if isinstance(content, dict):
        return {name: _plain(x) for name, x in content.items()}
    return type(content)(map(_plain, content)) if type(content) in {list, tuple} else content


def _foreign(content: Any) -> list[str]:
    """Return the classes of what a pickle held and nobody built."""
    if isinstance(content, Foreign):
        return [content.what]
    parts = [*content, *content.values()] if isinstance(content, dict) else content if isinstance(content, (list, tuple)) else []
    return list(dict.fromkeys(name for part in parts for name in _foreign(part)))


def _is_batches(content: Any) -> bool:
    """Return whether a list is one of batches: no entry is a tensor, and it is no pair of arguments and keyword arguments."""
    if not isinstance(content, (list, tuple)) or not content or not all(isinstance(x, (tuple, list, Mapping)) for x in content):
        return False
    return len({isinstance(x, Mapping) for x in content}) == 1


def _check(call: Call) -> None:
    for x in call.tensors:
        if x.numel() == 0:
            raise BadInputError(f"it must hold samples along the first axis, but holds {call}.")
        if x.is_floating_point() and bool(x.isnan().any()):
            raise BadInputError(
                f"it must hold numbers, but {int(x.isnan().sum())} of a tensor of shape {tuple(x.shape)} are NaN."
            )


def _remarks(call: Call, model: nn.Module) -> tuple[str, ...]:
    notes = (f"taken for labels: {Call(call.labels)}",) if call.labels else ()
    signature = signature_of(model)
    optional = () if signature is None or signature.any_number else signature.positional[len(signature.required) : len(call.args)]
    if optional:
        names = some_names((signature.positional if signature else ())[: len(call.args)])
        notes += (f"read as {names}, in this order; if they are others, give them by name",)
    return notes
