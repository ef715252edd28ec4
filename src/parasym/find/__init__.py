"""Capture a model, run the rules, solve for the symmetry."""

from parasym.find.linear_maps import LinearMap, linear_maps
from parasym.find.search import find, lowered_model, solve

__all__ = ["LinearMap", "find", "linear_maps", "lowered_model", "solve"]
