"""The verb: a model without the symmetries of its architecture."""

from copy import deepcopy
from typing import Any

import torch
from torch import nn

from parasym.breaking.method import AbstractBreaking
from parasym.breaking.w_asymmetric import WAsymmetric
from parasym.core import BadInputError


def break_(
    model: nn.Module,
    method: AbstractBreaking | None = None,
    inputs: tuple[Any, ...] | torch.Tensor | None = None,
    *,
    generator: torch.Generator | None = None,
) -> nn.Module:
    r"""Return a copy of ``model`` whose architecture has fewer parameter symmetries, or none.

    :class:`WAsymmetric` replaces some entries of every weight by constants, :class:`SigmaAsymmetric` replaces every
    activation by one that mixes channels. Either way two hidden units are no longer interchangeable. What is really left
    is for ``find`` and ``verify`` to say: neither method can see freedoms that no weight of theirs bears.

    Two models that are to be compared, averaged or trained in one population must be broken by the *same* method with the
    *same* seed: what is frozen is part of the architecture. The function of the new model is another one than that of the
    given model, so break first and train then.

    Args:
        model: Any module. It is neither modified nor shared with the result.
        method: How to break; ``WAsymmetric()`` if ``None``.
        inputs: Example inputs, where the method has to run the model once; a lone tensor counts as one input.
        generator: Source of new initial weights, on the CPU, where the method asks for them; torch's own if ``None``.

    Returns:
        A new module with the same inputs and outputs.

    Raises:
        BadInputError: If the model has nothing to break, or cannot be broken as asked.

    Example:
        >>> from torch import nn
        >>> from parasym.find import find
        >>> model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
        >>> broken = break_(model, WAsymmetric(frozen=2, seed=0))
        >>> [find(m, (torch.zeros(2, 4),)).order for m in (model, broken)]
        [120, 1]
        >>> [find(m, (torch.zeros(2, 4),)).dimension for m in (model, broken)]
        [5, 0]

        Zeros pin no scale: frozen entries of standard deviation 0 leave the five scales of the ReLU.

        >>> find(break_(model, WAsymmetric(frozen=2, std=0.0)), (torch.zeros(2, 4),)).dimension
        5

    References:
        Lim, Putterman, Walters, Maron, Jegelka. The empirical impact of neural parameter symmetries, or lack
        thereof. NeurIPS 2024, https://arxiv.org/abs/2405.20231
    """
    if not isinstance(model, nn.Module):
        raise BadInputError(f"Argument `model` must be a torch.nn.Module, but is {type(model).__name__}.")
    method = WAsymmetric() if method is None else method
    if not isinstance(method, AbstractBreaking):
        raise BadInputError(
            f"Argument `method` must be a way to break, such as WAsymmetric() or SigmaAsymmetric(), but is {method!r}."
        )
    broken = deepcopy(model)
    method.apply(broken, (inputs,) if isinstance(inputs, torch.Tensor) else inputs, generator=generator)
    return broken
