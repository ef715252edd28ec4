"""The best element of one block, given the inner products of its channels."""

import torch
from torch import Tensor

from parasym.groups import Permutation
from parasym.orbit.alignment import Costs
from parasym.orbit.assignment import Prices, assign
from parasym.orbit.block import Block
from parasym.symmetry import Move, Symmetry


def solve(
    symmetry: Symmetry, block: Block, costs: Costs, *, prices: list[Prices | None] | None = None
) -> tuple[list[Move], float, Tensor | None]:
    r"""Return the moves of a block that maximize :math:`\sum_{ij} g_{ij} C_{ij}`.

    Args:
        symmetry: The symmetry.
        block: The block.
        costs: Inner products ``C`` by parity, of shape ``[*over, n, n]``.
        prices: Prices of earlier assignments, one per slice; replaced in place.

    Returns:
        The moves, the gain over the identity, and the channels that change (``None`` for "all").
    """
    if block.kind == "permutation":
        profit, patterns = signed_profit(costs, len(block.signs))
        none = torch.zeros(profit.shape[:-1], dtype=profit.dtype, device=profit.device)
        present = sum((c.diagonal(dim1=-2, dim2=-1) for c in costs.values()), none)
        return solve_permutation(symmetry, block, profit, patterns, present, prices)
    total = torch.stack(list(costs.values())).sum(0)
    diagonal = total.diagonal(dim1=-2, dim2=-1)
    before = diagonal.double().sum().item()
    if block.kind == "sign":
        value = torch.where(diagonal < 0, -1.0, 1.0).to(total)
        changed = (value < 0).nonzero().flatten() if value.ndim == 1 else None
        return [Move(block.factor, value)], diagonal.double().abs().sum().item() - before, changed
    value, best = phases(total) if block.kind == "plane" else procrustes(total)
    return [Move(block.factor, value)], best.double().sum().item() - before, None


def solve_permutation(
    symmetry: Symmetry, block: Block, profit: Tensor, patterns: Tensor, present: Tensor, prices: list[Prices | None] | None = None
) -> tuple[list[Move], float, Tensor | None]:
    """Return what :func:`solve` does for a block of permutations, given its profits.

    Args:
        symmetry: The symmetry.
        block: The block.
        profit: What every pair of channels can attain, of shape ``[*over, n, n]``.
        patterns: The signs that attain it: bit ``s`` is set where sign ``s`` of the block is -1.
        present: What the channels have where they are, of shape ``[*over, n]``.
        prices: Prices of earlier assignments, one per slice; replaced in place.
    """
    group = symmetry.factor(block.factor).group
    assert isinstance(group, Permutation)
    n = profit.shape[-1]
    flat = profit.reshape(-1, n, n)
    solved = [assign(c, group.cells, v) for c, v in zip(flat, prices or [None] * len(flat), strict=True)]
    if prices is not None:
        prices[:] = [v for _, v in solved]
    p = torch.stack([q for q, _ in solved]).to(profit.device).reshape(profit.shape[:-1])
    chosen = profit.gather(-1, p.unsqueeze(-1)).squeeze(-1)
    moved = p != torch.arange(n, device=p.device)
    moves = [Move(block.factor, p)]
    for k, sign in enumerate(block.signs):
        best = patterns.gather(-1, p.unsqueeze(-1)).squeeze(-1)
        flips = 1 - 2 * ((best >> k) & 1)
        moves.append(Move(sign, flips.to(profit)))
        moved |= flips < 0
    return moves, (chosen - present).double().sum().item(), moved.nonzero().flatten() if p.ndim == 1 else None


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
    best = pattern = None
    for bits in range(2**count):
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


def procrustes(c: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return the orthogonal ``g`` maximizing :math:`\sum_{ij} g_{ij} C_{ij}`, and the maximum.

    With :math:`C = U S V^\top` it is :math:`g = U V^\top` and the maximum is the nuclear norm.

    Args:
        c: Matrices of shape ``[*batch, n, n]``.

    Example:
        >>> g, best = procrustes(torch.tensor([[0.0, -2.0], [1.0, 0.0]]))
        >>> g.round(), best
        (tensor([[ 0., -1.],
                [ 1.,  0.]]), tensor(3.))

    References:
        Schönemann. A generalized solution of the orthogonal Procrustes problem. 1966.
    """
    u, s, vh = torch.linalg.svd(c.double())
    return (u @ vh).to(c), s.sum(-1).to(c)


def phases(c: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return the unit complex numbers that align each plane best, and what they attain.

    Args:
        c: Inner products of shape ``[*batch, 2n, 2n]``: the ``n`` real parts, then the ``n`` imaginary ones.

    Returns:
        Complex ``z`` of shape ``[*batch, n]``, and the attained inner products.
    """
    z = plane_products(c)
    size = z.abs()
    return torch.where(size > 0, z / size.clamp_min(torch.finfo(size.dtype).tiny), torch.ones_like(z)), size


def plane_products(c: Tensor) -> Tensor:
    r"""Return :math:`\langle a_i, b_i \rangle` of every plane as a complex number.

    Args:
        c: Inner products of shape ``[*batch, 2n, 2n]``.
    """
    n = c.shape[-1] // 2
    real = (c[..., :n, :n] + c[..., n:, n:]).diagonal(dim1=-2, dim2=-1)
    imag = (c[..., n:, :n] - c[..., :n, n:]).diagonal(dim1=-2, dim2=-1)
    return torch.complex(real.contiguous(), imag.contiguous())
