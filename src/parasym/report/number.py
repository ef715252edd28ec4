"""Numbers as text, the same everywhere."""

import math
from collections.abc import Sequence


def sig(value: float, digits: int = 3) -> str:
    """Return a number with a few significant digits.

    Args:
        value: Any number.
        digits: How many.

    Example:
        >>> sig(0.123456), sig(3.2e-17), sig(0.0), sig(12345.0)
        ('0.123', '3.2e-17', '0', '1.23e+04')
    """
    if math.isnan(value):
        return "–"
    return f"{value:.{digits}g}"


def percent(value: float) -> str:
    """Return a fraction in percent with one decimal.

    Args:
        value: A fraction.

    Example:
        >>> percent(0.97331)
        '97.3 %'
    """
    return f"{100 * value:.1f} %"


def mean_spread(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the sample standard deviation (0 for a single value).

    Args:
        values: At least one number.

    Example:
        >>> mean_spread([1.0, 2.0, 3.0])
        (2.0, 1.0)
    """
    mean = sum(values) / len(values)
    if len(values) == 1:
        return mean, 0.0
    return mean, math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1))


def big_integer(value: int) -> str:
    """Return an exact integer if it is short, a power of ten otherwise.

    Args:
        value: A positive integer.

    Example:
        >>> big_integer(120), big_integer(10**4000)
        ('120', '≈ 10^4000')
    """
    # Python refuses to print integers of more than 4300 digits; the exponent says enough.
    return str(value) if value < 10**12 else f"≈ 10^{round(value.bit_length() * math.log10(2) - 0.15)}"
