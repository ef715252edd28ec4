"""Symmetries written down by hand, true ones and planted faults."""

from fractions import Fraction

from torch import nn

from parasym.core import model_params
from parasym.groups import AbstractGroup
from parasym.symmetry import Binding, Factor, Slot, Symmetry, Wire

Where = tuple[str, int, int]


def binding(tensor: str, axis: int, size: int, power: int = 1, offset: float = 0.0) -> Binding:
    """Return a binding of a lone wire on a whole axis."""
    return Binding(tensor, Slot(axis, (0,), (size,), (1,), 0), power=Fraction(power), offset=offset)


def factor(group: AbstractGroup, *places: Where, offsets: dict[str, float] | None = None) -> Factor:
    """Return a factor acting on ``(tensor, axis, power)`` places."""
    bindings = tuple(binding(t, a, group.size, p, (offsets or {}).get(t, 0.0)) for t, a, p in places)
    return Factor(group, Wire(f"{places[0][0]}[{places[0][1]}]", group.size), (), bindings)


def claim(model: nn.Module, *factors: Factor) -> Symmetry:
    """Return the symmetry of these factors for ``model``."""
    return Symmetry(factors, tuple((name, tuple(value.shape)) for name, value in model_params(model).items()))


def hidden(first: str, second: str) -> tuple[Where, Where, Where]:
    """Return the places of the wire between two linear layers."""
    return (f"{first}.weight", 0, 1), (f"{first}.bias", 0, 1), (f"{second}.weight", 1, -1)
