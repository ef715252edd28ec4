"""The rank of a matrix, read off the largest gap of its spectrum."""

from dataclasses import dataclass

import torch
from torch import Tensor

_FLOOR = 1e-16
_TRUSTED_GAP = 1e4
_RUNNER_UP = 30.0


@dataclass(frozen=True)
class Rank:
    """A numerical rank and how clearly the spectrum shows it.

    Attributes:
        value: The rank.
        above: Smallest singular value that counts, relative to the scale; 1 if none counts.
        below: Largest singular value that does not; the rounding floor if all count.
        trustworthy: Whether the gap is wide, and much wider than any other gap.
    """

    value: int
    above: float
    below: float
    trustworthy: bool

    @property
    def gap(self) -> float:
        """Ratio of the two singular values on either side of the rank."""
        return self.above / self.below


def rank_by_gap(singular: Tensor, *, scale: float | None = None) -> Rank:
    r"""Return the rank at which consecutive singular values have the largest ratio.

    The values are divided by ``scale`` and floored at the rounding error ``1e-16``. One value 1 is
    put before and one floor value behind them, so that rank zero and full rank are candidates too.
    True when rounding keeps the zero singular values near the floor while the others stay far above
    it; :attr:`Rank.trustworthy` says whether that was seen.

    Args:
        singular: Singular values, descending, of shape ``[n]``.
        scale: What counts as one; the largest singular value if ``None``. Give it where the
            matrix may be zero altogether, for then the largest value is rounding error.

    Example:
        >>> rank_by_gap(torch.tensor([3.0, 0.5, 2e-16])).value
        2
        >>> rank_by_gap(torch.tensor([3.0, 0.5, 2e-3])).value
        3
        >>> rank_by_gap(torch.tensor([3e-17, 1e-17]), scale=1.0).value
        0
        >>> rank_by_gap(torch.logspace(0, -16, 17)).trustworthy  # no gap anywhere
        False
    """
    if len(singular) == 0 or (scale is None and float(singular[0]) == 0.0):
        return Rank(0, 1.0, _FLOOR, trustworthy=True)
    values = (singular.to(torch.float64) / (float(singular[0]) if scale is None else scale)).cpu()
    values = torch.cat([torch.ones(1, dtype=torch.float64), values, torch.zeros(1, dtype=torch.float64)]).clamp(min=_FLOOR)
    ratios = values[:-1] / values[1:]
    best = int(ratios.argmax())
    gap = float(ratios[best])
    others = torch.cat([ratios[:best], ratios[best + 1 :]])
    trusted = gap >= _TRUSTED_GAP and gap >= _RUNNER_UP * float(others.max())
    return Rank(best, float(values[best]), float(values[best + 1]), trustworthy=trusted)
