"""Parameters as plain dictionaries from name to tensor."""

import torch
from torch import Tensor, nn

Params = dict[str, Tensor]


def model_params(model: nn.Module) -> Params:
    """Return every parameter and buffer of ``model`` by name, detached and not copied.

    A tied parameter appears under each of its names, as in ``state_dict``. Buffers that
    are not persistent are included: a symmetry may have to move them.

    Args:
        model: Any module.

    Returns:
        A new dictionary; its tensors share memory with the model.

    Example:
        >>> from torch import nn
        >>> {k: tuple(v.shape) for k, v in model_params(nn.BatchNorm1d(2)).items()}
        {'weight': (2,), 'bias': (2,), 'running_mean': (2,), 'running_var': (2,), 'num_batches_tracked': ()}
    """
    params = {k: v.detach() for k, v in model.named_parameters(remove_duplicate=False)}
    params |= {k: v.detach() for k, v in model.named_buffers(remove_duplicate=False)}
    return params


def float_buffers(model: nn.Module) -> Params:
    """Return the floating-point buffers of ``model`` by name.

    Args:
        model: Any module.

    Returns:
        A new dictionary; its tensors share memory with the model.
    """
    return {k: v.detach() for k, v in model.named_buffers(remove_duplicate=False) if torch.is_floating_point(v)}


def first_names(model: nn.Module) -> dict[str, str]:
    """Return for every parameter and buffer the first name under which the same tensor is registered.

    Args:
        model: Any module.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        >>> model[1].weight = model[0].weight
        >>> first_names(model)
        {'0.weight': '0.weight', '0.bias': '0.bias', '1.weight': '0.weight', '1.bias': '1.bias'}
    """
    first: dict[int, str] = {}
    named = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    return {name: first.setdefault(id(tensor), name) for name, tensor in named}
