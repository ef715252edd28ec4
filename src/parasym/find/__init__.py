"""Capture a model, run the rules, solve for the symmetry."""

from parasym.find.search import find

__all__ = ["find"]
