"""Shares of networks with a property, over draws of what networks have in common."""

import math
from collections.abc import Sequence

from scipy.special import ndtri

from parasym.studies.interval import LEVEL, Estimate, alike, mean_interval, paired_interval


def share_interval(hits: float, n: int) -> Estimate:
    """Return a share with Wilson's interval, which stays within 0 and 1 also for shares of 0 and 1.

    Args:
        hits: How many have the property.
        n: Of how many independent ones; at least one.

    Example:
        >>> print(share_interval(10, 10)), print(share_interval(1, 4))
        1.000 [0.722, 1.000]
        0.250 [0.046, 0.699]
        (None, None)

    References:
        Wilson. Probable inference, the law of succession, and statistical inference. JASA 1927.
    """
    z = float(ndtri(0.5 + LEVEL / 2))
    p = hits / n
    center = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # At the ends the two are equal but for rounding.
    return Estimate(p, min(p, center - half), max(p, center + half), n)


def share_difference(a: tuple[float, int], b: tuple[float, int]) -> Estimate:
    """Return the difference of two shares, ``a`` minus ``b``, with Newcombe's interval.

    Args:
        a: Hits and number of the one.
        b: Hits and number of the other.

    Example:
        >>> print(share_difference((10, 10), (2, 10)))
        0.800 [0.384, 0.943]

    References:
        Newcombe. Interval estimation for the difference between independent proportions. Statistics in Medicine 1998.
    """
    x, y = share_interval(*a), share_interval(*b)
    mean = x.mean - y.mean
    low = mean - math.hypot(x.mean - x.low, y.high - y.mean)
    high = mean + math.hypot(x.high - x.mean, y.mean - y.low)
    return Estimate(mean, low, high, min(x.n, y.n))


def mean_share(shares: Sequence[float]) -> Estimate:
    """Return the mean of one share per draw, with Student's interval over the draws.

    Where all draws have the same share Student's interval has no width; then it is Wilson's, with one vote per draw. It ends at 0
    and 1.

    Args:
        shares: One share per draw.

    Example:
        >>> print(mean_share([0.9, 1.0, 0.95])), print(mean_share([1.0, 1.0, 1.0]))
        0.950 [0.826, 1.000]
        1.000 [0.439, 1.000]
        (None, None)
    """
    if alike(shares):
        return share_interval(sum(shares), len(shares))
    found = mean_interval(shares)
    return Estimate(found.mean, max(found.low, 0.0), min(found.high, 1.0), found.n)


def cautious_share(shares: Sequence[float]) -> Estimate:
    """Return the same, where the end towards one half is Wilson's with one vote per draw if that is farther out.

    A claim about nearly every network needs it: draws that are rare and different are missing from most samples, and would move
    the share towards the middle. Student's interval knows of them only when it has seen one.

    Args:
        shares: One share per draw.

    Example:
        >>> print(cautious_share([0.98, 1.0, 1.0, 1.0, 1.0]))
        0.996 [0.561, 1.000]
    """
    found, votes = mean_share(shares), share_interval(sum(shares), len(shares))
    low = min(found.low, votes.low) if found.mean > 0.5 else found.low
    return Estimate(found.mean, low, max(found.high, votes.high) if found.mean < 0.5 else found.high, found.n)


def paired_share(a: Sequence[float], b: Sequence[float]) -> Estimate:
    """Return the mean difference of two shares per draw, ``a`` minus ``b``, with Student's interval over the draws.

    Where the difference is the same in all draws it is Newcombe's, with one vote per draw.

    Args:
        a: One share per draw.
        b: The other share of the same draws.

    Example:
        >>> print(paired_share([1.0, 0.9, 1.0], [0.2, 0.3, 0.1]))
        0.767 [0.387, 1.146]
        >>> print(paired_share([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]))
        0.000 [-0.561, 0.561]
    """
    if alike([x - y for x, y in zip(a, b, strict=True)]):
        return share_difference((sum(a), len(a)), (sum(b), len(b)))
    return paired_interval(a, b)
