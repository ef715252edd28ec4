"""The best element of one block, given the inner products of its channels."""

import torch
from torch import Tensor

from parasym.groups import Permutation
from parasym.orbit.assignment import assign
from parasym.orbit.block import Block
from parasym.symmetry import Move, Symmetry


def solve(symmetry: Symmetry, block: Block, even: Tensor, odd: Tensor | None) -> tuple[list[Move], float, Tensor | None]:
    r"""Return the moves of a block that maximize :math:`\sum_{ij} g_{ij} C_{ij}`.

    Args:
        symmetry: The symmetry.
        block: The block.
        even: The part ``C`` that does not change with the signs, of shape ``[*over, n, n]``.
        odd: The part that does, or ``None``.

    Returns:
        The moves, the gain over the identity, and the channels that change (``None`` for "all").
    """
    if block.kind == "permutation":
        return _solve_permutation(symmetry, block, even, odd)
    total = even if odd is None else even + odd
    before = total.diagonal(dim1=-2, dim2=-1).sum().item()
    if block.kind == "sign":
        diagonal = total.diagonal(dim1=-2, dim2=-1)
        value = torch.where(diagonal < 0, -1.0, 1.0).to(total)
        changed = (value < 0).nonzero().flatten() if value.ndim == 1 else None
        return [Move(block.factor, value)], diagonal.abs().sum().item() - before, changed
    if block.kind == "plane":
        value, best = phases(total)
    else:
        value, best = procrustes(total)
    return [Move(block.factor, value)], best.sum().item() - before, None


def _solve_permutation(symmetry: Symmetry, block: Block, even: Tensor, odd: Tensor | None) -> tuple[list[Move], float, Tensor | None]:
    group = symmetry.factors[block.factor].group
    assert isinstance(group, Permutation)
    profit = even if odd is None else even + (odd.abs() if block.sign is not None else odd)
    n = profit.shape[-1]
    flat = profit.reshape(-1, n, n)
    p = torch.stack([assign(c, group.cells) for c in flat]).to(profit.device).reshape(profit.shape[:-1])
    chosen = profit.gather(-1, p.unsqueeze(-1)).squeeze(-1)
    signed = even if odd is None else even + odd
    gain = (chosen - signed.diagonal(dim1=-2, dim2=-1)).double().sum().item()
    moves, moved = [Move(block.factor, p)], p != torch.arange(n, device=p.device)
    if block.sign is not None and odd is not None:
        picked = odd.gather(-1, p.unsqueeze(-1)).squeeze(-1)
        signs = torch.where(picked < 0, -1.0, 1.0).to(profit)
        moves.append(Move(block.sign, signs))
        moved |= signs < 0
    return moves, gain, moved.nonzero().flatten() if p.ndim == 1 else None


def procrustes(c: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return the orthogonal ``g`` maximizing :math:`\sum_{ij} g_{ij} C_{ij}`, and the maximum.

    With :math:`C = U S V^\top` it is :math:`g = U V^\top` and the maximum is the nuclear norm.

    Args:
        c: Matrices of shape ``[*batch, n, n]``.

    Example:
        >>> g, best = procrustes(torch.tensor([[0.0, -2.0], [1.0, 0.0]]))
        >>> g.round(), best
        (tensor([[0., -1.],
                [1., 0.]]), tensor(3.))

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
