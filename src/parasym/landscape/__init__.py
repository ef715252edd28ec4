"""The landscape between models: interpolation and barriers."""

from parasym.landscape.barrier import Barrier, barrier
from parasym.landscape.segment import interpolate

__all__ = ["Barrier", "barrier", "interpolate"]
