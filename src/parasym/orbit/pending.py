"""A tensor whose permutations and signs pile up until somebody looks at it."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

CHUNK = 1 << 18
"""Entries of a tensor that are put in order at a time: so many stay in the cache until they are multiplied."""


class Order(NamedTuple):
    """What is to become of an axis.

    Attributes:
        permutation: Which channel comes to each place.
        sign: 1 or -1 for each place; ``None`` for none.
    """

    permutation: Tensor
    sign: Tensor | None


class Change(NamedTuple):
    """A move of some channels.

    Attributes:
        axis: The axis.
        channels: The places whose channel or sign changed.
        before: The order of the axis before; ``None`` if there was none.
    """

    axis: int
    channels: Tensor
    before: Order | None


class Pending:
    """A tensor, and for each of its axes a permutation with signs that is not carried out yet.

    Channel ``i`` of an axis is to become ``sign[i]`` times channel ``permutation[i]``. Permutations of one axis are composed as
    indices. Inner products are taken a few slices at a time, so that no tensor is ever written in its new order.

    Example:
        >>> x = Pending(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        >>> x.move(0, torch.tensor([1, 0]), None)
        >>> x.move(1, torch.tensor([1, 0]), torch.tensor([1.0, -1.0]))
        >>> x.tensor()
        tensor([[ 4., -3.],
                [ 2., -1.]])
        >>> x.products(torch.eye(2), 1)
        tensor([[ 4., -3.],
                [ 2., -1.]])
    """

    def __init__(self, x: Tensor) -> None:
        """Start with a tensor as it is.

        Args:
            x: The tensor. Never modified.
        """
        self._x = x
        self._axes: dict[int, Order] = {}

    def move(self, axis: int, permutation: Tensor, sign: Tensor | None) -> None:
        """Permute an axis and flip signs, later.

        Args:
            axis: The axis.
            permutation: Which channel comes to each place.
            sign: 1 or -1 for each place; ``None`` for none.
        """
        if axis in self._axes:
            first, flipped = self._axes[axis]
            permutation, flipped = first[permutation], None if flipped is None else flipped[permutation]
            sign = flipped if sign is None else sign if flipped is None else sign * flipped
        self._axes[axis] = Order(permutation, sign)

    def order(self, axis: int) -> Order | None:
        """Return what is to become of an axis; ``None`` if it stays.

        Args:
            axis: The axis.
        """
        return self._axes.get(axis)

    def tensor(self) -> Tensor:
        """Return the tensor as it is now; not to be modified."""
        for axis, order in self._axes.items():
            self._x = _taken(self._x, axis, slice(None), order)
        self._axes.clear()
        return self._x

    def products(self, a: Tensor, axis: int, *, since: Change | None = None, onto: Tensor | None = None) -> Tensor:
        r"""Return :math:`C_{ij} = \langle a_i, x_j \rangle` for the channels of an axis, of shape ``[n, n]``.

        Args:
            a: A tensor of the same shape.
            axis: The axis.
            since: Return only by how much they changed with this last move, of another axis.
            onto: Inner products to which they are added in place.
        """
        x, n, own = self._x, a.shape[axis], self._axes.get(axis)
        few = since is not None and len(since.channels) * x.numel() < n * n * x.shape[since.axis]
        late = own is not None and not few  # it takes less to put the products in order than what is multiplied
        total = onto if onto is not None and not late else x.new_zeros(n, n)
        if since is None and not self._axes.keys() - {axis} and (axis == 0 or x.ndim == 2):
            total.addmm_(channels_last(a, axis).mT, channels_last(x, axis))
        elif axis == 0:
            some = a if since is None else a.index_select(since.axis, since.channels)
            now = torch.empty_like(some)
            for at in _runs(x, len(x)):  # gathering from a copy of a run is twice as fast as from memory
                rows = x[at].clone() if since is None else _taken(x, 0, at, None if late else own)
                now[at] = self._ordered(rows, axis, since)
            total.addmm_(channels_last(some, 0).mT, channels_last(now, 0))
        else:
            for some, now in self._slices(a, since):
                moved = self._ordered(now, axis, since)
                moved = moved if late else _taken(moved, axis, slice(None), own)
                total.addmm_(channels_last(some, axis).mT, channels_last(moved, axis))
        if late:
            total = _taken(total, 1, slice(None), own)
        return total if onto is None or not late else onto.add_(total)

    def _slices(self, a: Tensor, since: Change | None) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield runs of slices of ``a`` and of the tensor, whose first axis alone is in order."""
        x, order = self._x, self._axes.get(0)
        if since is None or since.axis:
            for at in _runs(x, len(x)):
                yield a[at] if since is None else a[at].index_select(since.axis, since.channels), _taken(x, 0, at, order)
            return
        for run in _runs(x, len(since.channels)):
            at = since.channels[run]
            yield a[at], _taken(x, 0, at, order) - _taken(x, 0, at, since.before)

    def _ordered(self, x: Tensor, axis: int, since: Change | None) -> Tensor:
        """Return slices of the first axis with the later axes in order, but the given one."""
        for d in range(1, x.ndim):
            order = self._axes.get(d)
            if since is not None and d == since.axis:
                x = _taken(x, d, since.channels, order) - _taken(x, d, since.channels, since.before)
            elif order is not None and d != axis:
                x = _taken(x, d, slice(None), order)
        return x


def _runs(x: Tensor, length: int) -> Iterator[slice]:
    """Yield so many places of the first axis in runs that fit into the cache."""
    step = max(1, CHUNK * len(x) // x.numel())
    return (slice(first, first + step) for first in range(0, length, step))


def channels_last(x: Tensor, axis: int) -> Tensor:
    """Return ``[rest, n]`` with the given axis last: a transposed view where that needs no copy.

    Args:
        x: The tensor.
        axis: The axis.
    """
    if axis == 0:
        return x.reshape(len(x), -1).mT
    before, n = x.shape[:axis].numel(), x.shape[axis]
    # Three axes at most: torch copies a strided tensor of four several times more slowly.
    return x.reshape(before, n, -1).transpose(0, 1).reshape(n, -1).mT


def _taken(x: Tensor, axis: int, at: Tensor | slice, order: Order | None) -> Tensor:
    """Return some places of an axis in an order: a view if they follow each other and stay."""
    if order is None:
        return x[(slice(None),) * axis + (at,)] if isinstance(at, slice) else x.index_select(axis, at)
    out = x.index_select(axis, order.permutation[at])
    return out if order.sign is None else out.mul_(order.sign[at].reshape([-1 if d == axis else 1 for d in range(x.ndim)]))
