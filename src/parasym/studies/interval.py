"""Numbers with intervals: what a number in a table of results must come with, and what a verdict is judged by."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scipy.special import stdtr, stdtrit

LEVEL = 0.95
MOST_PLACES = 6
"""Decimals; smaller numbers are written with an exponent."""
FEWEST = 3
"""Values without which nothing is tested: two have no spread of which anything is known."""
EQUAL = 1e-12
"""Relative difference up to which values are the same: what rounding leaves of differences."""
ALIKE = 6
r"""Equal values from which on they are no luck: a fair coin falls :math:`n` times on one side with :math:`2^{1-n} \le 0.05`."""


@dataclass(frozen=True)
class Estimate:
    """A number with a 95 % interval.

    Attributes:
        mean: The number.
        low: Lower end of the interval; minus infinity if the values cannot give it.
        high: Upper end.
        n: How many independent values it is made of; of two groups the smaller number.
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

    def p_value(self, at: float = 0.0) -> float:
        r"""Return the two-sided p-value of the hypothesis that the true number is ``at``.

        It is that of Student's distribution with ``n - 1`` degrees of freedom, and the half of the interval that faces ``at``:
        :math:`p \le 0.05` exactly where ``at`` is not inside the interval. An interval without width has the sign test's
        :math:`2^{1-n}`.

        Args:
            at: The hypothesis.

        Returns:
            The p-value; 1 if there are fewer than three values, or no interval.

        Example:
            >>> [round(mean_interval([1.0, 2.0, 3.0]).p_value(at), 4) for at in (0.0, 2.0, -0.4841)]
            [0.0742, 1.0, 0.05]
            >>> mean_interval([1.0, 2.0]).p_value(-1e9), mean_interval([1.0] * 7).p_value()
            (1.0, 0.015625)
        """
        half = self.mean - self.low if at < self.mean else self.high - self.mean
        if self.n < FEWEST or not math.isfinite(half) or at == self.mean:
            return 1.0
        if half == 0:
            return 2.0 ** (1 - self.n)
        return 2 * float(stdtr(self.n - 1, -abs(self.mean - at) / half * self._quantile(LEVEL)))

    def at_level(self, level: float) -> "Estimate":
        """Return the same number with the ends of another level.

        Args:
            level: Between 0 and 1.

        Example:
            >>> print(mean_interval([1.0, 2.0, 3.0]).at_level(0.9))
            2.000 [0.314, 3.686]
        """
        share = self._quantile(level) / self._quantile(LEVEL) if self.n > 1 else 1.0
        return replace(self, low=self.mean - share * (self.mean - self.low), high=self.mean + share * (self.high - self.mean))

    def minus(self, value: float) -> "Estimate":
        """Return the number less a known one.

        Args:
            value: The known one.
        """
        return replace(self, mean=self.mean - value, low=self.low - value, high=self.high - value)

    def _quantile(self, level: float) -> float:
        return float(stdtrit(self.n - 1, 0.5 + level / 2))


def mean_interval(values: Sequence[float]) -> Estimate:
    r"""Return the mean with Student's interval :math:`\bar x \pm t_{n-1} s/\sqrt n`.

    It holds for independent values that are normal, or many. One value alone has no interval, and fewer than six equal ones have
    none either: that they are equal may be luck.

    Args:
        values: At least one number.

    Raises:
        ValueError: If there are none, or one is not finite: those must be counted apart, not averaged.

    Example:
        >>> print(mean_interval([1.0, 2.0, 3.0]))
        2.000 [-0.484, 4.484]
        >>> print(mean_interval([1.0]))
        1.000 (n = 1)
        >>> print(mean_interval([1.0] * 5)), print(mean_interval([1.0] * 6))
        1.000 (n = 5)
        1.000 [1.000, 1.000]
        (None, None)
    """
    n = len(values)
    if n == 0 or not all(math.isfinite(v) for v in values):
        raise ValueError(f"A mean needs finite values, at least one, but got {list(values)[:5]}: please report this.")
    mean, variance = _moments(values)
    return _student(mean, math.sqrt(variance / n), n)


def difference_interval(a: Sequence[float], b: Sequence[float]) -> Estimate:
    r"""Return the difference of two means, ``a`` minus ``b``, for groups that are independent of each other.

    It is :math:`\bar a - \bar b \pm t_\nu \sqrt{s_a^2/n_a + s_b^2/n_b}`, where :math:`\nu` is one less than the size of the
    smaller group. Whatever the two variances are, this covers at least as often as it says; Welch's :math:`\nu` is larger, and
    does not with three values in a group. Where the groups come in pairs, :func:`paired_interval` is right and this is not.

    Args:
        a: Values of one group, independent of the other.
        b: Values of the other.

    Raises:
        ValueError: If a group is empty or has a value that is not finite.

    Example:
        >>> print(difference_interval([1.0, 1.1, 0.9], [2.0, 2.2, 1.8]))
        -1.000 [-1.555, -0.445]
        >>> print(difference_interval([1.0], [2.0, 2.2]))
        -1.100 (n = 1)

    References:
        Mickey, Brown. Bounds on the distribution functions of the Behrens-Fisher statistic. Annals of Mathematical Statistics
        1966.
    """
    x, y = mean_interval(a), mean_interval(b)
    error = math.sqrt(_moments(a)[1] / x.n + _moments(b)[1] / y.n)
    return _student(x.mean - y.mean, error, min(x.n, y.n))


def paired_interval(a: Sequence[float], b: Sequence[float]) -> Estimate:
    """Return the mean of the differences of pairs, ``a`` minus ``b``, with Student's interval.

    It holds whatever the two values of a pair have in common, also if that is nothing.

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


def alike(values: Sequence[float]) -> bool:
    """Return whether all values are the same, up to rounding.

    Args:
        values: At least one number.

    Example:
        >>> alike([1.0 - 0.9, 0.5 - 0.4]), alike([0.1, 0.1001])
        (True, False)
    """
    return max(values) - min(values) <= EQUAL * max(map(abs, values))


def larger(*found: Estimate | None) -> float | None:
    """Return the largest absolute mean, by which figures divide a difference; ``None`` if there is none but 0.

    Args:
        found: Some numbers, of which some may not have been measured.
    """
    return max((abs(one.mean) for one in found if one is not None), default=0.0) or None


def _student(mean: float, error: float, n: int) -> Estimate:
    if n < 2 or (error == 0 and n < ALIKE):
        return Estimate(mean, -math.inf, math.inf, n)
    half = float(stdtrit(n - 1, 0.5 + LEVEL / 2)) * error
    return Estimate(mean, mean - half, mean + half, n)


def _moments(values: Sequence[float]) -> tuple[float, float]:
    if alike(values):
        return values[0], 0.0
    mean = math.fsum(values) / len(values)
    return mean, math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1)
