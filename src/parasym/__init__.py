"""parasym finds the parameter symmetries of any model, proves them, and puts them to work."""

from parasym.breaking import SigmaAsymmetric, WAsymmetric, break_
from parasym.core import SymmetryError, model_params
from parasym.find import find
from parasym.hopping import hop
from parasym.landscape import Barrier, barrier
from parasym.orbit import (
    ActivationMatching,
    Canonical,
    Match,
    Merge,
    WeightMatching,
    canonicalize,
    distance,
    match,
    match_many,
    merge,
)
from parasym.symmetry import Element, Symmetry
from parasym.verify import Report, verify
from parasym.version import __version__

__all__ = [
    # Find and verify
    "find",
    "verify",
    # Move along the orbit
    "match",
    "match_many",
    "merge",
    "distance",
    "canonicalize",
    "hop",
    "barrier",
    # Break
    "break_",
    # Methods
    "WeightMatching",
    "ActivationMatching",
    "WAsymmetric",
    "SigmaAsymmetric",
    # Values
    "Symmetry",
    "Element",
    "Match",
    "Merge",
    "Canonical",
    "Report",
    "Barrier",
    "SymmetryError",
    "model_params",
    "__version__",
]
