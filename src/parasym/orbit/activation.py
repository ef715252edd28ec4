"""Activation matching: wires aligned by what their channels compute on data."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from parasym.core import BadInputError, Params
from parasym.functional import batches_of
from parasym.functional.reading import Data
from parasym.orbit.alignment import Alignment
from parasym.orbit.block import Block, blocks_of
from parasym.orbit.descent import descend, propagate, visit
from parasym.orbit.method import AbstractMethod
from parasym.orbit.objective import STATISTICS
from parasym.orbit.sites import Products, Recorder, Site, binding_at, sites_of
from parasym.symmetry import Binding, Element, Factor, Move, Slot, Symmetry

_LOG = logging.getLogger("parasym.orbit")
_BY_WEIGHT = 1e-4
"""The share of weights in the inner products of a wire: what activations cannot tell apart (units that never fire, more channels
than samples, signs that no module shows) is decided by weights."""

_SWEEPS = 20


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
    experts in one tensor), whose names are logged at level INFO and given by :meth:`unread`.

    Attributes:
        model: The model that both checkpoints belong to; its mode (train or eval) is kept.
        data: Batches, as :func:`parasym.functional.batch_call` reads them; they go to the device and precision of the parameters.
        max_batches: How many batches are used.
        ignore: Shell patterns of names that do not count where weights are used.

    References:
        Li et al. Convergent learning. ICLR 2016, https://arxiv.org/abs/1511.07543
        Ainsworth, Hayase, Srinivasa. Git Re-Basin. ICLR 2023, https://arxiv.org/abs/2209.04836
    """

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

    def unread(self, symmetry: Symmetry) -> tuple[str, ...]:
        """Return the names of the wires that no module shows, which are aligned by weights.

        Args:
            symmetry: The symmetry.
        """
        sites = sites_of(self.model)
        return tuple(b.wire.name for b in blocks_of(symmetry, self.ignore) if not views_of(symmetry.factor(b.factor), sites))

    def align(self, symmetry: Symmetry, a: Params, b: Params, *, generator: torch.Generator | None = None) -> Element:  # noqa: D102
        sites = sites_of(self.model)
        views = {factor.id: views_of(factor, sites) for factor in symmetry.factors}
        wanted = dict.fromkeys(view.site for group in views.values() for view in group)
        recorder = Recorder(self.model, list(wanted))
        for call in batches_of(self.data, self.model, limit=self.max_batches):
            recorder.compare(a, b, call.like(a))
        if recorder.apart:
            _LOG.info("Not compared, because the models do not call it equally often: %s.", ", ".join(sorted(recorder.apart)))
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
        _align(state, set(found))
        ids = {new.id: old.id for new, old in zip(extended, symmetry.factors, strict=True)}
        return Element(symmetry, tuple(Move(ids[move.factor], move.value) for move in state.moves))


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


def _align(state: Alignment, sites: set[str]) -> None:
    """Align what is seen by what is seen of it, then the rest by weights, then each with all that is known."""
    shown = [k for k, block in enumerate(state.blocks) if any(x.tensor in sites for x in block.bindings)]
    hidden = [k for k in range(len(state.blocks)) if k not in shown]
    if hidden:
        names = ", ".join(state.blocks[k].wire.name for k in hidden)
        _LOG.info("No module shows the wires %s: they are aligned by weights.", names)
    for k in shown:
        visit(state, k, [j for j, x in enumerate(state.blocks[k].bindings) if x.tensor in sites])
        state.dirty[k] = True
    propagate(state, hidden)
    descend(state, max_sweeps=_SWEEPS)
