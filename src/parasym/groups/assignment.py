"""Linear assignment, solved only where it is not already solved."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from parasym.groups.sparse import assign_sparsely

Prices = NDArray[np.floating]

WARM_SIZE = 128
"""Assignments of at least this size start from the prices of the last one."""

FEW = 1 / 8
"""Part of the rows that may prefer another column under the last prices for the identity to be likely the optimum still."""

STEPS = 20
"""Bound on the passes that prove the identity; two or three are enough for costs that come from networks."""


def assign(profit: Tensor, cells: tuple[tuple[int, ...], ...] = (), prices: Prices | None = None) -> tuple[Tensor, Prices | None]:
    r"""Return the permutation ``p`` that maximizes :math:`\sum_i C_{i,p(i)}` and keeps every cell.

    If the row-wise argmax is already a permutation it is optimal: no permutation can have a larger sum than
    :math:`\sum_i \max_j C_{ij}`, and this one attains it. Prices ``v`` with :math:`C_{ij} - v_j \le C_{ii} - v_i` prove that
    the identity is optimal: sum over any permutation and the prices cancel. The solver runs only where neither is the
    case, and then on :math:`C_{ij} - v_j`, which has the same solution and few rows that still compete.

    Args:
        profit: A matrix ``C`` of shape ``[n, n]``.
        cells: Partition of ``range(n)``; empty means one cell.
        prices: Prices of the columns from an earlier solution, in the present order.

    Returns:
        Indices of shape ``[n]`` on the CPU, and prices in the new order (``None`` where none were needed).

    Example:
        >>> assign(torch.tensor([[1.0, 5.0], [4.0, 1.0]]))[0]  # the argmax is a permutation
        tensor([1, 0])
        >>> assign(torch.tensor([[4.0, 5.0], [0.0, 5.0]]))[0]  # both rows want column 1
        tensor([0, 1])

    References:
        Crouse. On implementing 2D rectangular assignment algorithms. 2016.
        Bertsekas. The auction algorithm. 1988.
    """
    profit = profit.detach().cpu()
    if not cells:
        return _assign(profit, prices)
    p = torch.arange(profit.shape[0])
    for cell in cells:
        if len(cell) > 1:
            index = torch.tensor(cell)
            p[index] = index[_assign(profit[index][:, index], None)[0]]
    return p, None


def _assign(profit: Tensor, prices: Prices | None) -> tuple[Tensor, Prices | None]:
    c, n = profit.numpy(), len(profit)
    best = torch.from_numpy(c.argmax(axis=1))
    if is_permutation(best):
        return best, None if prices is None else prices[best.numpy()]
    if n < WARM_SIZE:
        return torch.from_numpy(linear_sum_assignment(c, maximize=True)[1].astype(np.int64)), None
    if prices is not None and np.count_nonzero((c - prices).max(axis=1) > c.diagonal() - prices) <= n * FEW:
        raised, proved = raise_prices(c, prices, steps=STEPS)
        if proved:
            return torch.arange(n), raised
    found = assign_sparsely(c, prices)
    if found is None:
        return torch.from_numpy(linear_sum_assignment(c, maximize=True)[1].astype(np.int64)), None
    p, prices = found
    return torch.from_numpy(p), prices[p]


def raise_prices(c: Prices, prices: Prices, *, steps: int) -> tuple[Prices, bool]:
    r"""Return prices under which fewer rows prefer another column to their own, and whether none does.

    Bellman and Ford's shortest paths: :math:`v_j \leftarrow \max(v_j, \max_i C_{ij} - C_{ii} + v_i)`, over the rows whose own
    price rose. If none does, the identity is optimal; where another permutation is better prices rise for ever.

    Args:
        c: Profits of shape ``[n, n]``.
        prices: Prices of the columns to start from.
        steps: Bound on the passes.

    Example:
        >>> raise_prices(np.array([[4.0, 5.0], [0.0, 5.0]]), np.zeros(2), steps=2)  # row 0 would rather have column 1
        (array([0., 1.]), True)
        >>> raise_prices(np.array([[4.0, 5.0], [5.0, 5.0]]), np.zeros(2), steps=2)[1]  # the exchange is better
        False
    """
    attained = c.diagonal()
    slack = 1e-7 * np.abs(attained).mean()
    active = np.arange(len(c))
    for _ in range(steps):
        rows = c if len(active) == len(c) else c[active]
        wanted = (rows + (prices - attained)[active, None]).max(axis=0)
        risen = wanted > prices + slack
        if not risen.any():
            return prices, True
        prices = np.where(risen, wanted, prices)
        active = np.flatnonzero(risen)
    return prices, False


def is_permutation(p: Tensor) -> bool:
    """Return whether every index occurs once.

    Args:
        p: Indices of shape ``[n]``.
    """
    return bool((torch.bincount(p, minlength=len(p)) == 1).all())
