"""The landscape between models: interpolation, barriers and monotonicity."""

from parasym.landscape.barrier import Barrier, barrier
from parasym.landscape.loss import LOSSES
from parasym.landscape.monotonicity import Monotonicity, MonotonicitySummary, monotonicity, summarize
from parasym.landscape.path import Curve, path
from parasym.landscape.segment import interpolate

__all__ = [
    # Between two models
    "Barrier",
    "barrier",
    "interpolate",
    "LOSSES",
    # Along the way of many
    "Curve",
    "path",
    # Monotonic linear interpolation
    "Monotonicity",
    "MonotonicitySummary",
    "monotonicity",
    "summarize",
]
