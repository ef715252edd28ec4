"""Where the wires of a model can be seen, and what the channels of two models have to do with each other there."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from parasym.core import Params, first_names
from parasym.functional import Call
from parasym.functional.run import run
from parasym.orbit.axes import Axis, axes_of
from parasym.symmetry import Binding

_STILL = 1e-10
"""A channel whose variance is at most this part of its mean square is constant up to rounding: nothing is known of it."""


_FLIPPED = 1e-3
"""Part of the squared difference of a channel and the same with its sign flipped up to which their sum is rounding, in half
precision too."""


@dataclass(frozen=True)
class Site:
    """An activation of a module.

    Attributes:
        module: Path of the module.
        axis: What is read there.
    """

    module: str
    axis: Axis

    @property
    def name(self) -> str:
        """A name that no parameter has."""
        return f"{self.axis.site} of `{self.module}`" + ("" if self.axis.exact else ", in order")

    @property
    def leaves(self) -> bool:
        """Whether it leaves the module."""
        return self.axis.where == "output"


def sites_of(model: nn.Module) -> dict[tuple[str, int], list[Site]]:
    """Return where the axes of parameters can be seen, by the first name of the parameter and its axis.

    Args:
        model: Any module.
    """
    found: dict[tuple[str, int], list[Site]] = {}
    first = first_names(model)
    for path, module in model.named_modules():
        for axis in axes_of(module):
            name = f"{path}.{axis.tensor}" if path else axis.tensor
            if name in first:
                found.setdefault((first[name], axis.axis), []).append(Site(path, axis))
    return found


def binding_at(site: Site, binding: Binding) -> Binding | None:
    """Return where a wire of a parameter is in an activation of shape ``[samples, channels]``; ``None`` if nowhere.

    Args:
        site: The activation, of the axis that bears the wire.
        binding: Where the wire is in the parameter.
    """
    slot = binding.slot
    if slot is None or binding.region or any(other.axis != slot.axis for other in binding.over):
        return None
    over = tuple(replace(other, axis=1) for other in binding.over)
    return Binding(site.name, replace(slot, axis=1), over, power=abs(binding.power))


@dataclass
class Products:
    r"""Sums over samples that give the covariances and correlations of the channels of two models.

    Attributes:
        cross: :math:`\sum_s x_{si} y_{sj}`.
        sums: :math:`\sum_s x_{si}` and the same of ``y``.
        squares: :math:`\sum_s x_{si}^2` and the same of ``y``.
        count: Number of samples.
    """

    cross: Tensor
    sums: Tensor
    squares: Tensor
    count: int = 0

    def add(self, x: Tensor, y: Tensor) -> None:
        """Add samples.

        Args:
            x: Activations of the first model, of shape ``[samples, channels]``.
            y: Those of the second.
        """
        x, y = x.double(), y.double()
        self.cross += x.mT @ y
        self.sums += torch.stack([x.sum(0), y.sum(0)])
        self.squares += torch.stack([x.square().sum(0), y.square().sum(0)])
        self.count += len(x)

    def scaled(self, groups: Iterable[Tensor]) -> Tensor:
        """Return correlations, or covariances over one common size per group of channels that are mixed.

        Args:
            groups: Positions of channels that rotations mix; other channels have a size each.
        """
        covariance = self.cross - torch.outer(self.sums[0], self.sums[1]) / self.count
        squares = self.squares.clone()
        sizes = (squares - self.sums.square() / self.count).clamp_min(0.0)
        for group in groups:
            for x in (sizes, squares):
                x[:, group] = x[:, group].mean(1, keepdim=True)
        still = sizes <= _STILL * squares
        scales = torch.where(still, 0.0, sizes.clamp_min(torch.finfo(sizes.dtype).tiny).rsqrt())
        return covariance * scales[0].unsqueeze(1) * scales[1]


@dataclass
class Recorder:
    """Compares two models at sites, batch by batch, so that no activation outlives its batch.

    Attributes:
        model: Their architecture.
        sites: Where to look.
        found: What was seen, by the name of the site; sites that are never reached are missing.
        apart: Names of sites where the two models had different numbers of samples, as routed experts have.
    """

    model: nn.Module
    sites: list[Site]
    found: dict[str, Products] = field(default_factory=dict)
    apart: set[str] = field(default_factory=set)

    def compare(self, a: Params, b: Params, call: Call) -> None:
        """Run both models on a batch.

        Args:
            a: Parameters of the first.
            b: Parameters of the second.
            call: The batch.
        """
        left, right = self.seen(a, call), self.seen(b, call)
        for name in left.keys() | right.keys():
            x, y = left.get(name), right.get(name)
            if x is None or y is None or x.shape != y.shape:
                self.apart.add(name)
                continue
            if name not in self.found:
                n = x.shape[1]
                cross, sums, squares = (x.new_zeros(shape, dtype=torch.float64) for shape in ((n, n), (2, n), (2, n)))
                self.found[name] = Products(cross, sums, squares)
            self.found[name].add(x, y)

    def flips(self, params: Params, moved: Params, call: Call) -> dict[str, list[tuple[int, int]]]:
        """Return the runs of channels that change their sign when parameters move (first, one past the last), by site.

        Args:
            params: Parameters.
            moved: The same, with some signs flipped.
            call: The batch.
        """
        here, there = self.seen(params, call), self.seen(moved, call)
        found: dict[str, list[tuple[int, int]]] = {}
        for name, x in here.items():
            y = there.get(name)
            if y is None or y.shape != x.shape:
                continue
            size, sum_, apart = (z.double().square().sum(0) for z in (x, x + y, x - y))
            flipped = (sum_ <= _FLIPPED * apart) & (size > 0)
            edges = torch.cat([flipped.new_zeros(1), flipped, flipped.new_zeros(1)]).int().diff().nonzero().flatten().tolist()
            if edges:
                found[name] = list(zip(edges[::2], edges[1::2], strict=True))
        return found

    def seen(self, params: Params, call: Call) -> dict[str, Tensor]:
        """Return activations of one model, of shape ``[samples, channels]``, over all calls of a module.

        Args:
            params: Parameters.
            call: The batch.
        """
        parts: dict[str, list[Tensor]] = {}
        modules = dict(self.model.named_modules())
        handles = [self._watch(modules[site.module], site, parts) for site in self.sites]
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # which calls no hooks
        try:
            run(self.model, params, call)
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            for handle in handles:
                handle.remove()
        return {name: torch.cat(found) for name, found in parts.items()}

    def _watch(self, module: nn.Module, site: Site, parts: dict[str, list[Tensor]]) -> RemovableHandle:
        def record(module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object], output: object) -> None:
            x = site.axis.read(module, Call(args, kwargs), output)
            if x is not None and x.is_floating_point():
                parts.setdefault(site.name, []).append(x.detach().reshape(-1, x.shape[-1]))

        return module.register_forward_hook(record, with_kwargs=True)
