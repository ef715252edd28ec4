"""Small models with the symmetry each is known to have."""

from parasym.zoo._table import ZOO
from parasym.zoo.circuit import CIRCUITS, CircuitEntry
from parasym.zoo.entry import Entry, generic_params
from parasym.zoo.mlp import mlp

__all__ = ["CIRCUITS", "ZOO", "CircuitEntry", "Entry", "generic_params", "mlp"]
