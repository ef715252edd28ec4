"""``match``: the element that brings one model closest to another."""

import torch

from parasym.core import Params
from parasym.orbit.capable import ensure_matchable
from parasym.orbit.exchange import has_exchanges, matching_moves
from parasym.orbit.fit import fit_continuous
from parasym.orbit.gauge import balance
from parasym.orbit.inputs import check_models, working
from parasym.orbit.method import AbstractMethod
from parasym.orbit.normal_form import normal_form
from parasym.orbit.objective import gap
from parasym.orbit.one_sided import COPY, LARGE, alike, norm, without_variance_scales
from parasym.orbit.translation import fit_translations, settle
from parasym.orbit.weight import WeightMatching
from parasym.symmetry import Element, Symmetry

MATCH_TOLERANCE = 1e-6
"""Largest logarithm of a scale at which balancing stops before matching: it only prepares the inner products."""


def match(
    symmetry: Symmetry,
    a: Params,
    b: Params,
    *,
    method: AbstractMethod = WeightMatching(),
    generator: torch.Generator | None = None,
) -> Element:
    r"""Return the element that brings ``b`` closest to ``a``: :math:`\operatorname{argmin}_g \|a - g b\|`.

    Both models are taken to the balanced gauge, where the rest of the group is isometric and the ``method`` aligns it; then
    scales, invertible maps and translations are fitted to ``a`` as it is. The minimum is a local one, but with
    :class:`WeightMatching` never farther from ``a`` than ``b`` was. The norm counts every floating-point tensor
    but the running statistics of normalization layers. Scales that only a stored running variance absorbs are
    used to recognize copies of one network; between different networks they are left alone.

    Args:
        symmetry: The symmetry of their architecture.
        a: The target: parameters and buffers by name.
        b: The model to move, with the same names, shapes, dtypes and device.
        method: How to align them.
        generator: Source of randomness, on the CPU; only methods with restarts use it.

    Returns:
        An element for ``symmetry.act(element, b)``.

    Raises:
        SymmetryError: If a group cannot do what this takes (see :class:`parasym.groups.AbstractGroup`).
        BadInputError: If the two do not fit the symmetry or each other, or hold NaN or infinite values.

    Example:
        >>> from torch import nn
        >>> from parasym.core import model_params
        >>> from parasym.find import find
        >>> generator = torch.manual_seed(0)
        >>> net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).double()
        >>> symmetry, a = find(net, (torch.zeros(1, 4).double(),)), model_params(net)
        >>> b = symmetry.act(symmetry.sample(generator=generator), a)  # the same function elsewhere
        >>> moved = symmetry.act(match(symmetry, a, b), b)
        >>> print(f"{(a['0.weight'] - b['0.weight']).norm():.2f} {(a['0.weight'] - moved['0.weight']).norm():.2f}")
        1.45 0.00
    """
    ensure_matchable(symmetry, "match")
    check_models(symmetry, [a, b])
    given = a
    a, b = working(a, list(a)), working(b, list(b))
    smaller = without_variance_scales(symmetry)
    if len(smaller.factors) == len(symmetry.factors):
        return _matched(symmetry, a, b, method, generator)
    near, plain = COPY * norm(given), None
    if sum(x.numel() for x in a.values()) > LARGE:
        plain = _matched(smaller, a, b, method, generator)
        if not alike(symmetry, a, plain(b)):
            return Element(symmetry, plain.moves)
    element = _matched(symmetry, a, b, method, generator)
    if gap(a, element(b)) <= near:
        return element
    return Element(symmetry, (plain or _matched(smaller, a, b, method, generator)).moves)


def _matched(symmetry: Symmetry, a: Params, b: Params, method: AbstractMethod, generator: torch.Generator | None) -> Element:
    """Return the better of two elements: with whole branches where they are, and with branches matched first."""
    element = _aligned(symmetry, a, b, method, generator)
    if has_exchanges(symmetry):
        left, right = (balance(symmetry, settle(symmetry, x), tolerance=MATCH_TOLERANCE, max_steps=100).params for x in (a, b))
        first = Element(symmetry, tuple(matching_moves(symmetry, left, right)))
        then = _aligned(symmetry, a, first(b), method, generator)
        other = Element(symmetry, (*first.moves, *then.moves))
        if gap(a, other(b)) < gap(a, element(b)):
            return other
    return element


def _aligned(symmetry: Symmetry, a: Params, b: Params, method: AbstractMethod, generator: torch.Generator | None) -> Element:
    """Return the element that brings ``b`` closest to ``a`` with whole branches where they are."""
    if not any(f.group.continuous for f in symmetry.factors):
        return normal_form(symmetry, method.align(symmetry, a, b, generator=generator))
    settled_a, settled_b = settle(symmetry, a), settle(symmetry, b)
    left, right = (balance(symmetry, x, tolerance=MATCH_TOLERANCE, max_steps=100) for x in (settled_a, settled_b))
    aligned = method.align(symmetry, left.params, right.params, generator=generator)
    back = ~Element(symmetry, left.moves)
    element = normal_form(symmetry, Element(symmetry, (*right.moves, *aligned.moves, *back.moves)))
    fitted, _ = fit_continuous(symmetry, settled_a, element(settled_b))
    element = normal_form(symmetry, Element(symmetry, (*element.moves, *fitted)))
    shifts, moved = fit_translations(symmetry, a, element(b))
    element = normal_form(symmetry, Element(symmetry, (*element.moves, *shifts)))
    if method.descends and gap(a, moved) > gap(a, b):
        return Element(symmetry)
    return element
