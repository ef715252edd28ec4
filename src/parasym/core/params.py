"""Parameters as plain dictionaries from name to tensor."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from parasym.core.error import BadInputError

Params = dict[str, Tensor]


def model_params(model: nn.Module) -> Params:
    """Return every parameter and buffer of ``model`` by name, detached and not copied.

    A tied parameter appears under each of its names, as in ``state_dict``. Buffers that
    are not persistent are included: a symmetry may have to move them.

    Args:
        model: Any module.

    Returns:
        A new dictionary; its tensors share memory with the model.

    Raises:
        BadInputError: If one has no shape yet, as in a lazy module.

    Example:
        >>> from torch import nn
        >>> {k: tuple(v.shape) for k, v in model_params(nn.BatchNorm1d(2)).items()}
        {'weight': (2,), 'bias': (2,), 'running_mean': (2,), 'running_var': (2,), 'num_batches_tracked': ()}
    """
    named = [*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False)]
    check_shaped(model, dict(named))
    return {name: x.detach() for name, x in named}


def check_shaped(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Check that parameters and buffers have shapes: those of a lazy module get them in its first call.

    Args:
        model: Their model.
        tensors: By name.

    Raises:
        BadInputError: If one has none.
    """
    for name, x in tensors.items():
        if is_lazy(x):
            raise BadInputError(
                f"{name} of {type(model).__name__} has no shape yet: a lazy module gets its parameters in its first call. "
                "Call the model once on example inputs."
            )


def check_computable(name: str, x: Tensor) -> Tensor:
    """Return a parameter, after a look at its type: with floating-point numbers of 8 bits torch does not compute.

    Args:
        name: Its name.
        x: The parameter.

    Raises:
        BadInputError: If it has such numbers.

    Example:
        >>> check_computable("w", torch.ones(2, dtype=torch.float8_e4m3fn))
        Traceback (most recent call last):
        parasym.core.error.BadInputError: `w` is stored in float8_e4m3fn, with which torch does not compute. ...
    """
    if x.is_floating_point() and x.dtype.itemsize == 1:
        raise BadInputError(
            f"`{name}` is stored in {str(x.dtype).removeprefix('torch.')}, with which torch does not compute. Cast it to "
            "bfloat16 or more first; rounded to 8 bits again, a moved model would compute something else."
        )
    return x


def float_buffers(model: nn.Module) -> Params:
    """Return the floating-point buffers of ``model`` by name.

    Args:
        model: Any module.

    Returns:
        A new dictionary; its tensors share memory with the model.
    """
    buffers = dict(model.named_buffers(remove_duplicate=False))
    check_shaped(model, buffers)
    return {k: v.detach() for k, v in buffers.items() if torch.is_floating_point(v)}


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
