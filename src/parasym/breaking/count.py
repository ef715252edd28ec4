"""How much of a broken model is trained."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from parasym.breaking.frozen_entries import FrozenEntries
from parasym.core import BadInputError


def trainable_masks(model: nn.Module) -> dict[str, Tensor]:
    """Return for every parameter which entries are trained.

    Args:
        model: Any module, broken or not.

    Returns:
        Booleans by parameter name, in the shape of the parameters.

    Example:
        >>> from parasym.breaking import WAsymmetric, break_
        >>> broken = break_(nn.Linear(3, 2), WAsymmetric(frozen=1))
        >>> {name: int(mask.sum()) for name, mask in trainable_masks(broken).items()}
        {'bias': 2, 'parametrizations.weight.original': 4}
    """
    out: dict[str, Tensor] = {}
    for name, parameter in model.named_parameters():
        owner = model.get_submodule(name.rpartition(".")[0])
        frozen = [p for p in owner if isinstance(p, FrozenEntries)] if isinstance(owner, parametrize.ParametrizationList) else []
        mask = torch.full(parameter.shape, parameter.requires_grad, device=parameter.device)
        for one in frozen:
            mask = mask & one.mask
        out[name] = mask
    return out


def trainable_count(model: nn.Module) -> int:
    """Return the number of entries that are trained: tied tensors count once, frozen entries not at all.

    Args:
        model: Any module, broken or not.

    Example:
        >>> from parasym.breaking import WAsymmetric, break_
        >>> model = nn.Linear(3, 2)
        >>> trainable_count(model), trainable_count(break_(model, WAsymmetric(frozen=1)))
        (8, 6)
    """
    return sum(int(mask.sum()) for mask in trainable_masks(model).values())


def trainable_vector(model: nn.Module) -> Tensor:
    """Return all trained entries as one vector of length ``trainable_count(model)``, in the order of ``named_parameters``.

    Args:
        model: Any module, broken or not.

    Example:
        >>> from parasym.breaking import WAsymmetric, break_
        >>> trainable_vector(break_(nn.Linear(3, 2), WAsymmetric(frozen=1))).shape
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
