"""``distance``: the norm modulo the group."""

import torch

from parasym.core import Params
from parasym.orbit.match import match
from parasym.orbit.method import AbstractMethod
from parasym.orbit.objective import gap
from parasym.orbit.weight import WeightMatching
from parasym.symmetry import Symmetry


def distance(
    symmetry: Symmetry,
    a: Params,
    b: Params,
    *,
    method: AbstractMethod = WeightMatching(),
    generator: torch.Generator | None = None,
) -> float:
    r"""Return :math:`\min_g \|a - g b\|` as far as ``method`` finds it: an upper bound of the norm modulo the group.

    Args:
        symmetry: The symmetry of their architecture.
        a: The target: parameters and buffers by name.
        b: The model to move.
        method: How to align them.
        generator: Source of randomness, on the CPU; only methods with restarts use it.

    Raises:
        BadInputError: If the two do not fit the symmetry or each other.
    """
    element = match(symmetry, a, b, method=method, generator=generator)
    return gap(a, symmetry.act(element, b))
