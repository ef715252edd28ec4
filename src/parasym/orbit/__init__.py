"""Moving along the orbit: match, merge, distance, canonicalize."""

from parasym.orbit._table import METHODS
from parasym.orbit.activation import ActivationMatching
from parasym.orbit.canonical import canonicalize
from parasym.orbit.distance import Distance, distance
from parasym.orbit.many import match_many
from parasym.orbit.match import match
from parasym.orbit.merge import merge
from parasym.orbit.method import AbstractMethod, Aligned
from parasym.orbit.result import Canonical, Match, Matches, Merge
from parasym.orbit.weight import WeightMatching

__all__ = [
    "METHODS",
    "AbstractMethod",
    "ActivationMatching",
    "Aligned",
    "Canonical",
    "Distance",
    "Match",
    "Matches",
    "Merge",
    "WeightMatching",
    "canonicalize",
    "distance",
    "match",
    "match_many",
    "merge",
]
