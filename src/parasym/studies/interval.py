"""Means with intervals: what a number in a table of results must come with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

LEVEL = 0.95
MOST_PLACES = 6
"""Decimals; smaller numbers are written with an exponent."""


@dataclass(frozen=True)
class Estimate:
    """A number with a 95 % interval.

    Attributes:
        mean: The number.
        low: Lower end of the interval; minus infinity if one value alone cannot give it.
        high: Upper end.
        n: How many values it is made of.
    """

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        """Return the number and the interval, with three decimals or as many as show how wide it is."""
        if not math.isfinite(self.low):
            return f"{self.mean:.3f} (n = {self.n})"
        size = self.high - self.low or abs(self.mean)
        places = 3 if size == 0 else max(3, 1 - math.floor(math.log10(size)))
        form = f".{places}f" if places <= MOST_PLACES else ".1e"
        return f"{self.mean:{form}} [{self.low:{form}}, {self.high:{form}}]"


def mean_interval(values: Sequence[float]) -> Estimate:
    r"""Return the mean with Student's interval :math:`\bar x \pm t_{n-1} s/\sqrt n`.

    It holds for independent values that are normal, or many. One value alone has no interval.

    Args:
        values: At least one number.

    Raises:
        ValueError: If there are none, or one is not finite: those must be counted apart, not averaged.

    Example:
        >>> print(mean_interval([1.0, 2.0, 3.0]))
        2.000 [-0.484, 4.484]
        >>> print(mean_interval([1.0]))
        1.000 (n = 1)
    """
    n = len(values)
    if n == 0 or not all(math.isfinite(v) for v in values):
        raise ValueError(f"A mean needs finite values, at least one, but got {list(values)[:5]}: please report this.")
    mean, variance = _moments(values)
    half = math.inf if n == 1 else float(stats.t.ppf(0.5 + LEVEL / 2, n - 1)) * math.sqrt(variance / n)
    return Estimate(mean, mean - half, mean + half, n)


def difference_interval(a: Sequence[float], b: Sequence[float]) -> Estimate:
    r"""Return the difference of two means, ``a`` minus ``b``, with Welch's interval.

    Args:
        a: Values of one group, independent of the other.
        b: Values of the other.

    Raises:
        ValueError: If a group is empty or has a value that is not finite.

    Example:
        >>> print(difference_interval([1.0, 1.1, 0.9], [2.0, 2.2, 1.8]))
        -1.000 [-1.416, -0.584]
        >>> print(difference_interval([1.0], [2.0, 2.2]))
        -1.100 (n = 1)
    """
    x, y = mean_interval(a), mean_interval(b)
    mean, n = x.mean - y.mean, min(x.n, y.n)
    if n < 2:
        return Estimate(mean, -math.inf, math.inf, n)
    u, v = _moments(a)[1] / x.n, _moments(b)[1] / y.n
    if u + v == 0:
        return Estimate(mean, mean, mean, n)
    freedom = (u + v) ** 2 / (u**2 / (x.n - 1) + v**2 / (y.n - 1))
    half = float(stats.t.ppf(0.5 + LEVEL / 2, freedom)) * math.sqrt(u + v)
    return Estimate(mean, mean - half, mean + half, n)


def paired_interval(a: Sequence[float], b: Sequence[float]) -> Estimate:
    """Return the mean of the differences of pairs, ``a`` minus ``b``, with Student's interval.

    Args:
        a: One value per pair.
        b: The other value of the same pairs.

    Raises:
        ValueError: If the numbers of values differ, there are none, or one is not finite.

    Example:
        >>> print(paired_interval([1.0, 2.0, 3.0], [2.0, 3.1, 3.9]))
        -1.000 [-1.248, -0.752]
    """
    return mean_interval([x - y for x, y in zip(a, b, strict=True)])


def share_interval(hits: int, n: int) -> Estimate:
    """Return a share with Wilson's interval, which stays within 0 and 1 also for shares of 0 and 1.

    Args:
        hits: How many have the property.
        n: Of how many; at least one.

    Example:
        >>> print(share_interval(10, 10)), print(share_interval(1, 4))
        1.000 [0.722, 1.000]
        0.250 [0.046, 0.699]
        (None, None)

    References:
        Wilson. Probable inference, the law of succession, and statistical inference. JASA 1927.
    """
    z = float(stats.norm.ppf(0.5 + LEVEL / 2))
    p = hits / n
    center = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # At the ends the two are equal but for rounding.
    return Estimate(p, min(p, center - half), max(p, center + half), n)


def share_difference(a: tuple[int, int], b: tuple[int, int]) -> Estimate:
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


def _moments(values: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(values) / len(values)
    return mean, math.fsum((v - mean) ** 2 for v in values) / max(1, len(values) - 1)
