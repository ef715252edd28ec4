"""A proof that channels are best left where they are, from some of their inner products."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from parasym.orbit.pending import channels_last

PARTS = 4
"""Parts of a tensor after each of which a proof is tried."""


def unless_identity(products: Tensor, rest: Iterable[tuple[Tensor, Tensor, int]]) -> Tensor | None:
    r"""Return all inner products, or ``None`` as soon as some of them prove that no permutation is better than the identity.

    Of slices :math:`a_i` and :math:`b_j` of what does not count yet, :math:`2 \langle a_i, b_j \rangle \le |a_i|^2 + |b_j|^2`.
    The sum of the right side over a permutation is the same for all, so a permutation gains there at most
    :math:`\tfrac12 |a_i - b_i|^2` for every channel that it moves. The identity is best if the :func:`margins` of ``C`` are no
    less, as between noisy copies of one network.

    Args:
        products: Inner products ``C`` that count already, of shape ``[n, n]``; not modified.
        rest: Tensors of ``a`` and ``b``, and the axis of their channels.

    Example:
        >>> a, c = torch.tensor([[3.0, 0.0], [0.0, 3.0]]), 2 * torch.eye(2)
        >>> unless_identity(c, [(a, a + 1, 0)])  # squared distances of 2
        >>> unless_identity(c, [(a, 3 - a, 0)])
        tensor([[2., 9.],
                [9., 2.]])
    """
    parts = [part for a, b, axis in rest for part in _parts(a, b, axis)]
    bounds = torch.stack([_squares(a - b, axis) for a, b, axis in parts]) / 2
    total = products.clone()
    for k, (a, b, axis) in enumerate(parts):
        if (margins(total) >= bounds[k:].sum(0)).all():
            return None
        total.addmm_(channels_last(a, axis).mT, channels_last(b, axis))
    return total


def margins(products: Tensor) -> Tensor:
    r"""Return what a permutation loses at least for every channel that it moves, of shape ``[n]``.

    It is :math:`\min_{j \ne i} \tfrac12 (C_{ii} + C_{jj}) - C_{ij}`: summed over a permutation, half the diagonal at each end is
    the diagonal.

    Args:
        products: Inner products ``C`` of shape ``[n, n]``.
    """
    own = products.diagonal() / 2
    return own - (products - own).fill_diagonal_(-torch.inf).amax(1)


def _parts(a: Tensor, b: Tensor, axis: int) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Yield parts of two tensors, cut along the first other axis."""
    across = int(axis == 0)
    step = -(-a.shape[across] // PARTS)
    for some, now in zip(a.split(step, across), b.split(step, across), strict=True):
        yield some, now, axis


def _squares(x: Tensor, axis: int) -> Tensor:
    """Return the squared norms of the channels of an axis; all other axes at once would take twice as long."""
    squares = x.square()
    return (squares.sum(0).movedim(axis - 1, 0) if axis else squares).reshape(x.shape[axis], -1).sum(1)
