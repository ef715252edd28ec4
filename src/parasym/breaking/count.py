"""How much of a broken model is trained."""

import torch
from torch import Tensor, nn

from parasym.breaking.freeze import frozen_tensors
from parasym.core import BadInputError


def trainable_masks(model: nn.Module) -> dict[str, Tensor]:
    """Return for every parameter which entries are trained.

    Args:
        model: Any module, broken or not.

    Returns:
        Booleans by parameter name, in the shape of the parameters.

    Example:
        >>> from parasym.breaking import WAsymmetric, break_
        >>> broken = break_(nn.Linear(3, 2), WAsymmetric(frozen=1)).model
        >>> {name: int(mask.sum()) for name, mask in trainable_masks(broken).items()}
        {'weight': 4, 'bias': 2}
    """
    masks = {name: entries.mask for name, _, _, entries in frozen_tensors(model)}
    out = {n: torch.full(p.shape, p.requires_grad, device=p.device) for n, p in model.named_parameters()}
    return {n: x & masks[n].to(x.device) if n in masks else x for n, x in out.items()}


def trainable_count(model: nn.Module) -> int:
    """Return the number of entries that are trained: tied tensors count once, frozen entries not at all.

    Args:
        model: Any module, broken or not.

    Example:
        >>> from parasym.breaking import WAsymmetric, break_
        >>> model = nn.Linear(3, 2)
        >>> trainable_count(model), trainable_count(break_(model, WAsymmetric(frozen=1)).model)
        (8, 6)
    """
    frozen = {name: entries.count for name, _, _, entries in frozen_tensors(model)}
    return sum(p.numel() - frozen.get(name, 0) for name, p in model.named_parameters() if p.requires_grad)


def trainable_vector(model: nn.Module) -> Tensor:
    """Return all trained entries as one vector of length ``trainable_count(model)``, in the order of ``named_parameters``.

    Args:
        model: Any module, broken or not.

    Example:
        >>> from parasym.breaking import WAsymmetric, break_
        >>> trainable_vector(break_(nn.Linear(3, 2), WAsymmetric(frozen=1)).model).shape
        torch.Size([6])
    """
    masks = trainable_masks(model)
    parts = [p.detach()[masks[name]] for name, p in model.named_parameters()]
    return torch.cat(parts) if parts else torch.empty(0)


def load_trainable_vector_(model: nn.Module, vector: Tensor) -> None:
    """Write a vector made by ``trainable_vector`` into a model of the same architecture.

    Args:
        model: The module to write into.
        vector: Shape ``[trainable_count(model)]``.

    Raises:
        BadInputError: If the vector has another length.
    """
    masks = trainable_masks(model)
    sizes = [int(mask.sum()) for mask in masks.values()]
    if vector.shape != (sum(sizes),):
        raise BadInputError(f"Argument `vector` must have shape ({sum(sizes)},), but has {tuple(vector.shape)}.")
    with torch.no_grad():
        for (name, parameter), part in zip(model.named_parameters(), vector.split(sizes), strict=True):
            parameter[masks[name]] = part.to(parameter)
