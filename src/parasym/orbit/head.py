"""The profit of putting one slice of an outer wire, such as a head, in the place of another."""

import torch
from torch import Tensor

from parasym.groups import Permutation
from parasym.orbit.alignment import Alignment
from parasym.orbit.assignment import assign
from parasym.orbit.block import Block
from parasym.orbit.solve import plane_products
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
        part = binding.gather(state.a[binding.tensor]).mT @ binding.gather(state.b[binding.tensor])
        total = part if total is None else total + part
    assert total is not None
    return total


def _best_inner(state: Alignment, block: Block, inner: Block, names: set[str]) -> Tensor:
    """Return the attainable inner product of every pair of slices, one row of pairs at a time."""
    at, wire = len(block.over), inner.over
    n = wire[at].size
    pairs = [
        (_slices(b.gather(state.a[b.tensor]), wire, at), _slices(b.gather(state.b[b.tensor]), wire, at), odd)
        for b, odd in zip(inner.bindings, inner.odd, strict=True)
        if b.tensor in names
    ]
    rows = []
    for i in range(n):
        even = sum((a[..., i : i + 1, :, :, :].mT @ b for a, b, odd in pairs if not odd), torch.zeros(()))
        odd = sum((a[..., i : i + 1, :, :, :].mT @ b for a, b, odd in pairs if odd), torch.zeros(()))
        rows.append(_attained(state, inner, even.to(pairs[0][0]), odd.to(pairs[0][0])))  # [*over, n, others]
    return torch.stack(rows, dim=at).sum(-1)


def _slices(x: Tensor, over: tuple[Wire, ...], at: int) -> Tensor:
    """Return ``[*over, rest, m]`` as ``[*outer, n, others, rest, m]``: the other inner axes flattened."""
    lead = len(over)
    return x.flatten(at + 1, lead - 1) if lead - at - 1 > 0 else x.unsqueeze(at + 1)


def _attained(state: Alignment, inner: Block, even: Tensor, odd: Tensor) -> Tensor:
    if inner.kind == "rotation":
        return torch.linalg.svdvals((even + odd).double()).sum(-1).to(odd)
    if inner.kind == "plane":
        return plane_products(even + odd).abs().sum(-1)
    if inner.kind == "sign":
        return (even + odd).diagonal(dim1=-2, dim2=-1).abs().sum(-1)
    profit = even + (odd.abs() if inner.sign is not None else odd)
    group = state.symmetry.factors[inner.factor].group
    assert isinstance(group, Permutation)
    flat = profit.reshape(-1, *profit.shape[-2:])
    best = [c.gather(1, assign(c, group.cells).to(c.device).unsqueeze(1)).sum() for c in flat]
    return torch.stack(best).reshape(profit.shape[:-2])
