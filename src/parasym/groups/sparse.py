"""Linear assignment on the few entries that can matter, with a proof that no other entry does."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

Floats = NDArray[np.floating]
Integers = NDArray[np.int64]

CANDIDATES = 24
"""Entries per row to start with; columns too where there are no prices yet. Fewer take more rounds, more take longer each."""

SAMPLED = 64
"""Rows that say how close to its assigned entry the best ``CANDIDATES`` entries of a row come."""

ROUNDS = 6
"""Bound on the rounds; three or four are enough for costs that come from networks."""

STEPS = 300
"""Bound on the passes that find prices, which is the length of the longest chain of rows that displace each other."""


def assign_sparsely(profit: Floats, prices: Floats | None = None) -> tuple[Integers, Floats] | None:
    r"""Return the permutation ``p`` that maximizes :math:`\sum_i C_{i,p(i)}`, and prices that prove it.

    The assignment is solved on the largest :math:`C_{ij} - v_j` of each row, prices ``v`` that prove it optimal among those
    entries come from shortest paths, and every entry of the whole matrix with
    :math:`C_{ij} - v_j > C_{i,p(i)} - v_{p(i)}` joins for the next round. When there is none, summing over any permutation
    shows that ``p`` is optimal among all: the prices cancel.

    Args:
        profit: A matrix ``C`` of shape ``[n, n]``.
        prices: Prices of the columns to start from, for instance of an earlier solution.

    Returns:
        Columns of shape ``[n]`` and prices of shape ``[n]``, or ``None`` if no proof is near: the dense solver is faster then.

    Example:
        >>> p, v = assign_sparsely(np.array([[4.0, 5.0], [0.0, 5.0]]))
        >>> p, v[1] - v[0]  # both rows want column 1, and row 0 gives way
        (array([0, 1]), np.float64(1.0))

    References:
        Jonker, Volgenant. A shortest augmenting path algorithm for dense and sparse linear assignment problems. 1987.
        Dantzig, Wolfe. Decomposition principle for linear programs. 1960 (entries that join where the prices ask for them).
    """
    n = len(profit)
    cold = prices is None
    v = np.zeros(n) if cold else prices.astype(np.float64)
    net = profit - v.astype(profit.dtype)
    at = _candidates(net, cold=cold)
    for _ in range(ROUNDS):
        rows, columns = np.divmod(at, n)
        weights = profit.ravel()[at].astype(np.float64)
        p = _solve(rows, columns, weights - v[columns], n)
        attained = profit[np.arange(n), p].astype(np.float64)
        found = _prices(rows, columns, weights - attained[rows], p, v, 1e-12 * np.abs(attained).mean())
        if found is None:
            return None
        v = found
        np.subtract(profit, v.astype(profit.dtype), out=net)
        missed = net > (attained - v[p]).astype(profit.dtype)[:, None]
        missed.ravel()[at] = False
        more = np.flatnonzero(missed)  # several times as fast as np.nonzero
        if not len(more):
            return p, v.astype(profit.dtype)
        if len(more) > n * CANDIDATES:  # many rows compete for the same columns, as in a matrix of low rank
            return None
        at = np.sort(np.concatenate([at, more]), kind="stable")
    return None


def _candidates(net: Floats, *, cold: bool) -> Integers:
    """Return which entries to start with, as sorted indices into the flat matrix; the diagonal is among them.

    Without prices these are the best of every row and of every column. With prices the diagonal is nearly optimal, and they
    are the entries that come close to it; only if it no longer is, the best of every row.
    """
    n = len(net)
    if not cold:
        at = np.flatnonzero(_near(net, net.diagonal()))
        if len(at) <= 2 * n * CANDIDATES:
            return at
    chosen = _best(net, axis=1)
    if cold:
        chosen |= _best(net, axis=0)
    np.fill_diagonal(chosen, val=True)
    return np.flatnonzero(chosen)


def _best(net: Floats, axis: int) -> NDArray[np.bool_]:
    """Return where the best entries of the rows (axis 1) or columns (axis 0) are: near the largest, or exactly so many."""
    n = len(net)
    chosen = _near(net, net.max(axis=axis), axis)
    if np.count_nonzero(chosen) <= 2 * n * CANDIDATES:
        return chosen
    k = min(CANDIDATES, n - 1)  # the lines are too different for one margin
    lines = net if axis else np.ascontiguousarray(net.T)
    chosen = np.zeros((n, n), dtype=np.bool_)
    chosen[np.arange(n)[:, None], np.argpartition(lines, n - k, axis=1)[:, n - k :]] = True
    return chosen if axis else chosen.T


def _near(net: Floats, top: Floats, axis: int = 1) -> NDArray[np.bool_]:
    """Return which entries come as close to one of their row or column as the best ``CANDIDATES`` of a few sampled ones do."""
    n = len(net)
    k, some = min(CANDIDATES, n - 1), slice(None, None, max(1, n // SAMPLED))
    lines = net[some] if axis else np.ascontiguousarray(net[:, some].T)
    margin = np.median(top[some] - np.partition(lines, n - k, axis=1)[:, n - k])
    return net >= np.expand_dims(top - max(margin, 0.0), axis)


def _solve(rows: Integers, columns: Integers, net: Floats, n: int) -> Integers:
    # Costs that are zero on the best entry of each row let the solver start with most rows settled. It refuses zeros: all
    # costs are raised by one, which changes every full assignment alike.
    starts = np.searchsorted(rows, np.arange(n + 1))
    best = np.maximum.reduceat(net, starts[:-1])
    costs = csr_matrix((best[rows] - net + 1.0, columns.astype(np.int32), starts.astype(np.int32)), shape=(n, n))
    return min_weight_full_bipartite_matching(costs)[1].astype(np.int64)


def _prices(rows: Integers, columns: Integers, gain: Floats, p: Integers, v: Floats, slack: float) -> Floats | None:
    r"""Return prices with :math:`C_{ij} - v_j \le C_{i,p(i)} - v_{p(i)}` on the entries, by Bellman and Ford's shortest paths."""
    narrow = columns.astype(np.min_scalar_type(len(v)))  # 16 bits or less are sorted by radix
    order = np.argsort(narrow, kind="stable")
    columns, gain, own = columns[order], gain[order], p[rows[order]]
    starts = np.searchsorted(columns, np.arange(len(v)))
    for _ in range(STEPS):
        wanted = np.maximum.reduceat(gain + v[own], starts)
        risen = wanted > v + slack
        if not risen.any():
            return v
        v = np.where(risen, wanted, v)
    return None
