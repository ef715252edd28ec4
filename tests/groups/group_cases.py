"""Groups of every kind, by size."""

from collections.abc import Callable

from parasym.groups import (
    AbstractGroup,
    Drift,
    GeneralLinear,
    Orthogonal,
    Permutation,
    PlaneRotation,
    PositiveScaling,
    SignedShift,
    SignFlip,
    Translation,
)


def _cells(size: int) -> Permutation:
    half = size // 2
    return Permutation(size, cells=(tuple(range(half)), tuple(range(half, size))))


def _alternating_cells(size: int) -> Permutation:
    return Permutation(size, cells=(tuple(range(0, size, 2)), tuple(range(1, size, 2))))


def _some_shifts(size: int) -> SignedShift:
    generators = (hex(1 << size | 1), hex((1 << 2 * size) - (1 << size) + 2))
    return SignedShift(size, generators, units=tuple(1.0 + k for k in range(size)), centers=tuple(0.3 * k for k in range(size)))


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
    "signed-shift": SignedShift,
    "drift": Drift,
    "drift-along-one": lambda size: Drift(size, (tuple(1.0 + k for k in range(size)),)),
    "signed-shift-subgroup": _some_shifts,
}
