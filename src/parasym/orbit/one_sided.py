"""Scales that only the running variance of a normalization absorbs."""

import torch

from parasym.core import Params
from parasym.orbit.objective import STATISTICS, counted
from parasym.symmetry import Binding, Factor, Symmetry

COPY = 0.25
"""Two models count as (noisy) copies of each other if matching brings them this close, relative to their norm."""

SAME_WAY = 0.7
"""Cosine from which on two channels count as the same up to a scale."""

LARGE = 1_000_000
"""Number of parameters from which on the fit of these scales is only tried on models that look like copies."""


def without_variance_scales(symmetry: Symmetry) -> Symmetry:
    """Return the symmetry without the scales that a stored running variance absorbs.

    Between networks that are not copies of each other, such a scale has no best value: the distance of the weights falls as they
    shrink to nothing, and the variance, which is not counted, follows them below zero.

    Args:
        symmetry: Any symmetry.
    """
    return symmetry.without(*(f.id for f in symmetry.factors if _scales_variance(f)))


def alike(symmetry: Symmetry, a: Params, b: Params) -> bool:
    """Return whether most channels that a running variance could rescale point the same way in two models.

    Copies that differ by such scales agree in direction once their other freedoms are matched; different networks do not.

    Args:
        symmetry: The whole symmetry.
        a: One model.
        b: The other, matched without these scales.
    """
    names = set(counted(a, STATISTICS))
    cosines = []
    for factor in symmetry.factors:
        bindings = [x for x in factor.bindings if isinstance(x, Binding) and x.tensor in names and x.slot is not None]
        if not _scales_variance(factor) or not any(a[x.tensor].ndim > 1 for x in bindings):
            continue
        for x in bindings:
            if a[x.tensor].ndim > 1:
                one, two = (x.gather(p[x.tensor]).double().flatten(0, -2) for p in (a, b))
                cosines.append(torch.nn.functional.cosine_similarity(one, two, dim=0).flatten())
    return not cosines or float(torch.cat(cosines).median()) > SAME_WAY


def norm(params: Params) -> float:
    """Return the norm of all counted tensors; integers, such as a count of batches, have no size.

    Args:
        params: Parameters by name, as the user gave them.
    """
    real = [params[name] for name in counted(params, STATISTICS)]
    return sum(float(torch.linalg.vector_norm(x, dtype=torch.float64)) ** 2 for x in real) ** 0.5


def _scales_variance(factor: Factor) -> bool:
    return factor.group.scales and any(name.endswith("running_var") for name in factor.tensors)
