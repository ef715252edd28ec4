"""The working state of coordinate descent: tensors of ``a``, moved tensors of ``b``, and their inner products."""

from collections.abc import Iterable

import torch
from torch import Tensor

from parasym.core import Params
from parasym.orbit.assignment import Prices
from parasym.orbit.block import Block
from parasym.symmetry import Binding, Element, Move, Symmetry

Costs = dict[tuple[bool, ...], Tensor]


class Alignment:
    r"""``b`` on its way to ``a``, and for every block the inner products of their slices.

    For a block of ``n`` channels :math:`C_{ij} = \sum_T \langle a_T[i], b_T[j] \rangle`, summed over the places of
    the wire, so a linear isometry ``g`` of the wire changes the objective to :math:`\sum_{ij} g_{ij} C_{ij}`. ``b`` is
    always stored as moved, so the present element is the identity and its value is the trace.

    Inner products are not computed again when a neighbour moves: if only the channels ``S`` of a neighbour moved,
    the change is :math:`a_S^\top (b'_S - b_S)`, at ``|S|/n`` of the price.
    """

    def __init__(self, symmetry: Symmetry, blocks: tuple[Block, ...], a: Params, b: Params) -> None:
        """Start with ``b`` as it is.

        Args:
            symmetry: The symmetry.
            blocks: Its blocks.
            a: The target. Not modified.
            b: What is moved. Not modified.
        """
        names = dict.fromkeys(binding.tensor for block in blocks for binding in block.bindings)
        self.symmetry, self.blocks = symmetry, blocks
        self.a = {name: a[name] for name in names}
        self.b = {name: b[name].clone() for name in names}
        self.moves: list[Move] = []
        self.dirty = [True] * len(blocks)  # a neighbour moved since the last visit
        self.prices: list[list[Prices | None]] = [[] for _ in blocks]  # of the last assignments
        self._bearers: dict[str, list[tuple[int, int]]] = {name: [] for name in names}
        for k, block in enumerate(blocks):
            for j, binding in enumerate(block.bindings):
                self._bearers[binding.tensor].append((k, j))
        self._sums: list[Costs] = [{} for _ in blocks]
        self._included: list[set[int]] = [set() for _ in blocks]

    def value(self) -> float:
        """Return the inner product of ``a`` and the moved ``b``."""
        return sum(float(torch.dot(self.a[n].flatten(), self.b[n].flatten())) for n in self.b)

    def bearers(self, tensor: str) -> set[int]:
        """Return the blocks whose wires a tensor bears.

        Args:
            tensor: Its name.
        """
        return {k for k, _ in self._bearers[tensor]}

    def costs(self, k: int, wanted: Iterable[int] | None = None) -> Costs:
        """Return the inner products of block ``k`` by the signs they change with, each of shape ``[*over, n, n]``.

        Args:
            k: The block.
            wanted: Places to count; all if ``None``.
        """
        block = self.blocks[k]
        missing = set(range(len(block.bindings)) if wanted is None else wanted) - self._included[k]
        for j in sorted(missing):
            binding = block.bindings[j]
            a, b = (binding.gather(x[binding.tensor]) for x in (self.a, self.b))
            self._add(k, block.parity[j], a.mT @ b)
            self._included[k].add(j)
        return self._sums[k]

    def _add(self, k: int, parity: tuple[bool, ...], part: Tensor) -> None:
        old = self._sums[k].get(parity)
        self._sums[k][parity] = part if old is None else old.add_(part)

    def move(self, k: int, moves: list[Move], changed: Tensor | None = None) -> None:
        """Move ``b`` by elements of the factors of block ``k`` and keep the inner products true.

        Args:
            k: The block.
            moves: Its moves, first to last.
            changed: Channels that move, if the block is a whole axis everywhere; ``None`` for "all, or unknown".
        """
        self.moves.extend(moves)
        whole = self._is_whole(k)
        if changed is None or not whole:
            self._move_all(k, moves)
        else:
            self._move_some(k, moves, changed)
        for name in {b.tensor for b in self.blocks[k].bindings}:
            for other in self.bearers(name) - {k}:
                self.dirty[other] = True

    def _move_all(self, k: int, moves: list[Move]) -> None:
        for move in moves:
            factor = self.symmetry.factors[move.factor]
            for binding in factor.bindings:
                if isinstance(binding, Binding) and binding.tensor in self.b:
                    self.b[binding.tensor] = binding.apply(factor.group, move.value, self.b[binding.tensor])
        for name in {b.tensor for b in self.blocks[k].bindings}:
            for other in self.bearers(name):
                self._forget(other)

    def _forget(self, k: int) -> None:
        self._sums[k], self._included[k] = {}, set()

    def _is_whole(self, k: int) -> bool:
        return all(_whole(binding, self.b[binding.tensor]) for binding in self.blocks[k].bindings)

    def _move_some(self, k: int, moves: list[Move], changed: Tensor) -> None:
        block = self.blocks[k]
        permuted, signs = _monomial(block, moves)
        for j, binding in enumerate(block.bindings):
            x, axis = self.b[binding.tensor], binding.slot.axis  # pyright: ignore[reportOptionalMemberAccess]
            old = x.index_select(axis, changed)
            new = x.index_select(axis, permuted[changed])
            sign = signs.get(block.parity[j])
            if sign is not None:
                new = new * sign[changed].reshape([-1 if d == axis else 1 for d in range(x.ndim)])
            x.index_copy_(axis, changed, new)
            self._correct(k, binding.tensor, axis, changed, new - old)
        for parity, cost in self._sums[k].items():
            moved = cost.index_select(1, permuted)
            self._sums[k][parity] = moved * signs[parity] if parity in signs else moved

    def _correct(self, k: int, name: str, axis: int, changed: Tensor, delta: Tensor) -> None:
        """Add to the neighbours' inner products what the change of some slices of a tensor adds."""
        for other, j in self._bearers[name]:
            if j not in self._included[other]:
                continue
            binding = self.blocks[other].bindings[j]
            if other == k:
                if binding.slot is not None and binding.slot.axis != axis:
                    self._forget(k)  # the wire meets itself in this tensor
            elif not _whole(binding, self.b[name]):
                self._forget(other)
            else:
                part = self.a[name].index_select(axis, changed)
                own = binding.slot.axis  # pyright: ignore[reportOptionalMemberAccess]
                self._add(other, self.blocks[other].parity[j], _last(part, own).mT @ _last(delta, own))

    def element(self) -> Element:
        """Return the product of all moves so far."""
        return Element(tuple(self.moves))


def _monomial(block: Block, moves: list[Move]) -> tuple[Tensor, dict[tuple[bool, ...], Tensor]]:
    """Return the permutation, and the signs by parity, that the moves of a block amount to."""
    values = {m.factor: m.value for m in moves}
    if block.kind == "sign":
        sign = values[block.factor]
        return torch.arange(block.wire.size, device=sign.device), {(): sign}
    flips: dict[tuple[bool, ...], Tensor] = {}
    for parity in set(block.parity):
        chosen = [values[s] for s, flipped in zip(block.signs, parity, strict=True) if flipped and s in values]
        if chosen:
            flips[parity] = torch.stack(chosen).prod(0)
    return values[block.factor], flips


def _whole(binding: Binding, x: Tensor) -> bool:
    slot = binding.slot
    return slot is not None and not binding.over and not binding.region and slot.covers(x.shape[slot.axis])


def _last(x: Tensor, axis: int) -> Tensor:
    return x.movedim(axis, -1).reshape(-1, x.shape[axis])
