"""Pairs of models of the zoo: copies that were moved along the orbit, and strangers."""

from functools import cache

import torch
from torch import nn

from parasym.core import Params
from parasym.find import find
from parasym.symmetry import Symmetry
from parasym.zoo import ZOO, generic_params

ENTRIES = {entry.name: entry for entry in ZOO}


@cache
def found(name: str) -> tuple[nn.Module, Symmetry]:
    model = ENTRIES[name].model()
    return model, find(model, ENTRIES[name].inputs(torch.Generator().manual_seed(0)))


def moved_copy(name: str, seed: int, dtype: torch.dtype = torch.float64) -> tuple[Symmetry, Params, Params]:
    """A model of a precision, and its copy moved by a random element of all factors together."""
    model, symmetry = found(name)
    generator = torch.Generator().manual_seed(seed)
    a = cast(generic_params(model, generator=generator), dtype)
    return symmetry, a, cast(symmetry.sample(generator=generator)(cast(a, torch.float64)), dtype)


def strangers(name: str, seed: int) -> tuple[Symmetry, Params, Params]:
    model, symmetry = found(name)
    generator = torch.Generator().manual_seed(seed)
    a, b = (generic_params(m, generator=generator) for m in (model, ENTRIES[name].model(seed=1)))
    return symmetry, a, b


def cast(params: Params, dtype: torch.dtype) -> Params:
    return {n: x.to(dtype) if x.is_floating_point() else x for n, x in params.items()}
