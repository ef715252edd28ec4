"""Linear assignment, solved only where it is not already solved."""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def assign(profit: Tensor, cells: tuple[tuple[int, ...], ...] = ()) -> Tensor:
    r"""Return the permutation ``p`` that maximizes :math:`\sum_i C_{i,p(i)}` and keeps every cell.

    If the row-wise argmax is already a permutation it is optimal: no permutation can have a larger sum than
    :math:`\sum_i \max_j C_{ij}`, and this one attains it. The solver runs only otherwise.

    Args:
        profit: A matrix ``C`` of shape ``[n, n]``.
        cells: Partition of ``range(n)``; empty means one cell.

    Returns:
        Indices of shape ``[n]`` on the CPU.

    Example:
        >>> assign(torch.tensor([[1.0, 5.0], [4.0, 1.0]]))  # the argmax is a permutation
        tensor([1, 0])
        >>> assign(torch.tensor([[4.0, 5.0], [0.0, 5.0]]))  # both rows want column 1
        tensor([0, 1])

    References:
        Crouse. On implementing 2D rectangular assignment algorithms. 2016.
    """
    profit = profit.detach().cpu()
    if not cells:
        return _assign(profit)
    p = torch.arange(profit.shape[0])
    for cell in cells:
        if len(cell) > 1:
            index = torch.tensor(cell)
            p[index] = index[_assign(profit[index][:, index])]
    return p


def _assign(profit: Tensor) -> Tensor:
    best = profit.argmax(dim=1)
    if is_permutation(best):
        return best
    return torch.from_numpy(linear_sum_assignment(profit.numpy(), maximize=True)[1].astype(np.int64))


def is_permutation(p: Tensor) -> bool:
    """Return whether every index occurs once.

    Args:
        p: Indices of shape ``[n]``.
    """
    return bool((torch.bincount(p, minlength=len(p)) == 1).all())
