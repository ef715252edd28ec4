r"""By how much a parameter may be shifted, and about which point it may be reflected.

If a parameter appears with multipliers :math:`m_i = \mu k_i`, the :math:`k_i` integers without a common divisor, then a
shift :math:`t` turns every angle by a multiple of :math:`\pi` exactly if :math:`t` is a multiple of :math:`\pi/\mu`, and a
shift by twice that is a whole turn. In :math:`\theta = c + \varphi` an angle is :math:`a_c + \sum_j m_j \varphi_j`, and
:math:`\varphi \mapsto s\varphi + b\pi/\mu` makes of it

.. math:: s\,a + \pi \Bigl(\sum_j k_j b_j + n \sigma\Bigr) \mod 2\pi, \qquad n = 2 a_c / \pi,\; s = (-1)^\sigma,

provided that :math:`n` is an integer or :math:`\sigma = 0`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm, pi

from parasym.circuits.angle import Angle

EXACT = 1e-12
LARGEST_DENOMINATOR = 4096
MOST_CENTERS = 64


@dataclass(frozen=True)
class Units:
    """Shift unit, center and multiplier step of every parameter.

    Attributes:
        units: The shifts; 0 where none is allowed (unused, or multipliers without a common measure).
        centers: The fixed points of reflections.
        steps: The common measures of the multipliers; 0 where the unit is.
    """

    units: tuple[float, ...]
    centers: tuple[float, ...]
    steps: tuple[float, ...]

    def odd_shifts(self, angle: Angle) -> tuple[int, ...]:
        """Return the parameters whose shift turns the angle by an odd multiple of pi.

        Args:
            angle: An angle of the circuit.
        """
        return tuple(j for j, m in angle.terms if self.steps[j] and round(m / self.steps[j]) % 2)

    def quarter_turns(self, angle: Angle) -> int | None:
        """Return twice the angle at the centers over pi, or ``None`` if that is not an integer.

        Args:
            angle: An angle of the circuit.
        """
        turns = 2 * angle.value(self.centers) / pi
        return round(turns) if abs(turns - round(turns)) < EXACT * max(1.0, abs(turns)) else None


def units_of(num_parameters: int, angles: Sequence[Angle]) -> Units:
    """Return units and centers for the angles of a circuit.

    Args:
        num_parameters: Number of parameters.
        angles: The angle of every rotation.
    """
    multipliers: list[list[float]] = [[] for _ in range(num_parameters)]
    alone: list[list[Angle]] = [[] for _ in range(num_parameters)]
    for angle in angles:
        for j, m in angle.terms:
            multipliers[j].append(m)
            if len(angle.terms) == 1:
                alone[j].append(angle)
    steps = tuple(_common_measure(values) for values in multipliers)
    return Units(tuple(pi / s if s else 0.0 for s in steps), tuple(_center(j, a) for j, a in enumerate(alone)), steps)


def _common_measure(multipliers: list[float]) -> float:
    """Return the largest number of which all multipliers are integer multiples; 0 if there is none."""
    if not multipliers:
        return 0.0
    first = abs(multipliers[0])
    ratios = [Fraction(abs(m) / first).limit_denominator(LARGEST_DENOMINATOR) for m in set(multipliers)]
    if any(abs(abs(m) / first - r) > EXACT * r or not r for m, r in zip(set(multipliers), ratios, strict=True)):
        return 0.0
    return first * gcd(*(r.numerator for r in ratios)) / lcm(*(r.denominator for r in ratios))


def _center(j: int, angles: list[Angle]) -> float:
    """Return a point about which all angles of a parameter may be reflected; 0 if there is none."""

    def fits(center: float) -> bool:
        turns = [2 * (a.offset + a.terms[0][1] * center) / pi for a in angles]
        return all(abs(t - round(t)) < EXACT * max(1.0, abs(t)) for t in turns)

    if not angles or fits(0.0):
        return 0.0
    multiplier, offset = angles[0].terms[0][1], angles[0].offset
    candidates = ((-offset + k * pi / 2) / multiplier for k in range(MOST_CENTERS))
    return next((c for c in candidates if fits(c)), 0.0)
