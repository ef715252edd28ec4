"""Hopping between the minima of a noisy circuit that its symmetry makes equivalent without noise."""

from parasym.hopping._table import SELECTORS
from parasym.hopping.exhaustive import Exhaustive
from parasym.hopping.greedy import Greedy
from parasym.hopping.hop import Hop, hop
from parasym.hopping.minimizer import HoppingMinimizer
from parasym.hopping.orbit import NoisyOrbit, noisy_orbit
from parasym.hopping.pennylane_optimizer import HoppingOptimizer
from parasym.hopping.points import OrbitPoints
from parasym.hopping.random_elements import RandomElements
from parasym.hopping.selector import AbstractSelector
from parasym.hopping.torch_optimizer import hop_parameters_
from parasym.hopping.walsh import WalshDecode

__all__ = [
    # The verb and its result
    "hop",
    "Hop",
    # The orbit
    "NoisyOrbit",
    "noisy_orbit",
    "OrbitPoints",
    # Optimizers
    "HoppingMinimizer",
    "HoppingOptimizer",
    "hop_parameters_",
    # Selectors
    "SELECTORS",
    "AbstractSelector",
    "WalshDecode",
    "RandomElements",
    "Greedy",
    "Exhaustive",
]
