"""Coordinate descent over blocks, until no block can gain."""

import math
from collections.abc import Collection, Sequence
from itertools import product

import torch
from torch import Tensor

from parasym.core import Params
from parasym.orbit.alignment import Alignment, Costs
from parasym.orbit.block import Block
from parasym.orbit.head import slice_profits
from parasym.orbit.meeting import meet
from parasym.orbit.solve import solve, solve_profits
from parasym.symmetry import Binding, Move

HIDDEN = 3
"""Uniform signs that are found together at most: every pattern of them is tried."""

RELATIVE_GAIN = 1e-7
"""A block moves only if the objective grows by this part of the norm of its inner products."""

SETTLING = 2
"""Passes after which a descent that still moves is shaken; most networks with residual connections are done by then."""

SHAKEN = 256
"""Channels from which on a wire is shaken. On trained networks of 256 to 2,048 channels the optimum was always better than
without; on random ones of 60 it was often worse."""


def descend(state: Alignment, *, max_sweeps: int, noise: tuple[float, ...] = ()) -> int:
    """Move every block to its best element in turn, until none gains.

    A block is visited only if a block that shares a tensor with it moved since its last visit. A descent that is not done
    after :data:`SETTLING` passes is on rugged ground: the next passes see inner products with falling noise.

    Args:
        state: The state, changed in place.
        max_sweeps: Bound on the number of passes over all blocks.
        noise: Standard deviations of the noise, in those of the inner products, one per pass.

    Returns:
        The number of passes made.
    """
    generator = torch.Generator().manual_seed(0)
    levels = dict(enumerate(noise, start=SETTLING)) if max_sweeps > SETTLING + len(noise) else {}
    for sweep in range(max_sweeps):
        if not any(state.dirty):
            return sweep
        for k in range(len(state.blocks)):
            if sweep in levels and _shakes(state, k):
                shake(state, k, levels[sweep], generator)
            elif state.dirty[k]:
                visit(state, k)
    return max_sweeps


def shake(state: Alignment, k: int, level: float, generator: torch.Generator) -> None:
    """Move one block to the element that is best under noise, whether or not it gains, to be visited again.

    Args:
        state: The state, changed in place.
        k: A block of permutations.
        level: Standard deviation of the noise, in that of the inner products.
        generator: Source of the noise, on the CPU.
    """
    noisy: Costs = {}
    for parity, cost in state.costs(k).items():
        noise = torch.rand(cost.shape, generator=generator, dtype=cost.dtype).to(cost.device)
        noisy[parity] = torch.add(cost, noise, alpha=12**0.5 * level * float(cost.std()))
    moves, _, changed = solve(state.blocks[k], noisy, memory=state.memory[k])
    state.move(k, moves, changed)
    state.dirty[k] = True


def _shakes(state: Alignment, k: int) -> bool:
    block = state.blocks[k]
    plain = block.group.permutes and not block.inner and bool(block.bindings)
    return plain and block.wire.size >= SHAKEN and not _meets_itself(state, k)


def propagate(state: Alignment, blocks: Sequence[int] | None = None, names: Collection[str] | None = None) -> bool:
    """Visit blocks once, each as soon as a tensor anchors it to settled axes only, with such tensors alone.

    The first pass over a network decides much of the result. A wire whose neighbour is not yet matched sees noise through the
    tensor between them, so that tensor is left out until the neighbour is settled; so is a tensor in which the wire meets itself.
    One sign for many whole tensors (the stream of a transformer) hides behind every wire of these: it is found together with
    the first of them.

    Args:
        state: The state, changed in place.
        blocks: Which blocks, the others being settled; all if ``None``.
        names: Which tensors count; all if ``None``.

    Returns:
        Whether every block was anchored; if not, some were visited with all their tensors, and the result depends on the start.
    """
    todo, anchored = list(range(len(state.blocks)) if blocks is None else blocks), True
    while todo:
        k, places, hidden = _next(state, todo, names)
        anchored &= places is not None
        if places is None and names is not None:
            places = [j for j, x in enumerate(state.blocks[k].bindings) if x.tensor in names]
        todo = [o for o in todo if o != k and o not in hidden]
        visit(state, k, places, hidden)
        for o in (k, *hidden):
            state.dirty[o] = True
    return anchored


def _next(state: Alignment, todo: list[int], counted: Collection[str] | None) -> tuple[int, list[int] | None, list[int]]:
    """Return the next block, the places that anchor it, and the uniform signs to be found with it."""
    free = [k for k in todo if not any(k in state.blocks[o].inner for o in todo)]
    uniform = [k for k in todo if is_uniform(state.blocks[k])]
    for hidden in ((), uniform) if uniform else ((),):
        for k in free:
            if not state.blocks[k].bindings:
                return k, [], []
            names = [b.tensor for b in state.blocks[k].bindings]
            within = {k, *state.blocks[k].inner, *hidden}
            settled = [j for j, n in enumerate(names) if not (state.bearers(n) & set(todo)) - within and not crosses(state, k, n)]
            settled = _told_apart(state, k, [j for j in settled if counted is None or names[j] in counted])
            if any(state.a[names[j]].ndim > 1 or is_uniform(state.blocks[k]) for j in settled):
                found = [u for u in hidden if u != k and any(u in state.bearers(names[j]) for j in settled)]
                if len(found) <= HIDDEN:
                    return k, settled, found
    return free[0], None, []


def _told_apart(state: Alignment, k: int, places: list[int]) -> list[int]:
    """Return the places of an outer block whose profits are exact: those with one inner block at most, if there are such."""
    block = state.blocks[k]
    within = [state.blocks[i].bindings for i in block.inner]
    alone = [j for j in places if sum(any(_shares(block.bindings[j], x) for x in some) for some in within) <= 1]
    return alone if any(state.a[block.bindings[j].tensor].ndim > 1 for j in alone) else places


def _shares(one: Binding, two: Binding) -> bool:
    return one.tensor == two.tensor and meet(one, two)


def is_uniform(block: Block) -> bool:
    """Return whether a block is one sign for whole tensors.

    Args:
        block: The block.
    """
    return block.group.flips and block.wire.size == 1


def visit(state: Alignment, k: int, places: list[int] | None = None, hidden: Sequence[int] = ()) -> None:
    """Move one block to its best element, and the blocks inside it after it.

    Args:
        state: The state, changed in place.
        k: The block.
        places: Places that count; all if ``None``.
        hidden: Blocks of uniform signs to be found together with it.
    """
    block = state.blocks[k]
    state.dirty[k] = False
    if not block.bindings:
        return
    outer = block.group.permutes and bool(block.inner)
    if places is None and not outer and not _meets_itself(state, k) and state.stays(k):
        return
    for u in _signs(state, k, places, hidden):
        flip = -torch.ones_like(_first(state, u))
        state.move(u, [Move(state.blocks[u].factor, flip)])
    moves, gain, changed, size = _best(state, k, places, {})
    if gain <= RELATIVE_GAIN * size or (places is None and not outer and _meets_itself(state, k) and not _improves(state, moves)):
        return
    state.move(k, moves, changed)
    if _meets_itself(state, k):
        state.dirty[k] = True
    if outer:
        for inner in block.inner:
            visit(state, inner)


def _best(state: Alignment, k: int, places: list[int] | None, b: Params) -> tuple[list[Move], float, Tensor | None, float]:
    """Return the best moves of a block, their gain, the channels they change, and the size of what counts."""
    block = state.blocks[k]
    if block.group.permutes and block.inner:
        names = None if places is None else {block.bindings[j].tensor for j in places}
        profit, patterns, present = slice_profits(state, k, names, b)
        size = float(profit.diagonal(dim1=-2, dim2=-1).double().abs().sum())
        return *solve_profits(block, profit, patterns, present), size
    costs = state.costs(k, places) if not b else state.trial(k, places, b)
    return *solve(block, costs, memory=None if b else state.memory[k]), _size(costs)


def _signs(state: Alignment, k: int, places: list[int] | None, hidden: Sequence[int]) -> list[int]:
    """Return which uniform signs are to be -1, given that the block is aligned under them."""
    block, best, chosen = state.blocks[k], -math.inf, []
    if not hidden:
        return []
    names = {block.bindings[j].tensor for j in (range(len(block.bindings)) if places is None else places)}
    for pattern in product((False, True), repeat=len(hidden)):
        flipped = [u for u, flip in zip(hidden, pattern, strict=True) if flip]
        b = {n: state.b(n) for n in names}
        for u in flipped:
            for x in state.blocks[u].bindings:
                if x.tensor in names:
                    b[x.tensor] = x.apply(state.blocks[u].group, -torch.ones_like(_first(state, u)), b[x.tensor])
        value = sum(float(torch.dot(state.a[n].flatten(), x.flatten())) for n, x in b.items()) + _best(state, k, places, b)[1]
        if value > best:
            best, chosen = value, flipped
    return chosen


def _first(state: Alignment, u: int) -> Tensor:
    x = state.b(state.blocks[u].bindings[0].tensor)
    return x.new_ones(*(w.size for w in state.blocks[u].over), 1)


def _size(costs: Costs) -> float:
    return sum(float(torch.linalg.vector_norm(c.diagonal(dim1=-2, dim2=-1), 1, dtype=torch.float64)) for c in costs.values())


def _meets_itself(state: Alignment, k: int) -> bool:
    """Return whether the wire bears two axes of one tensor: the inner products are then only a linearization."""
    return any(crosses(state, k, name) for name in {b.tensor for b in state.blocks[k].bindings})


def crosses(state: Alignment, k: int, name: str) -> bool:
    """Return whether a block bears two axes of a tensor.

    Args:
        state: The state.
        k: The block.
        name: The tensor.
    """
    return len({b.axis for b in state.blocks[k].bindings if b.tensor == name}) > 1


def _improves(state: Alignment, moves: list[Move]) -> bool:
    factors = dict.fromkeys(m.factor for m in moves)
    names = {n for f in factors for n in state.symmetry.factor(f).tensors if n in state.a}
    before = after = 0.0
    moved = {n: state.b(n) for n in state.a}
    for move in moves:
        factor = state.symmetry.factor(move.factor)
        for binding in factor.bindings:
            if isinstance(binding, Binding) and binding.tensor in moved:
                moved[binding.tensor] = binding.apply(factor.group, move.value, moved[binding.tensor])
    for n in names:
        before += float((state.a[n] * state.b(n)).double().sum())
        after += float((state.a[n] * moved[n]).double().sum())
    return after > before
