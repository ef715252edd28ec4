"""Back from a broken model to plain modules."""

from copy import deepcopy
from typing import Any

from torch import nn

from parasym.breaking.freeze import frozen_tensors, thaw_
from parasym.breaking.loading import erase_recipe_


def dense(model: nn.Module) -> nn.Module:
    """Return a model of plain modules with the same function: constants become ordinary numbers, which training would move.

    Activations that mix channels stay: there is no plain module of their function.

    Args:
        model: A broken model. It stays as it is.

    Example:
        >>> import torch
        >>> from parasym.breaking import WAsymmetric, break_
        >>> broken = break_(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)), WAsymmetric(frozen=2)).model
        >>> plain, x = dense(broken), torch.randn(6, 4)
        >>> type(plain[0]), list(plain.state_dict()), torch.equal(plain(x), broken(x))
        (<class 'torch.nn.modules.linear.Linear'>, ['0.weight', '0.bias', '2.weight', '2.bias'], True)
    """
    plain: Any = deepcopy(model)
    for module, tensor in dict.fromkeys((module, tensor) for _, module, tensor, _ in frozen_tensors(plain)):
        thaw_(module, tensor)
    erase_recipe_(plain)
    return plain
