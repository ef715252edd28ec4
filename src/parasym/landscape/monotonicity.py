"""How monotonic and how convex a loss is along a segment."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from parasym.core import BadInputError

ROUNDING = 2e-6
"""Relative difference of two losses in single precision that is none: sixteen units in the last place."""


def rounding_of(dtype: torch.dtype) -> float:
    """Return the relative difference of two losses that is none, for models of a precision.

    In half precision a loss is a mean over many samples, so one unit in the last place of a number is enough.

    Args:
        dtype: Floating-point precision of the parameters.
    """
    return {torch.float64: 1e-13, torch.float32: ROUNDING}.get(dtype, torch.finfo(dtype).eps)


@dataclass(frozen=True)
class Monotonicity:
    r"""What a curve :math:`L_0, \dots, L_m` on a uniform grid :math:`\alpha_i = i/m` does.

    Attributes:
        rise: The largest rise :math:`\max_i (L_{i+1} - L_i)`; 0 if it is rounding.
        local_convexity: Share of the :math:`m - 1` centred second differences :math:`L_{i+1} - 2 L_i + L_{i-1}` that are at
            least 0, up to rounding.
        global_convexity: Share of the :math:`m - 1` interior points on or below the chord up to rounding,
            :math:`L_i \le (1-\alpha_i) L_0 + \alpha_i L_m`.
    """

    rise: float
    local_convexity: float
    global_convexity: float

    @property
    def monotonic(self) -> bool:
        """Whether the loss never rises."""
        return self.rise <= 0

    def __str__(self) -> str:
        """Return the numbers in one line."""
        word = "monotonic" if self.monotonic else "not monotonic"
        convex = f"convex at {self.local_convexity:.3f}, below the chord at {self.global_convexity:.3f}"
        return f"{word}: largest rise {self.rise:.4f}, {convex}"


def monotonicity(losses: Sequence[float], *, rounding: float = ROUNDING) -> Monotonicity:
    r"""Return how monotonic and how convex a curve is.

    The chord ends at the last point of the curve. With the second point in its place, as in published code, every decreasing
    curve would score a global convexity of 1, concave ones too.

    Args:
        losses: On a uniform grid, with both ends; three or more.
        rounding: Differences up to this part of the largest loss are none, so that a constant curve is monotonic and convex
            whatever its last digits are.

    Raises:
        BadInputError: If there are fewer than three, or one is NaN or infinite.

    Example:
        >>> print(monotonicity([2.3 - 2 * (i / 24) ** 3 for i in range(25)]))  # concave
        monotonic: largest rise -0.0001, convex at 0.000, below the chord at 0.000
        >>> print(monotonicity([0.3 + 2 * (1 - i / 24) ** 3 for i in range(25)]))  # convex
        monotonic: largest rise -0.0001, convex at 1.000, below the chord at 1.000
        >>> print(monotonicity([1.0, 1.5, 0.0]))  # over a hill
        not monotonic: largest rise 0.5000, convex at 0.000, below the chord at 0.000

    References:
        Lucas et al. Analyzing monotonic linear interpolation in neural network loss landscapes. ICML 2021,
        https://arxiv.org/abs/2104.11044. Lim et al. The empirical impact of neural parameter symmetries, or lack thereof. NeurIPS
        2024, https://arxiv.org/abs/2405.20231
    """
    if len(losses) < 3:
        raise BadInputError(f"Argument `losses` must hold three values or more, but holds {len(losses)}.")
    bad = [i for i, value in enumerate(losses) if not math.isfinite(value)]
    if bad:
        raise BadInputError(
            f"Argument `losses` is {losses[bad[0]]} at place {bad[0]}. A diverged network has no curve: count it apart, as "
            "`summarize` does."
        )
    m = len(losses) - 1
    inside = range(1, m)
    none = rounding * max(map(abs, losses))
    rise = max(losses[i + 1] - losses[i] for i in range(m))
    convex = sum(losses[i + 1] - 2 * losses[i] + losses[i - 1] >= -none for i in inside)
    below = sum(losses[i] <= (1 - i / m) * losses[0] + i / m * losses[-1] + none for i in inside)
    return Monotonicity(0.0 if 0 < rise <= none else rise, convex / len(inside), below / len(inside))


@dataclass(frozen=True)
class MonotonicitySummary:
    """Many curves in numbers; means and standard deviations are over the networks that did not diverge.

    Attributes:
        n: Curves that count.
        diverged: Curves left out because a value is NaN or infinite.
        monotonic: Share of monotonic curves.
        rise: Mean and standard deviation of the largest rise.
        local_convexity: Mean and standard deviation.
        global_convexity: Mean and standard deviation.
    """

    n: int
    diverged: int
    monotonic: float
    rise: tuple[float, float]
    local_convexity: tuple[float, float]
    global_convexity: tuple[float, float]

    def __str__(self) -> str:
        """Return the numbers in one line."""
        parts = (("rise", self.rise), ("local convexity", self.local_convexity), ("global convexity", self.global_convexity))
        rest = ", ".join(f"{name} {mean:.3f} ± {spread:.3f}" for name, (mean, spread) in parts)
        return f"{self.monotonic:.1%} of {self.n} monotonic, {rest}; {self.diverged} diverged"


def summarize(curves: Sequence[Sequence[float]]) -> MonotonicitySummary:
    """Return how monotonic and how convex curves are on the whole; diverged ones are counted, and left out of the means.

    Args:
        curves: Losses on a uniform grid, one sequence per network.

    Raises:
        BadInputError: If no curve is finite.

    Example:
        >>> print(summarize([[3.0, 2.0, 1.5], [3.0, 3.5, 0.0], [1.0, float("nan"), 0.0]]))
        50.0% of 2 monotonic, rise 0.000 ± 0.707, local convexity 0.500 ± 0.707, global convexity 0.500 ± 0.707; 1 diverged
    """
    finite = [curve for curve in curves if all(map(math.isfinite, curve))]
    if not finite:
        raise BadInputError(f"None of the {len(curves)} curves is finite: all networks diverged. Train with a lower rate.")
    found = [monotonicity(curve) for curve in finite]
    return MonotonicitySummary(
        n=len(found),
        diverged=len(curves) - len(found),
        monotonic=sum(m.monotonic for m in found) / len(found),
        rise=_spread([m.rise for m in found]),
        local_convexity=_spread([m.local_convexity for m in found]),
        global_convexity=_spread([m.global_convexity for m in found]),
    )


def _spread(values: list[float]) -> tuple[float, float]:
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0
