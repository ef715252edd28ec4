"""Weights too narrow for rows that all differ: whether a wire needs them to, and what to do."""

from collections.abc import Iterable, Mapping
from math import comb
from typing import NamedTuple

import torch
from torch import nn

from parasym.breaking.drawing import narrowness, smallest_count
from parasym.breaking.freeze import frozen_tensors
from parasym.breaking.graph import symmetry_of
from parasym.breaking.site import Block, Site
from parasym.core import BadInputError
from parasym.functional import Call
from parasym.groups import Permutation
from parasym.symmetry import Binding


class Narrow(NamedTuple):
    """A block with fewer subsets of places than rows, or with fewer places than are to be frozen.

    Attributes:
        site: The weight.
        block: The block.
        count: Frozen places per row that were asked for.
        may_share: Whether rows may share places.
    """

    site: Site
    block: Block
    count: int
    may_share: bool = False

    @property
    def is_beyond(self) -> bool:
        """Whether there are fewer places than are to be frozen."""
        return self.count > self.block.units

    @property
    def repair(self) -> int:
        """A count with which rows can differ: the smallest, or that next to what was asked for; 0 if there is none."""
        rows, units = self.block.rows, self.block.units
        if self.is_beyond:
            fitting = (count for count in range(units - 1, 0, -1) if self.may_share or comb(units, count) >= rows)
            return next(fitting, 0)
        return smallest_count(rows, units) or 0

    def __str__(self) -> str:
        """Return why it is narrow, in numbers."""
        what = "entries" if self.block.per == 1 else "input channels"
        if self.is_beyond:
            return f"{self.count} are to be frozen, but its rows have only {self.block.units} {what}"
        return narrowness(self.block.rows, self.block.units, self.count)


def narrow_blocks(sites: Iterable[Site], counts: Mapping[str, int]) -> list[Narrow]:
    """Return the blocks of which some rows must share their places.

    Args:
        sites: The weights.
        counts: Frozen places per row, by the path of the block.
    """
    every = ((site, block, counts[block.path]) for site in sites for block in site.blocks)
    return [Narrow(*one) for one in every if 0 < one[2] < one[1].units and comb(one[1].units, one[2]) < one[1].rows]


def needing(model: nn.Module, call: Call, narrow: list[Narrow]) -> list[Narrow]:
    """Return the narrow blocks on wires whose channels no places tell apart, neither theirs nor those of another tensor.

    That is what `find` says of the model with zeros for constants: which entries are frozen is then all that it can see.

    Args:
        model: The broken model. Its constants are put back.
        call: Example inputs.
        narrow: The narrow blocks.
    """
    if not narrow:
        return []
    kept = {id(entries): (entries, entries.constants) for _, _, _, entries in frozen_tensors(model)}
    try:
        for entries, constants in kept.values():
            entries.set_constants(torch.zeros_like(constants))
        factors = symmetry_of(model, call).only(Permutation).factors
    finally:
        for entries, constants in kept.values():
            entries.set_constants(constants)
    bindings = (binding for factor in factors for binding in factor.bindings if isinstance(binding, Binding))
    left = {(binding.tensor, binding.axis) for binding in bindings}
    return [one for one in narrow if any((one.site.name, axis) in left for axis in one.site.row_axes)]


def refuse(narrow: list[Narrow], frozen: float | Mapping[str, float], *, inputs: bool, zeros: bool = False) -> None:
    """Raise with all narrow blocks in one message, and with amounts that would do.

    Args:
        narrow: The blocks; nothing is raised if there are none.
        frozen: The amounts that were asked for.
        inputs: Whether the graph was known.
        zeros: Whether constants are zero, and cannot tell rows apart.

    Raises:
        BadInputError: If there are narrow blocks.
    """
    if not narrow:
        return
    repairs = {one.block.path: one.repair for one in narrow}
    asked = frozen if isinstance(frozen, Mapping) else {"*": frozen}
    mapping = repairs | {path: amount for path, amount in asked.items() if path not in repairs}
    alike = [one for one in narrow if not one.is_beyond]
    head = f"`{narrow[0].block.path}` is" if len(narrow) == 1 else f"{len(narrow)} layers are"
    what = str(narrow[0]) if len(narrow) == 1 else ", ".join(f"`{one.block.path}` ({one})" for one in narrow)
    share = ": constants of 0 do not tell them apart" if zeros else ""
    if alike and not zeros:
        share = ", or allow rows to share places with distinct=False: their constants still differ"
    look = ". With `inputs` only those rows must differ that a wire needs" if alike and not inputs else ""
    raise BadInputError(f"{head} too narrow{' for distinct rows' * bool(alike)}: {what}. Give frozen={mapping!r}{share}{look}.")
