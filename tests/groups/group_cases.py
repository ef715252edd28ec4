"""Groups of every kind, by size."""

from collections.abc import Callable

from parasym.groups import (
    AbstractGroup,
    GeneralLinear,
    Orthogonal,
    Permutation,
    PlaneRotation,
    PositiveScaling,
    SignFlip,
    Translation,
)


def _cells(size: int) -> Permutation:
    half = size // 2
    return Permutation(size, cells=(tuple(range(half)), tuple(range(half, size))))


def _alternating_cells(size: int) -> Permutation:
    return Permutation(size, cells=(tuple(range(0, size, 2)), tuple(range(1, size, 2))))


BUILDERS: dict[str, Callable[[int], AbstractGroup]] = {
    "permutation": Permutation,
    "permutation-halves": _cells,
    "permutation-alternating": _alternating_cells,
    "sign": SignFlip,
    "scaling": PositiveScaling,
    "orthogonal": Orthogonal,
    "linear": GeneralLinear,
    "plane": PlaneRotation,
    "plane-rotation-only": lambda size: PlaneRotation(size, scale=False),
    "translation": Translation,
}
