"""Takes symmetries away: architectures in which no unit can stand for another."""

from parasym.breaking._table import METHODS
from parasym.breaking.break_model import BrokenModel, break_
from parasym.breaking.count import load_trainable_vector_, trainable_count, trainable_masks, trainable_vector
from parasym.breaking.dense import dense
from parasym.breaking.drawing import DRAWING, distinct_masks
from parasym.breaking.figlu import FiGLU
from parasym.breaking.freeze import freeze_, frozen_parts, frozen_tensors, plain_type
from parasym.breaking.frozen_entries import FrozenEntries
from parasym.breaking.loading import adopt_state_
from parasym.breaking.method import AbstractBreaking
from parasym.breaking.preset import PRESETS, preset
from parasym.breaking.recipe import Recipe, recipe_of
from parasym.breaking.report import BreakReport
from parasym.breaking.sigma_asymmetric import SigmaAsymmetric
from parasym.breaking.w_asymmetric import WAsymmetric

__all__ = [
    # The verb
    "break_",
    "BrokenModel",
    "BreakReport",
    "dense",
    # Methods
    "METHODS",
    "AbstractBreaking",
    "WAsymmetric",
    "SigmaAsymmetric",
    # The recipes of the paper
    "PRESETS",
    "preset",
    # What travels with a model
    "Recipe",
    "recipe_of",
    "adopt_state_",
    "DRAWING",
    # Their parts
    "FrozenEntries",
    "freeze_",
    "frozen_tensors",
    "frozen_parts",
    "plain_type",
    "FiGLU",
    "distinct_masks",
    # What is trained
    "trainable_count",
    "trainable_masks",
    "trainable_vector",
    "load_trainable_vector_",
]
