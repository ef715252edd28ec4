"""What a tensor of a checkpoint must be, whatever file it came from."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parasym.checkpoint.names import some_names
from parasym.checkpoint.rebuild import Foreign
from parasym.core import CheckpointError, Params

REMEDIES = {
    "sparse": "Save it as a dense one, with `.to_dense()`",
    "quantized": "Save the checkpoint from before quantization, or its `.dequantize()`",
    "nested": "Save its parts one by one",
    "meta": "It was saved before its numbers were loaded: load them first",
}


def has_tensors(content: Any) -> bool:
    """Return whether something is a dictionary with tensors, good or not, among its values.

    Args:
        content: What a file holds.
    """
    return isinstance(content, Mapping) and any(_is_tensor(value) for value in content.values())


def plain_tensors(content: Mapping[Any, Any]) -> tuple[Params, tuple[str, ...]]:
    """Return the tensors of a dictionary, each dense and on the CPU, and notes on what was left out.

    Args:
        content: What a file holds.

    Raises:
        CheckpointError: If a name is no text, or a tensor is sparse, quantized, nested, or has no numbers.

    Example:
        >>> plain_tensors({0: torch.ones(1)})
        Traceback (most recent call last):
        parasym.core.error.CheckpointError: names must be texts, but `0` is an int. ...
    """
    params: Params = {}
    left = []
    arrays = 0
    for name, value in content.items():
        if not _is_tensor(value):
            left.append(name)
            continue
        if not isinstance(name, str):
            raise CheckpointError(
                f"names must be texts, but `{name}` is an {type(name).__name__}. Save `model.state_dict()`, which has texts."
            )
        arrays += isinstance(value, np.ndarray)
        params[name] = _dense(name, torch.from_numpy(value) if isinstance(value, np.ndarray) else value)
    notes = (f"{arrays} arrays of numpy read as tensors",) if arrays else ()
    if left:
        notes += (f"{len(left)} entries that are not tensors left out: {some_names(left)}",)
    return params, notes


def describe(value: Any) -> str:
    """Return what something is, in a few words.

    Args:
        value: Anything that a file holds.

    Example:
        >>> describe({"a": torch.ones(2), "b": 3}), describe(3), describe(Foreign("argparse.Namespace"))
        ('1 tensors', 'int', 'argparse.Namespace')
    """
    if isinstance(value, Foreign):
        return value.what
    if has_tensors(value):
        return f"{sum(map(_is_tensor, value.values()))} tensors"
    return type(value).__name__


def _is_tensor(value: Any) -> bool:
    if isinstance(value, Foreign):
        return value.tensor
    return isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.dtype.kind in "biufc")


def _dense(name: str, value: Tensor | Foreign) -> Tensor:
    what = value.what if isinstance(value, Foreign) else _oddity(value)
    if isinstance(value, Foreign) or what:
        remedy = next((text for word, text in REMEDIES.items() if word in what), "Save it as a plain tensor")
        raise CheckpointError(f"`{name}` must be a dense tensor on the CPU, but is {what}. {remedy}.")
    return value.detach()


def _oddity(value: Tensor) -> str:
    if value.is_meta:
        return "a tensor without numbers, of the meta device"
    if value.is_quantized:
        return "a quantized tensor"
    return "" if value.layout is torch.strided and type(value) in {Tensor, torch.nn.Parameter} else f"a {value.layout} tensor"
