"""The working state of coordinate descent: tensors of ``a``, moved tensors of ``b``, and their inner products."""

from collections.abc import Iterable

import torch
from torch import Tensor

from parasym.core import Params
from parasym.orbit.block import Block
from parasym.symmetry import Binding, Element, Move, Symmetry


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
        self.dirty = [True] * len(blocks)
        self._bearers: dict[str, list[tuple[int, int]]] = {name: [] for name in names}
        for k, block in enumerate(blocks):
            for j, binding in enumerate(block.bindings):
                self._bearers[binding.tensor].append((k, j))
        self._sums: list[list[Tensor | None]] = [[None, None] for _ in blocks]
        self._included: list[set[int]] = [set() for _ in blocks]

    def value(self) -> float:
        """Return the inner product of ``a`` and the moved ``b``, accumulated in float64."""
        return sum(float(torch.dot(self.a[n].flatten().double(), self.b[n].flatten().double())) for n in self.b)

    def bearers(self, tensor: str) -> set[int]:
        """Return the blocks whose wires a tensor bears.

        Args:
            tensor: Its name.
        """
        return {k for k, _ in self._bearers[tensor]}

    def costs(self, k: int, wanted: Iterable[int] | None = None) -> tuple[Tensor, Tensor | None]:
        """Return the inner products of block ``k``: ``(even, odd)`` parts of shape ``[*over, n, n]``.

        Args:
            k: The block.
            wanted: Places to count; all if ``None``.
        """
        block = self.blocks[k]
        missing = set(range(len(block.bindings)) if wanted is None else wanted) - self._included[k]
        for j in sorted(missing):
            binding = block.bindings[j]
            self._add(k, block.odd[j], _product(binding.gather(self.a[binding.tensor]), binding.gather(self.b[binding.tensor])))
            self._included[k].add(j)
        even, odd = self._sums[k]
        if even is None:
            even = torch.zeros_like(odd) if odd is not None else self._empty(block)
        return even, odd

    def _empty(self, block: Block) -> Tensor:
        n = self.symmetry.factors[block.factor].group.length
        return torch.zeros(*(w.size for w in block.over), n, n)

    def _add(self, k: int, odd: bool, part: Tensor) -> None:
        old = self._sums[k][odd]
        self._sums[k][odd] = part if old is None else old.add_(part)

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
        self._sums[k], self._included[k] = [None, None], set()

    def _is_whole(self, k: int) -> bool:
        return all(_whole(binding, self.b[binding.tensor]) for binding in self.blocks[k].bindings)

    def _move_some(self, k: int, moves: list[Move], changed: Tensor) -> None:
        block = self.blocks[k]
        permuted, signs = _monomial(block, moves)
        for j, binding in enumerate(block.bindings):
            x, axis = self.b[binding.tensor], binding.slot.axis  # pyright: ignore[reportOptionalMemberAccess]
            old = x.index_select(axis, changed)
            new = x.index_select(axis, permuted[changed])
            if signs is not None and block.odd[j]:
                new = new * signs[changed].reshape([-1 if d == axis else 1 for d in range(x.ndim)])
            x.index_copy_(axis, changed, new)
            self._correct(k, binding.tensor, axis, changed, new - old)
        self._reorder(k, permuted, signs)

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
                self._add(other, self.blocks[other].odd[j], _product(_last(part, own), _last(delta, own)))

    def _reorder(self, k: int, permuted: Tensor, signs: Tensor | None) -> None:
        even, odd = self._sums[k]
        even = None if even is None else even.index_select(1, permuted)
        odd = None if odd is None else odd.index_select(1, permuted)
        if odd is not None and signs is not None:
            odd = odd * signs
        self._sums[k] = [even, odd]

    def element(self) -> Element:
        """Return the product of all moves so far."""
        return Element(tuple(self.moves))


def _monomial(block: Block, moves: list[Move]) -> tuple[Tensor, Tensor | None]:
    """Return the permutation and the signs that the moves of a block amount to."""
    permuted = next((m.value for m in moves if m.factor == block.factor and block.kind == "permutation"), None)
    sign_factor = block.factor if block.kind == "sign" else block.sign
    signs = next((m.value for m in moves if m.factor == sign_factor), None)
    if permuted is None:
        permuted = torch.arange(block.wire.size, device=None if signs is None else signs.device)
    return permuted, signs


def _whole(binding: Binding, x: Tensor) -> bool:
    slot = binding.slot
    return slot is not None and not binding.over and not binding.region and slot.covers(x.shape[slot.axis])


def _last(x: Tensor, axis: int) -> Tensor:
    return x.movedim(axis, -1).reshape(-1, x.shape[axis])


def _product(a: Tensor, b: Tensor) -> Tensor:
    return a.mT @ b
