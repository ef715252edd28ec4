"""The groups, one per file. They act on axes of tensors and know nothing of layers."""

from parasym.groups._table import GROUPS
from parasym.groups.abstract import CAPABILITIES, AbstractGroup
from parasym.groups.drift import Drift
from parasym.groups.linear import GeneralLinear, Orthogonal
from parasym.groups.permutation import Permutation
from parasym.groups.plane import PlaneRotation
from parasym.groups.scaling import PositiveScaling
from parasym.groups.sign import SignFlip
from parasym.groups.signed_shift import SignedShift
from parasym.groups.translation import Translation

__all__ = [
    "CAPABILITIES",
    "GROUPS",
    "AbstractGroup",
    "Drift",
    "GeneralLinear",
    "Orthogonal",
    "Permutation",
    "PlaneRotation",
    "PositiveScaling",
    "SignFlip",
    "SignedShift",
    "Translation",
]
