"""Small wires: every element of a few of them is tried, so that what is left is solved exactly."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from math import prod

import torch

from parasym.core import Params
from parasym.orbit.alignment import Alignment
from parasym.orbit.block import Block
from parasym.orbit.descent import crosses, visit
from parasym.orbit.meeting import meet
from parasym.symmetry import Element, Move, Symmetry

LIMIT = 150
"""Elements that are tried at most: every hidden wire of five units, and a third of a second for a small network."""

ENTRIES = 20_000
"""Numbers in all tensors up to which it is worth it."""


@dataclass(frozen=True)
class Plan:
    """How to find the closest element with certainty.

    Attributes:
        tried: Blocks of which every element is tried.
        solved: The others, outer ones first: none shares a tensor with another, so each is solved exactly.
    """

    tried: tuple[int, ...]
    solved: tuple[int, ...]


def may_try_all(state: Alignment) -> bool:
    """Return whether an alignment has so few numbers that every element of small wires can be tried.

    Args:
        state: The state of an alignment.
    """
    return sum(x.numel() for x in state.a.values()) <= ENTRIES


def plan_of(state: Alignment) -> Plan | None:
    """Return the cheapest plan, or ``None`` if every one tries more than :data:`LIMIT` elements.

    Two blocks are in each other's way if they move the same numbers: then what is best for one depends on the other. Slices
    and what lies within one slice are not, since the profit of two slices counts the best inner alignment.

    Args:
        state: The state of an alignment; only its blocks and shapes count.
    """
    blocks = state.blocks
    count = range(len(blocks))
    alone = {k for k in count if any(crosses(state, k, b.tensor) for b in blocks[k].bindings)}
    edges = [(k, o) for k, o in combinations(count, 2) if _in_the_way(blocks, k, o)]
    sizes = {k: size for k in count if (size := _order(state.symmetry, blocks[k])) <= LIMIT}
    nodes = sorted((k for k in sizes if k in alone or any(k in e for e in edges)), key=sizes.__getitem__)[:8]
    best: tuple[float, tuple[int, ...]] | None = None
    for tried in (c for n in range(len(nodes) + 1) for c in combinations(nodes, n)):
        size = prod(sizes[k] for k in tried)
        whole = all(o in tried for k in tried for o in count if k in blocks[o].inner)
        if size <= LIMIT and whole and alone <= {*tried} and all({k, o} & {*tried} for k, o in edges):
            best = min(best or (size, tried), (size, tried))
    return None if best is None else Plan(best[1], tuple(k for k in count if k not in best[1]))


def best_of_all(symmetry: Symmetry, blocks: tuple[Block, ...], plan: Plan, a: Params, b: Params) -> tuple[float, Element]:
    """Return the largest inner product of ``a`` and a moved ``b``, and the element that attains it.

    Args:
        symmetry: The symmetry.
        blocks: Its blocks.
        plan: Their plan.
        a: The target, in the balanced gauge.
        b: What is moved, in the balanced gauge.
    """
    best, element = -math.inf, Element(symmetry)
    for moves in product(*(list(_elements(symmetry, blocks[k])) for k in plan.tried)):
        state = Alignment(symmetry, blocks, a, b)
        for k, some in zip(plan.tried, moves, strict=True):
            state.move(k, list(some))
        for k in plan.solved:
            visit(state, k)
        value = state.value()
        if value > best:
            best, element = value, state.element()
    return best, element


def _in_the_way(blocks: tuple[Block, ...], k: int, o: int) -> bool:
    outer, inner = (blocks[i] for i in ((k, o) if o in blocks[k].inner else (o, k)))
    if inner.over == (*outer.over, outer.wire):
        return False
    return any(x.tensor == y.tensor and meet(x, y) for x in blocks[k].bindings for y in blocks[o].bindings)


def _order(symmetry: Symmetry, block: Block) -> float:
    groups = [symmetry.factor(k).group for k in (block.factor, *block.signs)]
    if not all(group.can("elements") for group in groups):
        return math.inf
    return prod(group.order for group in groups) ** prod(wire.size for wire in block.over)


def _elements(symmetry: Symmetry, block: Block) -> Iterator[tuple[Move, ...]]:
    """Yield the moves of every element of a block."""
    factors = [symmetry.factor(k) for k in (block.factor, *block.signs)]
    for chosen in product(*(product(list(f.group.elements()), repeat=prod(f.batch)) for f in factors)):
        yield tuple(Move(f.id, torch.stack(x).reshape(*f.batch, *x[0].shape)) for f, x in zip(factors, chosen, strict=True))
