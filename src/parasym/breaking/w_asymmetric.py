"""W-asymmetry: some entries of every weight are constants, other ones in every row."""

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from parasym.breaking.amount import check_patterns, frozen_count, value_for
from parasym.breaking.freeze import frozen_tensors
from parasym.breaking.graph import Graph, read_graph, symmetry_of
from parasym.breaking.leftover import freeze_leftover_
from parasym.breaking.method import AbstractBreaking
from parasym.breaking.narrow import Narrow, narrow_blocks, needing, refuse
from parasym.breaking.plan import FrozenPlaces, Planned, as_data, from_data, install_, planned_rows
from parasym.breaking.remains import remains
from parasym.breaking.report import BreakReport, broken_tensors
from parasym.breaking.site import Site, graph_sites, module_sites
from parasym.core import BadInputError
from parasym.functional import Call

_CHOICES = {"unit": ("entry", "filter"), "init": ("keep", "kaiming"), "leftover": ("keep", "freeze")}


@dataclass(frozen=True)
class WAsymmetric(AbstractBreaking):
    r"""Freeze some entries of every row of every weight, at places that no other row has.

    .. math:: W' = M \odot W + (1 - M) \odot F, \qquad F_{ij} \sim \mathcal{N}(0, \kappa^2)

    with :math:`\kappa` the standard deviation ``std``. If :math:`P M = M` for a permutation :math:`P` then :math:`P = 1`,
    because rows differ; so layer by layer from the inputs on, no unit can be exchanged (theorem 1 of the paper, for
    :math:`\kappa = 0`). Constants other than zero also pin scales and signs. A layer between *linear* layers has the symmetry
    ``GL(n)``, each matrix of which has to keep all constants: that takes about ``n`` of them in a row and a
    column together. What is left is in the report.

    With ``inputs`` weights are told by the graph of the model: every parameter that is applied to an activation as a linear map,
    in whatever way its module is written. Without them they are told by the types of modules, and the report lists
    every other parameter of two axes. Parameters that are not trained are left alone: they are constants already.

    Freedoms that no weight bears are out of its reach: a bias before a normalization, two biases that are added. With
    ``leftover="freeze"`` it asks ``find`` for them and freezes as few entries of biases, gains and other parameters as they
    have dimensions.

    Args:
        frozen: Frozen entries per row: an int, a fraction of the fan-in (rounded, and raised to the smallest count with which
            all rows can differ), or either by pattern of the layer's path, the first that matches; 0 leaves a layer
            alone, and so does no match. With ``unit="filter"`` rows of convolutions count input channels.
        std: Standard deviation of the constants, or by pattern. It should be well above that of the trainable entries.
        distinct: Whether all rows of a weight must differ in their places, an error where there are too few. By default only
            those that a wire needs: where channels are not told apart by the places of another weight. Without ``inputs`` that
            is taken to be every row that reads more than one channel. If false, rows share places where
            they must, and only their constants tell them apart.
        unit: Whether convolutions freeze single entries or the whole kernel from one input channel.
        init: ``"keep"`` keeps the trainable entries as they are in the given model; ``"kaiming"`` draws weights and
            biases anew from :math:`U(\pm 1/\sqrt{d})`, as the paper does.
        leftover: ``"freeze"`` to freeze what else bears a freedom, for which ``break_`` needs ``inputs``; ``"keep"`` not to.
        pin: Patterns of names of vectors (biases, gains) to freeze as a whole.
        pin_std: Standard deviation of the constants in vectors: around one for gains, around zero for all others.
        seed: Seed of places and constants. It is part of the architecture.

    Raises:
        BadInputError: If an argument is out of its range.

    Example:
        >>> from parasym.breaking import break_, trainable_count
        >>> _ = torch.manual_seed(0)
        >>> broken = break_(nn.Linear(4, 3), WAsymmetric(frozen=1, std=1.0, seed=0)).model
        >>> broken.parametrizations.weight[0].frozen  # other places in every row
        tensor([[ 0.0000,  0.0000, -0.9336,  0.0000],
                [ 0.0000,  0.0000,  0.0000, -0.5312],
                [ 0.0000, -1.2500,  0.0000,  0.0000]])
        >>> trainable_count(broken)  # 3 rows of 3 entries, 3 biases
        12

    References:
        Lim, Putterman, Walters, Maron, Jegelka. The empirical impact of neural parameter symmetries, or lack
        thereof. NeurIPS 2024, https://arxiv.org/abs/2405.20231
    """

    frozen: float | Mapping[str, float] = 0.25
    std: float | Mapping[str, float] = 1.0
    distinct: bool | None = None
    unit: Literal["entry", "filter"] = "entry"
    init: Literal["keep", "kaiming"] = "keep"
    leftover: Literal["keep", "freeze"] = "keep"
    pin: tuple[str, ...] = ()
    pin_std: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        for argument, choices in _CHOICES.items():
            if getattr(self, argument) not in choices:
                raise BadInputError(f"Argument `{argument}` must be one of {choices}, but is {getattr(self, argument)!r}.")
        for std in self.std.values() if isinstance(self.std, Mapping) else (self.std,):
            if not 0 <= std < math.inf:
                raise BadInputError(f"Argument `std` must be a finite number of at least 0, but is {std!r}.")
        if isinstance(self.pin, str):
            raise BadInputError(f"Argument `pin` must be a tuple of patterns, but is the string {self.pin!r}.")

    def apply(
        self, model: nn.Module, call: Call | None, *, generator: torch.Generator | None
    ) -> tuple[BreakReport, list[dict[str, Any]]]:
        """Freeze entries of ``model`` in place.

        Args:
            model: A module that nobody else holds.
            call: Example inputs, by which weights are told; needed for ``leftover="freeze"``.
            generator: Source of new initial weights with ``init="kaiming"``.

        Returns:
            What was frozen, and the plan of it.

        Raises:
            BadInputError: If nothing can be frozen, or not as asked.
        """
        refuse_unfit(model)
        graph, unread = read_graph(model, call)
        if self.leftover == "freeze" and graph is None:
            raise BadInputError(
                f"Argument `inputs` is needed with leftover='freeze', which asks what the graph leaves: {unread}."
            )
        sites, aside = self._sites(model, graph, unread)
        counts, beyond = self._counts(sites)
        self._refuse(sites, counts, graph, beyond, given=call is not None)
        rows = [site for site in sites if any(counts[block.path] for block in site.blocks)]
        plan: list[Planned] = [
            planned_rows(site, [counts[b.path] for b in site.blocks], [self._std(b.path) for b in site.blocks]) for site in rows
        ]
        plan += self._pinned(model)
        if not plan:
            aside |= {site.name: _unfrozen(site, self.frozen) for site in sites}
            raise BadInputError(f"Argument `model` has no weight to freeze: {_nothing(aside, unread)}.")
        if self.init == "kaiming":
            _redraw(model, rows, generator)
        install_(model, plan, seed=self.seed)
        if graph is not None and self.distinct is None:
            narrow = needing(model, graph.call, narrow_blocks(sites, counts))
            refuse([*beyond, *narrow], self.frozen, inputs=True)
        if graph is not None and self.leftover == "freeze":
            allowed = [n for n, x in model.named_parameters() if x.requires_grad and n not in {site.name for site in rows}]
            more, left = freeze_leftover_(model, graph, allowed, seed=self.seed, std=self.pin_std)
            plan += more
        else:
            left = None if graph is None else symmetry_of(model, graph.call)
        aside |= {site.name: _unfrozen(site, self.frozen) for site in sites if site not in rows}
        report = BreakReport(str(self), broken_tensors(model), remains(model, left, aside), left)
        return report, as_data(plan)

    @classmethod
    def replay(cls, model: nn.Module, options: dict[str, Any], plan: list[dict[str, Any]]) -> BreakReport:
        """Freeze in place what was frozen in another model.

        Args:
            model: A module that nobody else holds.
            options: The fields of the recipe.
            plan: What to freeze.

        Returns:
            What was frozen.
        """
        refuse_unfit(model)
        install_(model, from_data(plan), seed=options["seed"])
        return BreakReport(cls.__name__, broken_tensors(model), remains(model, None, {}))

    # -- what to freeze ---------------------------------------------------------------------------

    def _sites(self, model: nn.Module, graph: Graph | None, unread: str) -> tuple[list[Site], dict[str, str]]:
        """Return the weights to freeze, and why other parameters of two axes are none."""
        every = module_sites(model, unit=self.unit) if graph is None else graph_sites(model, graph.maps, unit=self.unit)
        params = dict(model.named_parameters())
        aside = {name: "it is not trained, and so constant already" for name, x in params.items() if not x.requires_grad}
        sites = []
        for site in every:
            weight = params[site.name]
            if not weight.is_floating_point():
                aside[site.name] = f"its numbers are {weight.dtype}"
            elif site.name not in aside:
                sites.append(site)
        known = {site.name for site in sites} | aside.keys()
        for name, weight in params.items():
            if weight.ndim > 1 and name not in known:
                aside[name] = unread if graph is None else "no operation applies it to an activation as a linear map"
        return sites, aside

    def _counts(self, sites: list[Site]) -> tuple[dict[str, int], list[Narrow]]:
        """Return the frozen places per row of every block, and the blocks of which more are asked than there are."""
        blocks = [block for site in sites for block in site.blocks]
        paths = [block.path for block in blocks]
        check_patterns(self.frozen, paths, "frozen")
        check_patterns(self.std, paths, "std")
        counts = {block.path: frozen_count(value_for(self.frozen, block.path, otherwise=0), block) for block in blocks}
        every = [Narrow(site, b, counts[b.path], self.distinct is False) for site in sites for b in site.blocks]
        beyond = [one for one in every if one.is_beyond]
        counts |= {one.block.path: one.repair for one in beyond}  # so that all that is narrow comes in one message
        for block in blocks:
            if counts[block.path] == block.units:
                warnings.warn(
                    f"`{block.path}` is frozen as a whole: all {block.units} places of every row. Give it a smaller count in "
                    "`frozen`.",
                    stacklevel=4,
                )
                if self._std(block.path) == 0:
                    raise BadInputError(
                        f"`{block.path}` would be frozen at zero as a whole. Freeze fewer entries, or give `std` above 0."
                    )
        return counts, beyond

    def _refuse(
        self, sites: list[Site], counts: dict[str, int], graph: Graph | None, beyond: list[Narrow], *, given: bool
    ) -> None:
        """Raise where rows must differ and cannot, as far as that does not depend on what wires need."""
        narrow = narrow_blocks(sites, counts)
        zeros = [one for one in narrow if self._std(one.block.path) == 0 and self.distinct is not None]
        refuse(zeros, self.frozen, inputs=True, zeros=True)
        if self.distinct is True or (self.distinct is None and graph is None):
            alike = [one for one in narrow if self.distinct or not one.site.lone]
            refuse([*beyond, *alike], self.frozen, inputs=given or bool(self.distinct))
        elif self.distinct is False:
            refuse(beyond, self.frozen, inputs=True)

    def _std(self, path: str) -> float:
        return float(value_for(self.std, path, otherwise=1.0))

    def _pinned(self, model: nn.Module) -> list[FrozenPlaces]:
        vectors = [name for name, x in model.named_parameters() if x.ndim <= 1 and x.requires_grad]
        check_patterns(dict.fromkeys(self.pin), vectors, "pin")
        pinned = [name for name in vectors if value_for(dict.fromkeys(self.pin, 1), name, otherwise=0)]
        return [FrozenPlaces(name, (), self.pin_std, 1.0 if name.rpartition(".")[2] == "weight" else 0.0) for name in pinned]


def refuse_unfit(model: nn.Module) -> None:
    """Raise if the model has weights whose entries cannot be frozen.

    Args:
        model: Any module.

    Raises:
        BadInputError: If the model has lazy layers, or frozen entries already.
    """
    for path, module in model.named_modules():
        if any(isinstance(p, UninitializedParameter) for p in module.parameters(recurse=False)):
            raise BadInputError(
                f"`{path or type(module).__name__}` has no shape yet. Run the model once on an input before breaking it."
            )
    broken = [name for name, *_ in frozen_tensors(model)]
    if broken:
        raise BadInputError(
            f"Argument `model` is broken already: `{broken[0]}` has frozen entries. Break the plain model, once; "
            "parasym.breaking.dense(model) is one."
        )


def _redraw(model: nn.Module, sites: Iterable[Site], generator: torch.Generator | None) -> None:
    for site in sites:
        path, _, tensor = site.name.rpartition(".")
        module = model.get_submodule(path)
        bound = site.blocks[0].fan_in ** -0.5
        with torch.no_grad():
            for x in (getattr(module, tensor), getattr(module, "bias", None) if tensor == "weight" else None):
                if isinstance(x, Tensor):
                    fresh = torch.empty(x.shape, dtype=torch.float64).uniform_(-bound, bound, generator=generator)
                    x.copy_(fresh.to(x))
            if site.skip is not None:
                getattr(module, tensor)[site.skip] = 0


def _unfrozen(site: Site, frozen: float | Mapping[str, float]) -> str:
    amounts = {value_for(frozen, block.path, otherwise=0) for block in site.blocks}
    if amounts == {0}:
        return "`frozen` is 0 for it"
    return "its rows have only one place"


def _nothing(aside: Mapping[str, str], unread: str) -> str:
    if not aside:
        return "it has no parameter of two axes" + (f"; {unread}" if unread else "")
    name, reason = next(iter(aside.items()))
    return f"of `{name}`, {reason}" + (f", and {len(aside) - 1} more are left out" if len(aside) > 1 else "")
