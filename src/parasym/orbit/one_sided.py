"""Scales that only the running variance of a normalization absorbs."""

from parasym.orbit.gauge import stores_variance
from parasym.symmetry import Symmetry


def without_variance_scales(symmetry: Symmetry) -> Symmetry:
    """Return the symmetry without the scales that a stored running variance absorbs.

    Between networks that are not copies of each other, such a scale has no best value: the distance of the weights falls as they
    shrink to nothing, and the variance, which is not counted, follows them below zero.

    Args:
        symmetry: Any symmetry.
    """
    return symmetry.without(*(f.id for f in symmetry.factors if stores_variance(f)))
