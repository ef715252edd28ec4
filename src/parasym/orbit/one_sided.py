"""Scales that only the running variance of a normalization absorbs."""

from dataclasses import replace

from parasym.core import Params
from parasym.groups import PositiveScaling
from parasym.orbit.objective import STATISTICS, counted
from parasym.symmetry import Element, Factor, Move, Symmetry

COPY = 0.25
"""Two models count as (noisy) copies of each other if matching brings them this close, relative to their norm."""


def without_variance_scales(symmetry: Symmetry) -> Symmetry:
    """Return the symmetry without the scales that a stored running variance absorbs.

    Between networks that are not copies of each other, such a scale has no best value: the distance of the weights falls as they
    shrink to nothing, and the variance, which is not counted, follows them below zero.

    Args:
        symmetry: Any symmetry.
    """
    return replace(symmetry, factors=tuple(f for f in symmetry.factors if not _scales_variance(f)))


def back(symmetry: Symmetry, element: Element) -> Element:
    """Return an element of :func:`without_variance_scales` as an element of the whole symmetry.

    Args:
        symmetry: The whole symmetry.
        element: An element of the smaller one.
    """
    kept = [k for k, factor in enumerate(symmetry.factors) if not _scales_variance(factor)]
    return Element(tuple(Move(kept[move.factor], move.value) for move in element.moves))


def norm(params: Params) -> float:
    """Return the norm of all counted tensors; integers, such as a count of batches, have no size.

    Args:
        params: Parameters by name, as the user gave them.
    """
    real = [params[name].double() for name in counted(params, STATISTICS) if params[name].is_floating_point()]
    return sum(float(x.square().sum()) for x in real) ** 0.5


def _scales_variance(factor: Factor) -> bool:
    return isinstance(factor.group, PositiveScaling) and any(name.endswith("running_var") for name in factor.tensors)
