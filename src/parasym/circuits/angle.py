"""The angle of a rotation as a function of the parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from parasym.core import BadInputError


@dataclass(frozen=True)
class Angle:
    r"""The affine function :math:`a(\theta) = o + \sum_j m_j \theta_j` of the parameters.

    Nearly always there is one parameter with multiplier 1. Tied half angles have multipliers ±1/2; an angle without
    parameters is constant.

    Attributes:
        terms: Pairs of a parameter's index and its multiplier, which is not zero; ascending indices.
        offset: The constant :math:`o`, in radians.

    Raises:
        BadInputError: If a number is not finite.

    Example:
        >>> Angle(((1, 0.5),), offset=2.0).value([7.0, 3.0])
        3.5
    """

    terms: tuple[tuple[int, float], ...] = ()
    offset: float = 0.0

    def __post_init__(self) -> None:
        sums: dict[int, float] = {}
        for index, multiplier in self.terms:
            sums[int(index)] = sums.get(int(index), 0.0) + float(multiplier)
        object.__setattr__(self, "terms", tuple((i, m) for i, m in sorted(sums.items()) if m != 0.0))
        object.__setattr__(self, "offset", float(self.offset))
        if not all(map(isfinite, [self.offset, *sums.values()])):
            raise BadInputError(f"An angle must consist of finite numbers, but is {self}.")

    @property
    def constant(self) -> bool:
        """Whether no parameter appears."""
        return not self.terms

    @property
    def parameters(self) -> tuple[int, ...]:
        """The indices of the parameters that appear."""
        return tuple(index for index, _ in self.terms)

    def value(self, theta: Sequence[Any] | Any) -> Any:
        """Return the angle in radians.

        Args:
            theta: The parameters; anything indexed by integers, such as a tensor of shape ``[M]``.
        """
        total: Any = self.offset
        for index, multiplier in self.terms:
            total = total + multiplier * theta[index]
        return total

    def scaled(self, factor: float) -> "Angle":
        """Return the angle times a number.

        Args:
            factor: The number.
        """
        return Angle(tuple((i, m * factor) for i, m in self.terms), self.offset * factor)

    def plus(self, offset: float) -> "Angle":
        """Return the angle plus a constant.

        Args:
            offset: The constant, in radians.
        """
        return Angle(self.terms, self.offset + offset)


def angle_of(value: "Angle | int | float") -> Angle:
    """Return an angle: an integer is the index of a parameter, a float is a constant in radians.

    Args:
        value: An angle, an index or a constant.

    Example:
        >>> angle_of(3), angle_of(0.5)
        (Angle(terms=((3, 1.0),), offset=0.0), Angle(terms=(), offset=0.5))
    """
    if isinstance(value, Angle):
        return value
    return Angle(((value, 1.0),)) if isinstance(value, int) else Angle((), value)
