"""Names of one tensor: what a file says of each of them, and how to take them apart."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import nn

from parasym.checkpoint.read import Checkpoint
from parasym.core import BadInputError, Params


@dataclass(frozen=True)
class Conflict:
    """Two names of one tensor of the model that have different values in a file.

    Attributes:
        name: The later name.
        first: The first name of the tensor in the model.
        difference: Largest absolute difference of two entries.
    """

    name: str
    first: str
    difference: float

    def __str__(self) -> str:
        return f"`{self.name}` and `{self.first}` are tied in the model but differ in the file (by {self.difference:#.2g})"


def tied_names(model: nn.Module) -> dict[str, str]:
    """Return every name of a tensor but its first, with the first.

    Names are tied if they are of one object, or of two with the same memory, shape and strides.

    Args:
        model: Any module.

    Example:
        >>> model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 5, bias=False))
        >>> model[1].weight = model[0].weight
        >>> tied_names(model)
        {'1.weight': '0.weight'}
    """
    firsts: dict[object, str] = {}
    named = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    first = {name: firsts.setdefault(_identity(value), name) for name, value in named}
    return {name: one for name, one in first.items() if name != one}


def conflicts(checkpoint: Checkpoint, tied: dict[str, str]) -> tuple[Conflict, ...]:
    """Return the tied names whose values in a file differ.

    Args:
        checkpoint: The file.
        tied: What :func:`tied_names` returned.
    """
    kept: Params = {}
    found = []
    origin: dict[str, str] = {}
    for name in sorted(checkpoint.params, key=lambda name: name in tied):
        first = tied.get(name, name)
        value = checkpoint.params[name]
        other = kept.setdefault(first, value)
        origin.setdefault(first, name)
        if other is not value and value.shape == other.shape:
            difference = _difference(value, other)
            if difference != 0:
                found.append(Conflict(name, origin[first], difference))
    return tuple(found)


def completed(checkpoint: Checkpoint, tied: dict[str, str], names: Iterable[str]) -> Checkpoint:
    """Return a checkpoint with names that are taken apart filled in from the other name of the same tensor.

    Args:
        checkpoint: The file.
        tied: What :func:`tied_names` returned of the model as it was.
        names: The names that are taken apart.
    """
    params, notes = dict(checkpoint.params), checkpoint.notes
    for name in names:
        family = {tied[name]} | {other for other, first in tied.items() if first == tied[name]}
        source = next((other for other in (tied[name], *sorted(family)) if other in params), None)
        if source is not None:
            for lacking in sorted(({name} | {tied[name]}) - params.keys()):
                params[lacking] = params[source].clone()
                notes += (f"`{lacking}` is not in the file and begins as `{source}`",)
    return replace(checkpoint, params=params, notes=notes)


def untie_(model: nn.Module, name: str) -> None:
    """Give one name of a tied tensor a tensor of its own, in place; a module that is shared under that name becomes a copy.

    Args:
        model: The model.
        name: A name of a parameter or buffer.

    Raises:
        BadInputError: If the model is an exported program, in whose graph both names are one tensor.
    """
    if isinstance(model, torch.fx.GraphModule):
        raise BadInputError(f"`{name}` cannot be untied in an exported program. Give the factory of the model instead.")
    *path, last = name.split(".")
    owner, first = model, _first_paths(model)
    tensors = {id(t): t for t in (*model.parameters(), *model.buffers())}
    for depth, part in enumerate(path):
        child = owner.get_submodule(part)
        here = ".".join(path[: depth + 1])
        if first.get(id(child), here) != here:
            child = copy.deepcopy(child, dict(tensors))  # everything else in it stays tied
            setattr(owner, part, child)
        owner = child
    value = getattr(owner, last)
    own = value.detach().clone()
    setattr(owner, last, nn.Parameter(own, requires_grad=value.requires_grad) if isinstance(value, nn.Parameter) else own)


def _first_paths(model: nn.Module) -> dict[int, str]:
    found: dict[int, str] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        found.setdefault(id(module), path)
    return found


def _identity(value: torch.Tensor) -> object:
    if value.is_meta or value.numel() == 0 or value.layout is not torch.strided:
        return id(value)
    return value.data_ptr(), tuple(value.shape), value.stride(), value.dtype


def _difference(a: torch.Tensor, b: torch.Tensor) -> float:
    if torch.equal(a, b):
        return 0.0
    kind = torch.complex128 if a.is_complex() or b.is_complex() else torch.float64
    return float((a.to(kind) - b.to(kind)).abs().max())
