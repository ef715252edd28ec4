"""What every floor stands on: parameters as dictionaries, errors, seeds, tolerances."""

from parasym.core.constants import check_constants, constant_names, differing, is_state
from parasym.core.error import (
    BadInputError,
    CaptureError,
    CheckpointError,
    InternalError,
    InternalWarning,
    ShapeError,
    SymmetryError,
)
from parasym.core.params import Params, first_names, float_buffers, model_params
from parasym.core.recipe import RECIPE, is_recipe, recipe_digest
from parasym.core.seed import child_generator, child_seed
from parasym.core.text import cut, one_line, printable
from parasym.core.tolerance import Tolerance, Verdict, tolerance_for

__all__ = [
    "RECIPE",
    "BadInputError",
    "CaptureError",
    "CheckpointError",
    "InternalError",
    "InternalWarning",
    "Params",
    "ShapeError",
    "SymmetryError",
    "Tolerance",
    "Verdict",
    "check_constants",
    "child_generator",
    "child_seed",
    "constant_names",
    "cut",
    "differing",
    "first_names",
    "float_buffers",
    "is_recipe",
    "is_state",
    "model_params",
    "one_line",
    "printable",
    "recipe_digest",
    "tolerance_for",
]
