"""What every floor stands on: parameters as dictionaries, errors, seeds, tolerances."""

from parasym.core.error import (
    BadInputError,
    CaptureError,
    CheckpointError,
    ShapeError,
    SymmetryError,
)
from parasym.core.params import Params, first_names, float_buffers, model_params
from parasym.core.seed import child_generator, child_seed
from parasym.core.text import cut, one_line, printable
from parasym.core.tolerance import Tolerance, tolerance_for

__all__ = [
    "BadInputError",
    "CaptureError",
    "CheckpointError",
    "Params",
    "ShapeError",
    "SymmetryError",
    "Tolerance",
    "child_generator",
    "child_seed",
    "cut",
    "first_names",
    "float_buffers",
    "model_params",
    "one_line",
    "printable",
    "tolerance_for",
]
