"""Small models with the symmetry each is known to have, and a data set that needs no download."""

from parasym.zoo._table import ZOO
from parasym.zoo.circuit import CIRCUITS, CircuitEntry
from parasym.zoo.digits import Digits, load_digits
from parasym.zoo.entry import Entry, generic_params
from parasym.zoo.mlp import mlp

__all__ = ["CIRCUITS", "ZOO", "CircuitEntry", "Digits", "Entry", "generic_params", "load_digits", "mlp"]
