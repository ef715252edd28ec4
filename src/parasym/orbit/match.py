"""``match``: the element that brings one model closest to another."""

from dataclasses import dataclass, replace

import torch

from parasym.core import Params
from parasym.core.arguments import Model
from parasym.orbit.alignment import Alignment
from parasym.orbit.block import blocks_of
from parasym.orbit.capable import ensure_matchable
from parasym.orbit.conditioning import ill_notes, vanished_gains
from parasym.orbit.descent import descend
from parasym.orbit.exchange import closest
from parasym.orbit.fit import fit_continuous
from parasym.orbit.gauge import in_gauge, of_variances, undetermined, unsettled
from parasym.orbit.inputs import counting, given_models, working
from parasym.orbit.intertwine import fit_maps
from parasym.orbit.method import AbstractMethod
from parasym.orbit.normal_form import normal_form
from parasym.orbit.objective import STATISTICS, gap, norm
from parasym.orbit.result import Match
from parasym.orbit.translation import fit_translations, settle, settling_moves
from parasym.orbit.weight import WeightMatching
from parasym.symmetry import Element, Symmetry

SAME = 1e-9
"""Relative distance below which two models are one, in any precision: what comes after balancing does not improve on it."""

NEAR = 8
"""Multiples of that up to which nothing needs an explanation."""

SWEEPS = 100
"""Bound on the passes of the descent from where ``b`` is."""


def match(
    symmetry: Symmetry,
    a: Model,
    b: Model,
    *,
    method: AbstractMethod = WeightMatching(),
    generator: torch.Generator | None = None,
) -> Match:
    r"""Return the element that brings ``b`` closest to ``a``: :math:`\operatorname{argmin}_g \|a - g b\|`.

    Both models are taken to the balanced gauge, where the rest of the group is isometric and the ``method`` aligns it; then
    scales, invertible maps and translations are fitted to ``a`` as it is. The minimum is a local one, but with
    :class:`WeightMatching` never farther from ``a`` than ``b`` was. The norm counts every floating-point tensor
    but the running statistics of normalization layers, and no entry that is not trained. A scale that only a stored running
    variance absorbs gives ``b`` the variance of ``a``: the norm would let it shrink to nothing.

    Args:
        symmetry: The symmetry of their architecture.
        a: The target: parameters and buffers by name, or the module that has them.
        b: The model to move, with the same names, shapes, dtypes and device.
        method: How to align them.
        generator: Source of randomness, on the CPU; only methods with restarts use it.

    Returns:
        The element, ``b`` as moved, and the distances before and after. ``symmetry.act(match, b)`` acts with the element.

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
        >>> found = match(symmetry, a, b)
        >>> print(f"{found.before:.2f} {found.after:.2f} {(a['0.weight'] - found.params['0.weight']).norm():.2f}")
        2.69 0.00 0.00
    """
    first, second = given_models(symmetry, (a, b), ("a", "b"), "match(symmetry, a, b)")
    ensure_matchable(symmetry, "match")
    a, b = (counting(symmetry, x) for x in (first, second))
    pair = Pair(working(a, list(a)), working(b, list(b)), method, generator, _rounding(a) * norm(a))
    found = _matched(symmetry, pair)
    params = found.element.exactly(second)
    before, after = gap(a, b), gap(a, counting(symmetry, params))
    notes: tuple[str, ...] = ()
    if after > NEAR * pair.near:
        notes = (
            *unsettled({"a or b": found.residual}),
            *ill_notes(symmetry, {"a": a, "b": b}),
            *_undetermined(symmetry, a),
            *vanished_gains(symmetry, a),
        )
    return Match(found.element, params, before, after, not notes, (*notes, *found.notes))


@dataclass(frozen=True)
class Pair:
    """What is to be matched, and how.

    Attributes:
        a: The target.
        b: What is moved.
        method: How to align them.
        generator: Source of randomness, on the CPU.
        near: Distance below which the two are one up to rounding.
    """

    a: Params
    b: Params
    method: AbstractMethod
    generator: torch.Generator | None
    near: float


@dataclass(frozen=True)
class Found:
    """How two models were matched.

    Attributes:
        element: What brings ``b`` to ``a``.
        residual: How far from the gauge the models were.
        notes: What the method could not see.
    """

    element: Element
    residual: float
    notes: tuple[str, ...]


def _matched(symmetry: Symmetry, pair: Pair) -> Found:
    """Return the element that brings ``b`` closest to ``a``; where the gauge misleads, one that only ever descends."""
    if not any(f.group.continuous for f in symmetry.factors):
        first, then = closest(symmetry, pair.a, pair.b, pair.method, pair.generator)
        return Found(normal_form(symmetry, then.element) @ first, 0.0, then.notes)
    found = _aligned(symmetry, pair)
    if not pair.method.descends or gap(pair.a, found.element(pair.b)) <= gap(pair.a, pair.b):
        return found
    state = Alignment(symmetry, blocks_of(symmetry, STATISTICS), pair.a, pair.b)
    descend(state, max_sweeps=SWEEPS)
    return replace(found, element=_fitted(symmetry, pair, normal_form(symmetry, state.element())))


def _aligned(symmetry: Symmetry, pair: Pair) -> Found:
    """Return the element that brings ``b`` closest to ``a`` in the balanced gauge, fitted to ``a`` as it is."""
    left, right = (in_gauge(symmetry, x) for x in (pair.a, pair.b))
    first, then = closest(symmetry, left.params, right.params, pair.method, pair.generator)
    if first.moves:  # branches change places first: their freedoms go along
        pair = replace(pair, b=first(pair.b))
        right = in_gauge(symmetry, pair.b)
    element = normal_form(
        symmetry, Element(symmetry, (*right.moves, *then.element.moves, *(~Element(symmetry, left.moves)).moves))
    )
    return Found(_fitted(symmetry, pair, element) @ first, max(left.residual, right.residual), then.notes)


def _fitted(symmetry: Symmetry, pair: Pair, element: Element) -> Element:
    """Return the element followed by the translations, scales and invertible maps that bring ``b`` to ``a`` as it is."""
    a, near = pair.a, element(pair.b)
    settling = Element(symmetry, settling_moves(symmetry, a))
    settled = Element(symmetry, settling_moves(symmetry, near)) @ element
    there = ~settling @ settled
    if gap(a, there(pair.b)) <= pair.near:
        return normal_form(symmetry, there)
    target, moved = settling(a), settle(symmetry, near)
    maps = fit_maps(symmetry, target, moved, undetermined(symmetry, target))
    fixed = [factor.id for factor, _ in of_variances(symmetry)]
    fitted, _ = fit_continuous(symmetry.without(*fixed), target, maps(moved))
    element = normal_form(symmetry, Element(symmetry, (*element.moves, *maps.moves, *fitted)))
    shifts, _ = fit_translations(symmetry, a, element(pair.b))
    # Where `a` is badly conditioned least squares lose the digits that the way by the settled points keeps.
    ways = (Element(symmetry, (*element.moves, *shifts)), ~settling @ Element(symmetry, (*maps.moves, *fitted)) @ settled)
    return normal_form(symmetry, min(ways, key=lambda way: gap(a, way(pair.b))))


def _undetermined(symmetry: Symmetry, params: Params) -> tuple[str, ...]:
    """Return the linear wires of which the gauge does not determine the map."""
    found = undetermined(symmetry, {n: x.double() if x.is_floating_point() else x for n, x in settle(symmetry, params).items()})
    return tuple(
        f"wire `{f.wire.name}` is wider than what passes through it: of the maps that could act on it one was fitted, and others "
        "may come closer"
        for f in found
    )


def _rounding(params: Params) -> float:
    """Return the relative distance below which two models are one up to rounding."""
    return max([SAME, *(torch.finfo(x.dtype).eps / 2 for x in params.values() if x.is_floating_point())])
