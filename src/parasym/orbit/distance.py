"""``distance``: the norm modulo the group."""

import torch

from parasym.core import Params
from parasym.orbit.capable import ensure_matchable
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
        SymmetryError: If a group cannot do what this takes (see :class:`parasym.groups.AbstractGroup`).
        BadInputError: If the two do not fit the symmetry or each other.

    Example:
        >>> from torch import nn
        >>> from parasym.core import model_params
        >>> from parasym.find import find
        >>> generator = torch.manual_seed(0)
        >>> net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).double()
        >>> symmetry, a = find(net, (torch.zeros(1, 4).double(),)), model_params(net)
        >>> b = symmetry.act(symmetry.sample(generator=generator), a)  # the same function elsewhere
        >>> print(f"{(a['0.weight'] - b['0.weight']).norm():.2f} {distance(symmetry, a, b):.2f}")
        1.45 0.00
    """
    ensure_matchable(symmetry, "distance")
    element = match(symmetry, a, b, method=method, generator=generator)
    return gap(a, symmetry.act(element, b))
