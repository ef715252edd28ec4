"""Activation matching: wires aligned by what their channels compute on data."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from parasym.core import BadInputError, Params
from parasym.functional import Call, batches_of
from parasym.functional.reading import Data
from parasym.orbit.alignment import Alignment
from parasym.orbit.block import Block, blocks_of
from parasym.orbit.descent import descend, propagate
from parasym.orbit.exact import best_of_all, may_try_all, plan_of
from parasym.orbit.method import AbstractMethod, Aligned
from parasym.orbit.objective import STATISTICS
from parasym.orbit.sites import Products, Recorder, Site, binding_at, sites_of
from parasym.symmetry import Binding, Element, Factor, Move, Slot, Symmetry

_BY_WEIGHT = 1e-4
"""The share of weights in the inner products of a wire: what activations cannot tell apart (units that never fire, more channels
than samples, signs that no module shows) is decided by weights."""

_SWEEPS = 20

_SAME = 1e-9
"""Part of the largest value that there can be below which nothing is left to gain: the two are one up to rounding."""


@dataclass(frozen=True)
class View:
    """A wire in an activation.

    Attributes:
        site: The activation.
        binding: Where the wire is in it.
    """

    site: Site
    binding: Binding

    @property
    def place(self) -> tuple[str, Slot | None, tuple[Slot, ...]]:
        """The activation and the channels, without how they move."""
        return self.binding.tensor, self.binding.slot, self.binding.over


@dataclass(frozen=True, eq=False)
class ActivationMatching(AbstractMethod):
    r"""Align each wire by the correlations of its channels' activations over data.

    Compared are the outputs of modules whose parameters bear the wire on an axis of outputs, or else the inputs of modules that
    are fed by it; ``parasym.orbit.axes`` says for every type of module which axis that is. Inner products are replaced by
    :math:`C_{ij} = \operatorname{corr}(a_i, b_j)` for permutations, signs and phases and by covariances for rotations. What no
    activation tells apart is decided by weights, and so are wires that no module shows (parameters used by a function call,
    experts in one tensor): the notes of the result name them. Where a sign of whole tensors shows is found out by flipping it.

    Attributes:
        model: The model that both checkpoints belong to; its mode (train or eval) is kept.
        data: Batches, as :func:`parasym.functional.batch_call` reads them; they go to the device and precision of the parameters.
        max_batches: How many batches are used.
        ignore: Shell patterns of names that do not count where weights are used.

    References:
        Li et al. Convergent learning. ICLR 2016, https://arxiv.org/abs/1511.07543
        Ainsworth, Hayase, Srinivasa. Git Re-Basin. ICLR 2023, https://arxiv.org/abs/2209.04836
    """

    blind_spots: ClassVar[tuple[str, ...]] = (
        "Wires that no module shows (parameters used by a function call, experts in one tensor): aligned by weights.",
        "Units that are constant on the data, or compute the same as another one: told apart by weights.",
        "Gains show the order of channels and not their signs: signs that nothing else shows are found by weights.",
    )

    model: nn.Module
    data: Data = field(repr=False)
    max_batches: int = 16
    ignore: tuple[str, ...] = STATISTICS

    @classmethod
    def on(cls, model: nn.Module, data: Data | None) -> Self:  # noqa: D102
        if data is None:
            raise BadInputError("Activation matching needs inputs to run the models on: pass `data` (--data).")
        return cls(model, data)

    @property
    def descends(self) -> bool:  # noqa: D102
        return False

    def align(self, symmetry: Symmetry, a: Params, b: Params, *, generator: torch.Generator | None = None) -> Aligned:  # noqa: D102
        sites = sites_of(self.model)
        views = {factor.id: views_of(factor, sites) for factor in symmetry.factors}
        uniform = [f for f in symmetry.factors if f.group.flips and f.wire.size == 1 and not f.over]
        wanted = dict.fromkeys(view.site for group in views.values() for view in group)
        wanted |= dict.fromkeys(site for f in uniform for name in f.tensors for site in _exact(sites, name))
        recorder = Recorder(self.model, list(wanted))
        for k, call in enumerate(batches_of(self.data, self.model, limit=self.max_batches)):
            recorder.compare(a, b, call.like(a))
            if k == 0:
                views |= {f.id: _flipped_views(f, recorder, a, call.like(a)) for f in uniform}
        found = {name: products for name, products in recorder.found.items() if name not in recorder.apart}
        seen: dict[str, list[View]] = {factor: [] for factor in views}
        for block in blocks_of(symmetry, self.ignore):
            seen[block.factor] = chosen_views(block, views, found)
            for sign in block.signs:
                seen[sign] = [view for view in views[sign] if view.site.name in found]
        extended = [_extended(factor, seen[factor.id]) for factor in symmetry.factors]
        wider = replace(symmetry, factors=tuple(extended))
        blocks = blocks_of(wider, self.ignore)
        state = Alignment(wider, blocks, *_sides(symmetry, blocks, seen, found, a, b))
        element = _aligned(state, set(found))
        ids = {new.id: old.id for new, old in zip(extended, symmetry.factors, strict=True)}
        moves = tuple(Move(ids[move.factor], move.value) for move in element.moves)
        return Aligned(Element(symmetry, moves), _notes(state, set(found), recorder.apart))


def views_of(factor: Factor, sites: dict[tuple[str, int], list[Site]]) -> list[View]:
    """Return where the wire of a factor can be seen, each place once.

    Args:
        factor: Any factor; translations and exchanges are seen nowhere.
        sites: Where the axes of parameters are seen.
    """
    found: dict[Binding, View] = {}
    for binding in factor.bindings:
        if not isinstance(binding, Binding) or binding.slot is None or binding.power == 0:
            continue
        for site in sites.get((binding.tensor, binding.slot.axis), ()):
            at = binding_at(site, binding)
            if at is not None and (site.axis.exact or factor.group.permutes):
                found.setdefault(at, View(site, at))
    return list(found.values())


def _exact(sites: dict[tuple[str, int], list[Site]], tensor: str) -> list[Site]:
    return [site for (name, _), some in sites.items() if name == tensor for site in some if site.axis.exact]


def _flipped_views(factor: Factor, recorder: Recorder, params: Params, call: Call) -> list[View]:
    """Return where one sign of whole tensors can be seen, which the model is asked: signs of weights and inputs may cancel."""
    like = params[factor.tensors[0]]
    moved = factor.act(-torch.ones(1, dtype=like.dtype, device=like.device), params)
    sites = {site.name: site for site in recorder.sites if site.axis.exact}
    return [
        View(sites[name], Binding(name, None, region=(Slot(1, (first,), (last - first,), (1,), -1),)))
        for name, runs in recorder.flips(params, moved, call).items()
        for first, last in runs
        if name in sites
    ]


def _extended(factor: Factor, views: list[View]) -> Factor:
    """Return a factor that moves activations too."""
    bindings: Any = (*factor.bindings, *(view.binding for view in views))
    return replace(factor, bindings=bindings)


def chosen_views(block: Block, views: dict[str, list[View]], found: Iterable[str]) -> list[View]:
    """Return the views of a wire that count: outputs, or else inputs; inputs too where outputs do not show all of its signs.

    Where only the order of channels is known it counts if nothing exact is known at the same place.

    Args:
        block: The wire.
        views: Where the wire of each factor can be seen.
        found: Names of the sites that were reached.
    """
    reached = set(found)
    seen = [view for view in views[block.factor] if view.site.name in reached]
    kept = [view for view in seen if view.site.leaves] or seen
    flips = [{view.place for view in views[sign] if view.binding.power % 2} for sign in block.signs]
    if _rank(sum((view.place in places) << k for k, places in enumerate(flips)) for view in kept) < len(flips):
        kept = seen
    exact = {(view.site.module, view.site.axis.site) for view in kept if view.site.axis.exact}
    return [view for view in kept if view.site.axis.exact or (view.site.module, view.site.axis.site) not in exact]


def _rank(rows: Iterable[int]) -> int:
    """Return the rank over GF(2) of rows of bits."""
    basis: list[int] = []
    for row in rows:
        for other in basis:
            row = min(row, row ^ other)
        if row:
            basis.append(row)
    return len(basis)


def _sides(
    symmetry: Symmetry, blocks: tuple[Block, ...], seen: dict[str, list[View]], found: dict[str, Products], a: Params, b: Params
) -> tuple[Params, Params]:
    r"""Return two sets of tensors whose inner products are those of the activations, with a small share of weights.

    Activations stand as the pair of :math:`1` and their correlations :math:`C`: whatever part of the channels a wire has, the
    inner products :math:`1^\top C` are those of the samples, and moving the channels of ``b`` moves the columns of :math:`C`.
    """
    names = {x.tensor for block in blocks for x in block.bindings} - found.keys()
    sizes = [float(a[name].square().sum()) / max(a[name].shape, default=1) for name in names]
    share = (_BY_WEIGHT / (max(sizes, default=0.0) or 1.0)) ** 0.5
    left, right = ({name: share * side[name] for name in names} for side in (a, b))
    views: dict[str, list[tuple[Factor, View]]] = {}
    for factor in symmetry.factors:
        for view in seen[factor.id]:
            views.setdefault(view.site.name, []).append((factor, view))
    like = next((x for x in a.values() if x.is_floating_point()), torch.zeros(()))
    for name, shown in views.items():
        mixed = [_positions(view) for factor, view in shown if not (factor.group.permutes or factor.group.flips)]
        products = found[name].scaled(mixed).to(like)
        right[name] = products if shown[0][1].site.axis.exact else products.abs()
        left[name] = torch.eye(len(products), dtype=products.dtype, device=products.device)
    return left, right


def _positions(view: View) -> Tensor:
    assert view.binding.slot is not None
    return view.binding.slot.positions().flatten()


def _aligned(state: Alignment, sites: set[str]) -> Element:
    """Align what is seen by what is seen of it, then the rest by weights, then each with all that is known."""
    shown, hidden = _shown(state, sites)
    propagate(state, shown, sites)
    propagate(state, hidden)
    descend(state, max_sweeps=_SWEEPS)
    found = state.value(), state.element()
    plan = plan_of(state) if may_try_all(state) and found[0] < (1 - _SAME) * _most(state, sites) else None
    if plan is not None:
        first = state.element()
        moved = {name: state.b(name) for name in state.a}
        value, element = best_of_all(state.symmetry, state.blocks, plan, state.a, moved)
        found = max(found, (value, element @ first), key=itemgetter(0))
    return found[1]


def _most(state: Alignment, sites: set[str]) -> float:
    """Return what no alignment can exceed: correlations of one, and inner products of weights that are equal."""
    total = 0.0
    for name, x in state.a.items():
        total += len(x) if name in sites else float(x.square().sum() + state.b(name).square().sum()) / 2
    return total


def _shown(state: Alignment, sites: set[str]) -> tuple[list[int], list[int]]:
    """Return the blocks that are seen at sites, and those that are not."""
    shown = [k for k, block in enumerate(state.blocks) if any(x.tensor in sites for x in block.bindings)]
    return shown, [k for k in range(len(state.blocks)) if k not in shown]


def _notes(state: Alignment, sites: set[str], apart: set[str]) -> tuple[str, ...]:
    """Return what could not be seen, and what was gone by instead."""
    out = []
    hidden = [state.blocks[k].wire.name for k in _shown(state, sites)[1]]
    if hidden:
        out.append(f"no module shows {_listed(hidden)}: aligned by weights")
    if apart:
        out.append(f"not compared, because the models do not call it equally often: {', '.join(sorted(apart))}")
    return tuple(out)


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))
