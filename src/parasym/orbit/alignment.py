"""The working state of coordinate descent: tensors of ``a``, moved tensors of ``b``, and their inner products."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from parasym.core import Params
from parasym.orbit.block import Block
from parasym.orbit.certificate import margins, unless_identity
from parasym.orbit.pending import Change, Pending
from parasym.symmetry import Binding, Element, Move, Symmetry

Costs = dict[tuple[bool, ...], Tensor]


class Alignment:
    r"""``b`` on its way to ``a``, and for every block the inner products of their slices.

    For a block of ``n`` channels :math:`C_{ij} = \sum_T \langle a_T[i], b_T[j] \rangle`, summed over the places of
    the wire, so a linear isometry ``g`` of the wire changes the objective to :math:`\sum_{ij} g_{ij} C_{ij}`. ``b`` is
    always as moved, so the present element is the identity and its value is the trace.

    Inner products are not computed again when a neighbour moves: if only the channels ``S`` of a neighbour moved,
    the change is :math:`a_S^\top (b'_S - b_S)`, at ``|S|/n`` of the price. Permutations of a tensor only pile up, and are carried
    out a few slices at a time as they are multiplied.
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
        self._b = {name: Pending(b[name]) for name in names}
        self.moves: list[Move] = []
        self.dirty = [True] * len(blocks)  # a neighbour moved since the last visit
        self.memory: list[list[Any]] = [[] for _ in blocks]  # of the last solutions
        self._bearers: dict[str, list[tuple[int, int]]] = {name: [] for name in names}
        for k, block in enumerate(blocks):
            for j, binding in enumerate(block.bindings):
                self._bearers[binding.tensor].append((k, j))
        self._whole = [all(is_whole(x, a[x.tensor]) for x in block.bindings) for block in blocks]
        self._sums: list[Costs] = [{} for _ in blocks]
        self._included: list[set[int]] = [set() for _ in blocks]

    def b(self, name: str) -> Tensor:
        """Return a tensor of ``b`` as it is now; not to be modified.

        Args:
            name: Its name.
        """
        return self._b[name].tensor()

    def value(self) -> float:
        r"""Return the inner product of ``a`` and the moved ``b``.

        Half the traces of the inner products at hand count a tensor half for every wire that it is in, so a tensor with two wires
        need not be read again.
        """
        total, left = 0.0, dict.fromkeys(self.a, 1.0)
        for k, block in enumerate(self.blocks):
            if self._whole[k]:
                total += sum(float(c.trace()) for c in self._sums[k].values()) / 2
                for j in self._included[k]:
                    left[block.bindings[j].tensor] -= 0.5
        parts = (w * float(torch.dot(self.a[n].flatten(), self.b(n).flatten())) for n, w in left.items() if w)
        return total + sum(parts)

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
        vectors: dict[tuple[bool, ...], list[str]] = {}
        for j in sorted(missing):
            binding, parity = block.bindings[j], block.parity[j]
            a = self.a[binding.tensor]
            if not is_whole(binding, a):
                self._add(k, parity, binding.gather(a).mT @ binding.gather(self.b(binding.tensor)))
            elif a.ndim == 1:
                vectors.setdefault(parity, []).append(binding.tensor)
            else:
                self._add_whole(k, j)
        for parity, names in vectors.items():
            a, b = (torch.stack([x(n) for n in names]) for x in (self.a.__getitem__, self.b))
            self._add(k, parity, a.mT @ b)
        self._included[k] |= missing
        return self._sums[k]

    def trial(self, k: int, wanted: Iterable[int] | None, b: Params) -> Costs:
        """Return the inner products of block ``k`` if ``b`` were other tensors.

        Args:
            k: The block.
            wanted: Places to count; all if ``None``.
            b: These tensors.
        """
        block, out = self.blocks[k], Costs()
        for j in range(len(block.bindings)) if wanted is None else wanted:
            x, parity = block.bindings[j], block.parity[j]
            part = x.gather(self.a[x.tensor]).mT @ x.gather(b[x.tensor])
            out[parity] = out[parity] + part if parity in out else part
        return out

    def stays(self, k: int) -> bool:
        """Return whether some inner products prove that no permutation of block ``k`` gains; if not, all may be there then.

        Args:
            k: The block.
        """
        block = self.blocks[k]
        missing = [x.tensor for j, x in enumerate(block.bindings) if j not in self._included[k]]
        apart = block.group.permutes and not block.signs and self._whole[k] and len(self._sums[k]) == 1
        if not missing or not apart or any(self.a[name].ndim == 1 for name in missing):
            return False
        ((parity, products),) = self._sums[k].items()
        if not margins(products).min() > 0:
            return False
        places = [x for x in block.bindings if x.tensor in missing]
        found = unless_identity(products, [(self.a[x.tensor], self.b(x.tensor), _axis(x)) for x in places])
        if found is not None:
            self._sums[k][parity] = found
            self._included[k] = set(range(len(block.bindings)))
        return found is None

    def _add(self, k: int, parity: tuple[bool, ...], products: Tensor) -> None:
        old = self._sums[k].get(parity)
        self._sums[k][parity] = products if old is None else old.add_(products)

    def _add_whole(self, k: int, j: int, since: Change | None = None) -> None:
        binding, parity, sums = self.blocks[k].bindings[j], self.blocks[k].parity[j], self._sums[k]
        b = self._b[binding.tensor]
        sums[parity] = b.products(self.a[binding.tensor], _axis(binding), since=since, onto=sums.get(parity))

    def move(self, k: int, moves: list[Move], changed: Tensor | None = None) -> None:
        """Move ``b`` by elements of the factors of block ``k`` and keep the inner products true.

        Args:
            k: The block.
            moves: Its moves, first to last.
            changed: Channels that move, if the block is a whole axis everywhere; ``None`` for "all, or unknown".
        """
        self.moves.extend(moves)
        if changed is None or not self._whole[k]:
            self._move_all(k, moves)
        else:
            self._move_some(k, moves, changed)
        for name in {b.tensor for b in self.blocks[k].bindings}:
            for other in self.bearers(name) - {k}:
                self.dirty[other] = True

    def _move_all(self, k: int, moves: list[Move]) -> None:
        for move in moves:
            factor = self.symmetry.factor(move.factor)
            for binding in factor.bindings:
                if isinstance(binding, Binding) and binding.tensor in self._b:
                    self._b[binding.tensor] = Pending(binding.apply(factor.group, move.value, self.b(binding.tensor)))
        for name in {b.tensor for b in self.blocks[k].bindings}:
            for other in self.bearers(name):
                self._forget(other)

    def _forget(self, k: int) -> None:
        self._sums[k], self._included[k] = {}, set()

    def _move_some(self, k: int, moves: list[Move], changed: Tensor) -> None:
        block = self.blocks[k]
        permuted, signs = _monomial(block, moves)
        for j, binding in enumerate(block.bindings):
            axis, b = _axis(binding), self._b[binding.tensor]
            resting = [(o, i) for o, i in self._bearers[binding.tensor] if i in self._included[o]]
            if any(o == k and block.bindings[i].axis != axis for o, i in resting):
                self._forget(k)  # the wire meets itself in this tensor
            change = Change(axis, changed, b.order(axis))
            b.move(axis, permuted, signs.get(block.parity[j]))
            for other, i in resting:
                if other != k:
                    self._correct(other, i, change)
        for parity, cost in self._sums[k].items():
            moved = cost.index_select(1, permuted[changed])
            if parity in signs:
                moved.mul_(signs[parity][changed])
            self._sums[k][parity] = moved if len(changed) == len(permuted) else cost.index_copy_(1, changed, moved)

    def _correct(self, k: int, j: int, change: Change) -> None:
        """Add to the inner products of a block what the change of some slices of a tensor adds."""
        binding = self.blocks[k].bindings[j]
        if not is_whole(binding, self.a[binding.tensor]) or binding.axis == change.axis:
            self._forget(k)
        else:
            self._add_whole(k, j, change)

    def element(self) -> Element:
        """Return the product of all moves so far."""
        return Element(self.symmetry, tuple(self.moves))


def _monomial(block: Block, moves: list[Move]) -> tuple[Tensor, dict[tuple[bool, ...], Tensor]]:
    """Return the permutation, and the signs by parity, that the moves of a block amount to."""
    values = {m.factor: m.value for m in moves}
    if block.group.flips:
        sign = values[block.factor]
        return torch.arange(block.wire.size, device=sign.device), {(): sign}
    flips: dict[tuple[bool, ...], Tensor] = {}
    for parity in set(block.parity):
        chosen = [values[s] for s, flipped in zip(block.signs, parity, strict=True) if flipped and s in values]
        if chosen:
            flips[parity] = torch.stack(chosen).prod(0)
    return values[block.factor], flips


def is_whole(binding: Binding, x: Tensor) -> bool:
    """Return whether a binding is a lone wire on the whole of an axis.

    Args:
        binding: The binding.
        x: Its tensor.
    """
    slot = binding.slot
    return slot is not None and not binding.over and not binding.region and slot.covers(x.shape[slot.axis])


def _axis(binding: Binding) -> int:
    assert binding.axis is not None
    return binding.axis
