"""Pairs of models of the zoo: copies that were moved along the orbit, and strangers."""

import torch

from parasym.core import Params
from parasym.symmetry import Symmetry
from parasym.testing.planted import ENTRIES, cast, found, moved_copy
from parasym.zoo import generic_params

__all__ = ["ENTRIES", "cast", "found", "moved_copy", "strangers"]


def strangers(name: str, seed: int) -> tuple[Symmetry, Params, Params]:
    model, symmetry = found(name)
    generator = torch.Generator().manual_seed(seed)
    a, b = (generic_params(m, generator=generator) for m in (model, ENTRIES[name].model(seed=1)))
    return symmetry, a, b
