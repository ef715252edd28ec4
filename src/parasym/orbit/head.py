"""The profit of putting one slice of an outer wire, such as a head, in the place of another."""

import torch
from torch import Tensor

from parasym.groups import Permutation
from parasym.orbit.alignment import Alignment, Costs
from parasym.orbit.assignment import assign
from parasym.orbit.block import Block
from parasym.orbit.solve import plane_products, signed_profit
from parasym.symmetry import Wire


def slice_profits(state: Alignment, k: int) -> Tensor:
    r"""Return ``V`` of shape ``[*over, n, n]``: the best inner alignment of slice ``i`` of ``a`` with slice ``j`` of ``b``.

    Every tensor counts once. Where an inner block has its own element per slice, ``V`` counts what that block
    can attain: the nuclear norm of the inner products under rotations, the modulus under phases, the best
    assignment under permutations; elsewhere the plain inner product. It is exact if no two inner blocks share a tensor.

    Args:
        state: The state of the descent.
        k: An outer block, not itself inside another one's slices for the tensors its inner blocks bear.
    """
    block = state.blocks[k]
    counted: set[str] = set()
    total: Tensor | None = None
    for index in block.inner:
        inner = state.blocks[index]
        names = {b.tensor for b in inner.bindings} - counted
        if not names or inner.over[: len(block.over) + 1] != (*block.over, block.wire):
            continue
        counted |= names
        part = _best_inner(state, block, inner, names)
        total = part if total is None else total + part
    rest = [b for b in block.bindings if b.tensor not in counted]
    for binding in rest:
        part = binding.gather(state.a[binding.tensor]).mT @ binding.gather(state.b(binding.tensor))
        total = part if total is None else total + part
    assert total is not None
    return total


def _best_inner(state: Alignment, block: Block, inner: Block, names: set[str]) -> Tensor:
    """Return the attainable inner product of every pair of slices, one row of pairs at a time."""
    at, wire = len(block.over), inner.over
    pairs = [
        (_slices(b.gather(state.a[b.tensor]), wire, at), _slices(b.gather(state.b(b.tensor)), wire, at), parity)
        for b, parity in zip(inner.bindings, inner.parity, strict=True)
        if b.tensor in names
    ]
    rows = []
    for i in range(wire[at].size):
        costs: Costs = {}
        for a, b, parity in pairs:
            part = a.narrow(at, i, 1).mT @ b
            costs[parity] = costs[parity] + part if parity in costs else part
        rows.append(_attained(state, inner, costs).sum(-1))  # [*over, n]
    return torch.stack(rows, dim=at)


def _slices(x: Tensor, over: tuple[Wire, ...], at: int) -> Tensor:
    """Return ``[*over, rest, m]`` as ``[*outer, n, others, rest, m]``: the other inner axes flattened."""
    lead = len(over)
    return x.flatten(at + 1, lead - 1) if lead - at - 1 > 0 else x.unsqueeze(at + 1)


def _attained(state: Alignment, inner: Block, costs: Costs) -> Tensor:
    total = torch.stack(list(costs.values())).sum(0)
    if inner.kind == "rotation":
        return torch.linalg.svdvals(total.double()).sum(-1).to(total)
    if inner.kind == "plane":
        return plane_products(total).abs().sum(-1)
    if inner.kind == "sign":
        return total.diagonal(dim1=-2, dim2=-1).abs().sum(-1)
    profit, _ = signed_profit(costs, len(inner.signs))
    group = state.symmetry.factor(inner.factor).group
    assert isinstance(group, Permutation)
    flat = profit.reshape(-1, *profit.shape[-2:])
    best = [c.gather(1, assign(c, group.cells)[0].to(c.device).unsqueeze(1)).sum() for c in flat]
    return torch.stack(best).reshape(profit.shape[:-2])
