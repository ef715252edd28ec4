"""What is to be frozen, tensor by tensor: a few numbers each, from which places and constants are drawn again at any time."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from parasym.breaking.drawing import distinct_places, frozen_constants
from parasym.breaking.freeze import freeze_, frozen_tensors
from parasym.breaking.frozen_entries import FrozenEntries
from parasym.breaking.site import Site
from parasym.core import child_generator


@dataclass(frozen=True)
class FrozenBlock:
    """Rows of which the same number of places is frozen.

    Attributes:
        path: The name that seeds know it by.
        rows: Number of rows.
        count: Frozen places in every row.
        std: Standard deviation of the constants.
    """

    path: str
    rows: int
    count: int
    std: float


@dataclass(frozen=True)
class FrozenRows:
    """A weight of whose rows some places are frozen.

    Attributes:
        tensor: Its name.
        split: As in `Site`.
        rows: As in `Site`.
        blocks: Its blocks, in the order of their rows.
        per: Entries per place.
        skip: As in `Site`.
    """

    tensor: str
    split: tuple[int, ...]
    rows: tuple[int, ...]
    blocks: tuple[FrozenBlock, ...]
    per: int = 1
    skip: int | None = None

    def entries(self, shape: tuple[int, ...], seed: int) -> FrozenEntries:
        """Return what is frozen, drawn from a seed.

        Args:
            shape: Shape of the tensor.
            seed: The seed.
        """
        first, inside = _strides(self.split, self.rows), _strides(self.split, self.fan_in_axes)
        if self.skip is not None:
            inside = torch.cat([inside[: self.skip], inside[self.skip + 1 :]])
        drawn = [self._drawn(block, len(inside), seed) for block in self.blocks]
        if self.rows == (0,) and self.skip is None and len({places.shape[1] for places, _ in drawn}) == 1:
            places, constants = torch.cat([places for places, _ in drawn]), torch.cat([values for _, values in drawn])
            return FrozenEntries.at(shape, places, constants)
        starts = first.split([block.rows for block in self.blocks])
        flat = [(inside[places.long()] + start[:, None]).flatten() for (places, _), start in zip(drawn, starts, strict=True)]
        return FrozenEntries.at(shape, torch.cat(flat), torch.cat([constants.flatten() for _, constants in drawn]))

    @property
    def fan_in_axes(self) -> tuple[int, ...]:
        """The axes of ``split`` that are not rows."""
        return tuple(axis for axis in range(len(self.split)) if axis not in self.rows)

    def _drawn(self, block: FrozenBlock, fan_in: int, seed: int) -> tuple[Tensor, Tensor]:
        """Return frozen entries of every row of a block, and their constants, each ``[rows, count * per]``."""
        if block.count == 0:
            return torch.empty(block.rows, 0, dtype=torch.int64), torch.empty(block.rows, 0, dtype=torch.bfloat16)
        source = child_generator(seed, f"{block.path}:places")
        places = distinct_places(block.rows, fan_in // self.per, block.count, generator=source, where=block.path, repeat=True)
        entries = places if self.per == 1 else (places[:, :, None] * self.per + torch.arange(self.per)).flatten(1)
        source = child_generator(seed, f"{block.path}:constants")
        return entries, frozen_constants(tuple(entries.shape), block.std, generator=source)


@dataclass(frozen=True)
class FrozenPlaces:
    """Entries of a tensor that are frozen one by one.

    Attributes:
        tensor: Its name.
        index: Places in the flattened tensor; all of them if empty.
        std: Standard deviation of the constants.
        around: Their mean.
    """

    tensor: str
    index: tuple[int, ...]
    std: float
    around: float = 0.0

    def entries(self, shape: tuple[int, ...], seed: int) -> FrozenEntries:
        """Return what is frozen, drawn from a seed.

        Args:
            shape: Shape of the tensor.
            seed: The seed.
        """
        index = torch.tensor(self.index) if self.index else torch.arange(prod(shape))
        source = child_generator(seed, f"{self.tensor}:constants")
        every = frozen_constants((prod(shape),), self.std, around=self.around, generator=source)
        return FrozenEntries.at(shape, index, every[index])


Planned = FrozenRows | FrozenPlaces


def planned_rows(site: Site, counts: Iterable[int], stds: Iterable[float]) -> FrozenRows:
    """Return a weight with so many frozen places in the rows of its blocks.

    Args:
        site: The weight.
        counts: One per block.
        stds: Standard deviations of the constants, one per block.
    """
    blocks = tuple(FrozenBlock(b.path, b.rows, n, std) for b, n, std in zip(site.blocks, counts, stds, strict=True))
    return FrozenRows(site.name, site.split, site.rows, blocks, site.blocks[0].per, site.skip)


def install_(model: nn.Module, plan: Iterable[Planned], *, seed: int) -> None:
    """Freeze what is planned, in place; a tied tensor once, under all of its names.

    Args:
        model: A module that nobody else holds.
        plan: What to freeze. Where entries of a tensor are frozen already, more of them are.
        seed: Seed of places and constants.
    """
    holders: dict[int, list[tuple[nn.Module, str]]] = {}
    for module in model.modules():
        for name, weight in module._parameters.items():
            holders.setdefault(id(weight), []).append((module, name))
    known = {name: entries for name, _, _, entries in frozen_tensors(model)}
    for one in plan:
        path, _, tensor = one.tensor.rpartition(".")
        weight = model.get_submodule(path)._parameters[tensor]
        assert weight is not None
        entries = one.entries(tuple(weight.shape), seed)
        if one.tensor in known:
            entries = known[one.tensor].with_more(entries.flat, entries.constants.flatten())
        entries._apply(lambda x, device=weight.device: x.to(device))
        for module, name in holders[id(weight)]:
            freeze_(module, name, entries)
        known[one.tensor] = entries
        if not weight.is_meta:
            entries.impose_(weight)


def _strides(split: tuple[int, ...], axes: tuple[int, ...]) -> Tensor:
    """Return the places in the flattened tensor of all positions along some axes, the others being at zero."""
    out = torch.zeros(1, dtype=torch.int64)
    for axis in axes:
        steps = torch.arange(split[axis]) * prod(split[axis + 1 :])
        out = (out[:, None] + steps).flatten()
    return out


def as_data(plan: Iterable[Planned]) -> list[dict[str, Any]]:
    """Return a plan as what JSON can hold.

    Args:
        plan: The plan.
    """
    return [{"kind": type(one).__name__} | asdict(one) for one in plan]


def from_data(data: Iterable[dict[str, Any]]) -> tuple[Planned, ...]:
    """Return the plan that `as_data` wrote.

    Args:
        data: What JSON held.
    """
    return tuple(_KINDS[one["kind"]](one) for one in data)


def _rows(data: dict[str, Any]) -> FrozenRows:
    blocks = tuple(FrozenBlock(**block) for block in data["blocks"])
    return FrozenRows(data["tensor"], tuple(data["split"]), tuple(data["rows"]), blocks, data["per"], data["skip"])


def _places(data: dict[str, Any]) -> FrozenPlaces:
    return FrozenPlaces(data["tensor"], tuple(data["index"]), data["std"], data["around"])


_KINDS = {"FrozenRows": _rows, "FrozenPlaces": _places}
