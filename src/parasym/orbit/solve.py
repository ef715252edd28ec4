"""The best element of one block, given the inner products of its channels."""

from typing import Any

import torch
from torch import Tensor

from parasym.orbit.alignment import Costs
from parasym.orbit.block import Block
from parasym.symmetry import Move


def solve(block: Block, costs: Costs, *, memory: list[Any] | None = None) -> tuple[list[Move], float, Tensor | None]:
    r"""Return the moves of a block that maximize :math:`\sum_{ij} g_{ij} C_{ij}`.

    Args:
        block: The block.
        costs: Inner products ``C`` by parity, of shape ``[*over, n, n]``.
        memory: What the group remembers from solution to solution; changed in place.

    Returns:
        The moves, the gain over the identity, and the channels that change (``None`` for "all").
    """
    profit, patterns = signed_profit(costs, len(block.signs))
    none = torch.zeros(profit.shape[:-1], dtype=profit.dtype, device=profit.device)
    present = sum((c.diagonal(dim1=-2, dim2=-1) for c in costs.values()), none)
    return solve_profits(block, profit, patterns, present, memory)


def solve_profits(
    block: Block, profit: Tensor, patterns: Tensor, present: Tensor, memory: list[Any] | None = None
) -> tuple[list[Move], float, Tensor | None]:
    """Return what :func:`solve` does, given the profits.

    Args:
        block: The block.
        profit: What every pair of channels can attain, of shape ``[*over, n, n]``.
        patterns: The signs that attain it: bit ``s`` is set where sign ``s`` of the block is -1.
        present: What the channels have where they are, of shape ``[*over, n]``.
        memory: What the group remembers from solution to solution; changed in place.
    """
    value = block.group.align(profit) if memory is None else block.group.realign(profit, memory)
    gain = block.group.product(value, profit) - present.double().sum(-1)
    moves, changed = [Move(block.factor, value)], None
    if block.group.flips:
        changed = value < 0
    if block.group.permutes:
        changed = value != torch.arange(value.shape[-1], device=value.device)
        for k, sign in enumerate(block.signs):
            best = patterns.gather(-1, value.unsqueeze(-1)).squeeze(-1)
            flips = 1 - 2 * ((best >> k) & 1)
            moves.append(Move(sign, flips.to(profit)))
            changed |= flips < 0
    return moves, float(gain.sum()), changed.nonzero().flatten() if changed is not None and changed.ndim == 1 else None


def signed_profit(costs: Costs, count: int) -> tuple[Tensor, Tensor]:
    r"""Return the best inner products over all signs, and which signs attain them.

    With one sign it is :math:`C^{even} + |C^{odd}|`; with ``count`` of them the maximum over :math:`2^{count}` patterns.

    Args:
        costs: Inner products by parity, of shape ``[*over, n, n]``.
        count: Number of independent signs per channel.

    Returns:
        The maximum, and the pattern that attains it: bit ``k`` is set where sign ``k`` is -1.
    """
    if count == 0:
        total = torch.stack(list(costs.values())).sum(0) if len(costs) > 1 else next(iter(costs.values()))
        return total, torch.zeros((), dtype=torch.long)
    like = next(iter(costs.values()))
    total, pattern = torch.zeros_like(like), torch.zeros_like(like, dtype=torch.long)
    for signs in _linked(costs, count):
        some = {parity: cost for parity, cost in costs.items() if any(parity[k] for k in signs)}
        if some:
            best, bits = _best_pattern(some, signs)
            total, pattern = total + best, pattern | bits
    for parity, cost in costs.items():
        if not any(parity):
            total = total + cost
    return total, pattern


def _linked(costs: Costs, count: int) -> list[list[int]]:
    """Return the signs in groups that no inner product links: a deep network has two for every layer, each by itself."""
    groups = [{k} for k in range(count)]
    for parity in costs:
        joined = {k for k, flipped in enumerate(parity) if flipped}
        touched = [group for group in groups if group & joined]
        groups = [group for group in groups if not group & joined]
        groups += [set().union(*touched)] if touched else []
    return [sorted(group) for group in groups]


def _best_pattern(costs: Costs, signs: list[int]) -> tuple[Tensor, Tensor]:
    """Return the best inner products over all patterns of some signs, and the pattern that attains them."""
    best = pattern = None
    for chosen in range(2 ** len(signs)):
        bits = sum(1 << k for at, k in enumerate(signs) if chosen >> at & 1)
        value: Tensor | None = None
        for parity, cost in costs.items():
            odd = sum(bits >> k & 1 for k, flipped in enumerate(parity) if flipped) % 2
            value = (-cost if odd else cost) if value is None else (value - cost if odd else value + cost)
        assert value is not None
        if best is None or pattern is None:
            best, pattern = value, torch.zeros_like(value, dtype=torch.long)
        else:
            pattern = torch.where(value > best, bits, pattern)
            best = torch.maximum(value, best)
    assert best is not None
    assert pattern is not None
    return best, pattern
