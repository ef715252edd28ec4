"""Every group, in one table. A new group is one file and one entry here."""

from parasym.groups.abstract import AbstractGroup
from parasym.groups.drift import Drift
from parasym.groups.linear import GeneralLinear, Orthogonal
from parasym.groups.permutation import Permutation
from parasym.groups.plane import PlaneRotation
from parasym.groups.scaling import PositiveScaling
from parasym.groups.sign import SignFlip
from parasym.groups.signed_shift import SignedShift
from parasym.groups.translation import Translation

GROUPS: tuple[type[AbstractGroup], ...] = (
    Permutation,
    SignFlip,
    PositiveScaling,
    Orthogonal,
    GeneralLinear,
    PlaneRotation,
    Translation,
    SignedShift,
    Drift,
)
