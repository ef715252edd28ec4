"""The tangents of an orbit, all generators of a factor at once."""

from collections.abc import Collection

import torch
from torch import Tensor

from parasym.core import Params
from parasym.symmetry.factor import Factor

_ROOM = 1 << 22
"""Entries of the tangents that are taken at once."""


def tangents(factor: Factor, params: Params, names: Collection[str] | None = None) -> Params:
    r"""Return :math:`\frac{d}{dt}\exp(t\,\xi_k)\,\theta` at :math:`t = 0` for every basis vector of a factor's algebra.

    Args:
        factor: A continuous factor.
        params: A point: the tensors that move and those that are read to move them, of one floating-point type.
        names: Of which tensors; of all that move if ``None``.

    Returns:
        For every such tensor that moves, the tangents of shape ``[dimension, *shape]``.

    Example:
        >>> from parasym.groups import PositiveScaling
        >>> from parasym.symmetry import Binding, Slot, Wire
        >>> factor = Factor(PositiveScaling(2), Wire("w[0]", 2), (), (Binding("w", Slot.whole(0, 2)),))
        >>> tangents(factor, {"w": torch.tensor([3.0, 5.0])})["w"]
        tensor([[3., 0.],
                [0., 5.]])
    """
    wanted = factor.tensors if names is None else names
    example = params[next(name for name in factor.tensors if name in wanted)]
    zero = torch.zeros(*factor.batch, *factor.group.algebra_shape, dtype=example.dtype, device=example.device)

    def moved(xi: Tensor) -> Params:
        return factor.moved(factor.group.exp(xi.reshape(zero.shape)), params, wanted)

    def tangent(xi: Tensor) -> Params:
        return torch.func.jvp(moved, (zero.flatten(),), (xi,))[1]

    basis = torch.eye(zero.numel(), dtype=zero.dtype, device=zero.device)
    size = sum(params[name].numel() for name in factor.tensors if name in wanted)
    return torch.func.vmap(tangent, chunk_size=max(16, _ROOM // max(1, size)))(basis)
