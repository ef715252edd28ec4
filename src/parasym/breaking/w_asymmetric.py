"""W-asymmetry: some entries of every weight are constants, other ones in every row."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils import parametrize

from parasym.breaking.amount import check_patterns, frozen_count, value_for
from parasym.breaking.frozen_entries import FrozenEntries
from parasym.breaking.leftover import freeze_entries, freeze_leftover
from parasym.breaking.mask import distinct_masks
from parasym.breaking.method import AbstractBreaking
from parasym.breaking.site import Block, Site, sites
from parasym.core import BadInputError, child_generator
from parasym.find import find

_CHOICES = {"unit": ("entry", "filter"), "init": ("keep", "kaiming"), "leftover": ("keep", "freeze")}


@dataclass(frozen=True)
class WAsymmetric(AbstractBreaking):
    r"""Freeze some entries of every row of every weight, at places that no other row has.

    .. math:: W' = M \odot W + (1 - M) \odot F, \qquad F_{ij} \sim \mathcal{N}(0, \kappa^2)

    with :math:`\kappa` the standard deviation ``std``. If :math:`P M = M` for a permutation :math:`P` then :math:`P = 1`,
    because rows differ; so layer by layer from the inputs on, no unit can be exchanged (theorem 1 of the paper, for
    :math:`\kappa = 0`). Constants other than zero also pin scales and signs. A layer between *linear* layers has the symmetry
    ``GL(n)``, each matrix of which has to keep all constants: that takes about ``n`` of them in a row and a
    column together. ``find`` and ``verify`` say what is left.

    Freedoms that no weight bears are out of its reach: a bias before a normalization, two biases that are added. With
    ``leftover="freeze"`` it asks ``find`` for them and freezes as few entries of biases, gains and other parameters as they
    have dimensions.

    Args:
        frozen: Frozen entries per row: an int, a fraction of the fan-in (rounded, and raised to the smallest count with which
            all rows can differ), or either by pattern of the layer's path, the first that matches; 0 leaves a layer
            alone, and so does no match. With ``unit="filter"`` rows of convolutions count input channels.
        std: Standard deviation of the constants, or by pattern. It should be well above that of the trainable entries.
        distinct: Whether all rows of a weight must differ in their places, an error where there are too few. If not, rows share
            places where they must, and only their constants tell them apart.
        unit: Whether convolutions freeze single entries or the whole kernel from one input channel.
        init: ``"keep"`` keeps the trainable entries as they are in the given model; ``"kaiming"`` draws weights and
            biases anew from :math:`U(\pm 1/\sqrt{d})`, as the paper does.
        leftover: ``"freeze"`` to freeze what else bears a freedom, for which ``break_`` needs ``inputs``; ``"keep"`` not to.
        pin: Patterns of names of vectors (biases, gains) to freeze as a whole.
        pin_std: Standard deviation of the constants in vectors: around one for gains, around zero for all others.
        seed: Seed of masks and constants. It is part of the architecture.

    Raises:
        BadInputError: If an argument is out of its range.

    Example:
        >>> from parasym.breaking import break_, trainable_count
        >>> _ = torch.manual_seed(0)
        >>> broken = break_(nn.Linear(4, 3), WAsymmetric(frozen=1, std=1.0, seed=0))
        >>> broken.parametrizations.weight[0].frozen  # other places in every row
        tensor([[ 0.0000,  0.0000,  0.0000, -1.4001],
                [ 0.0000,  0.3851,  0.0000,  0.0000],
                [ 2.2091,  0.0000,  0.0000,  0.0000]])
        >>> trainable_count(broken)  # 3 rows of 3 entries, 3 biases
        12

    References:
        Lim, Putterman, Walters, Maron, Jegelka. The empirical impact of neural parameter symmetries, or lack
        thereof. NeurIPS 2024, https://arxiv.org/abs/2405.20231
    """

    frozen: float | Mapping[str, float] = 0.25
    std: float | Mapping[str, float] = 1.0
    distinct: bool = True
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

    def apply(self, model: nn.Module, inputs: tuple[Any, ...] | None, *, generator: torch.Generator | None) -> None:
        """Freeze entries of ``model`` in place.

        Args:
            model: A module that nobody else holds.
            inputs: Example inputs, for ``leftover="freeze"``.
            generator: Source of new initial weights with ``init="kaiming"``.

        Raises:
            BadInputError: If nothing can be frozen, or not as asked.
        """
        refuse_unfit(model)
        every = list(sites(model, unit=self.unit))
        if self.leftover == "freeze" and inputs is None:
            raise BadInputError(
                "Argument `inputs` is needed with leftover='freeze': what is left shows when the model is traced."
            )
        before = find(model, inputs) if self.leftover == "freeze" and inputs is not None else None
        weights = {site.name for site in every}
        others = [name for name, x in model.named_parameters() if name not in weights and x.requires_grad]
        paths = [block.path for site in every for block in site.blocks]
        check_patterns(self.frozen, paths, "frozen")
        check_patterns(self.std, paths, "std")
        shared: dict[int, FrozenEntries] = {}
        for site in every:
            self._freeze(model, site, shared, generator)
        self._pin(model)
        if before is not None and inputs is not None:
            freeze_leftover(model, inputs, before, others, seed=self.seed, std=self.pin_std)
        if not shared and not self.pin:
            raise BadInputError(
                "Argument `model` has no weight to freeze: "
                + (f"`frozen` is 0 for all of {', '.join(paths)}." if paths else "it has no layer that W-asymmetry knows.")
            )

    def _freeze(self, model: nn.Module, site: Site, shared: dict[int, FrozenEntries], generator: torch.Generator | None) -> None:
        amounts = [value_for(self.frozen, block.path, otherwise=0) for block in site.blocks]
        counts = [frozen_count(n, block, distinct=self.distinct) for n, block in zip(amounts, site.blocks, strict=True)]
        if not any(counts):
            return
        module = model.get_submodule(site.module)
        weight = getattr(module, site.tensor)
        if id(weight) not in shared:
            rows = [self._rows(block, count) for block, count in zip(site.blocks, counts, strict=True)]
            mask, constants = (site.to_tensor(torch.cat(parts)) for parts in zip(*rows, strict=True))
            shared[id(weight)] = FrozenEntries(mask.to(weight.device), constants.to(weight))
            if self.init == "kaiming":
                _redraw(weight, getattr(module, "bias", None), site.blocks[0].fan_in, generator)
        parametrize.register_parametrization(module, site.tensor, shared[id(weight)])

    def _rows(self, block: Block, count: int) -> tuple[Tensor, Tensor]:
        """Return the mask and the constants of a block, each ``[rows, fan-in]``."""
        std = float(value_for(self.std, block.path, otherwise=1.0))
        if count == 0:
            mask = torch.ones(block.rows, block.units, dtype=torch.bool)
        else:
            source = child_generator(self.seed, f"{block.path}:mask")
            mask = distinct_masks(block.rows, block.units, count, generator=source, where=block.path, repeat=not self.distinct)
        if std == 0 and not self.distinct and len(torch.unique(mask, dim=0)) < len(mask):
            raise BadInputError(f"`{block.path}` has rows that share their places, and constants of 0 do not tell them apart.")
        if count == block.units and std == 0:
            raise BadInputError(
                f"`{block.path}` would be frozen at zero as a whole. Freeze fewer entries, or give `std` above 0."
            )
        source = child_generator(self.seed, f"{block.path}:frozen")
        constants = std * torch.randn(block.rows, block.fan_in, generator=source, dtype=torch.float64)
        return mask.repeat_interleave(block.per, dim=1), constants

    def _pin(self, model: nn.Module) -> None:
        names = [name for name, x in model.named_parameters() if x.ndim <= 1]
        check_patterns(dict.fromkeys(self.pin), names, "pin")
        for name in names:
            if value_for(dict.fromkeys(self.pin, 1), name, otherwise=0):
                every = torch.arange(model.get_parameter(name).numel())
                freeze_entries(model, name, every, seed=self.seed, std=self.pin_std)


def refuse_unfit(model: nn.Module) -> None:
    """Raise if the model has weights whose entries cannot be frozen.

    Args:
        model: Any module.

    Raises:
        BadInputError: If the model has lazy or recurrent layers, or weights that are parametrized already.
    """
    for path, module in model.named_modules():
        where = f"`{path or type(module).__name__}`"
        if any(isinstance(p, UninitializedParameter) for p in module.parameters(recurse=False)):
            raise BadInputError(f"{where} has no shape yet. Run the model once on an input before breaking it.")
        if isinstance(module, nn.RNNBase):
            raise BadInputError(
                f"{where} is a {type(module).__name__}: its kernels read the weights past any parametrization. Write "
                "the recurrence with nn.LSTMCell or nn.Linear, or use SigmaAsymmetric where there are activations."
            )
        if isinstance(module, parametrize.ParametrizationList):
            raise BadInputError(
                f"{where} is parametrized already (by {', '.join(type(p).__name__ for p in module)}). "
                "Break the plain model, once."
            )


def _redraw(weight: Tensor, bias: Tensor | None, fan_in: int, generator: torch.Generator | None) -> None:
    bound = fan_in**-0.5
    with torch.no_grad():
        for x in (weight, bias):
            if isinstance(x, Tensor):
                fresh = torch.empty(x.shape, dtype=torch.float64).uniform_(-bound, bound, generator=generator)
                x.copy_(fresh.to(x))
