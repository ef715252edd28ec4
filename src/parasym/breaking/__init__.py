"""Takes symmetries away: architectures in which no unit can stand for another."""

from parasym.breaking._table import METHODS
from parasym.breaking.break_model import break_
from parasym.breaking.count import load_trainable_vector_, trainable_count, trainable_masks, trainable_vector
from parasym.breaking.figlu import FiGLU
from parasym.breaking.frozen_entries import FrozenEntries
from parasym.breaking.mask import distinct_masks
from parasym.breaking.method import AbstractBreaking
from parasym.breaking.preset import PRESETS, preset
from parasym.breaking.sigma_asymmetric import SigmaAsymmetric
from parasym.breaking.w_asymmetric import WAsymmetric

__all__ = [
    # The verb
    "break_",
    # Methods
    "METHODS",
    "AbstractBreaking",
    "WAsymmetric",
    "SigmaAsymmetric",
    # The recipes of the paper
    "PRESETS",
    "preset",
    # Their parts
    "FrozenEntries",
    "FiGLU",
    "distinct_masks",
    # What is trained
    "trainable_count",
    "trainable_masks",
    "trainable_vector",
    "load_trainable_vector_",
]
