"""How far an element of a symmetry moves the outputs, and the parameters."""

import torch
from torch import Tensor, nn

from parasym.core import Params
from parasym.symmetry import Factor, Symmetry
from tests.zoo.jacobian import outputs


def relative_error(model: nn.Module, params: Params, moved: Params, args: tuple[Tensor, ...]) -> float:
    """Return the largest change of an output, relative to the largest output."""
    before, after = outputs(model, params, args), outputs(model, moved, args)
    return float((after - before).abs().max() / before.abs().max())


def factor_errors(
    model: nn.Module, symmetry: Symmetry, params: Params, args: tuple[Tensor, ...], *, generator: torch.Generator
) -> list[tuple[Factor, float, float]]:
    """Return every factor with the error of a random element and how far it moved the parameters."""
    found = []
    for index, factor in enumerate(symmetry.factors):
        element = symmetry.sample(generator=generator, only=(index,))
        while _is_identity(factor, element.moves[0].value):
            element = symmetry.sample(generator=generator, only=(index,))
        moved = symmetry.act(element, params)
        way = max(float((moved[name] - params[name]).abs().max()) for name in factor.tensors)
        found.append((factor, relative_error(model, params, moved, args), way))
    return found


def _is_identity(factor: Factor, value: Tensor) -> bool:
    return torch.equal(value, factor.group.identity(factor.batch, dtype=torch.float64))
