"""The soundness of ``find`` on one random model, and what a forgotten binding would do."""

from dataclasses import replace

import torch

from parasym.find import find
from parasym.symmetry import Symmetry, group_name
from parasym.testing.random_model import RandomModel, random_model
from parasym.zoo import generic_params
from tests.zoo.acting import factor_errors


def unsound_factors(seed: int) -> tuple[RandomModel, Symmetry, list[str]]:
    """Return model ``seed``, what ``find`` says of it, and the factors that change its outputs."""
    model, args = random_model(seed)
    symmetry = find(model, args)
    generator = torch.Generator().manual_seed(seed)
    params = generic_params(model, generator=generator)
    errors = factor_errors(model, symmetry, params, args, generator=generator)
    wrong = [
        f"{group_name(factor)} on {factor.wire.name} ({', '.join(factor.tensors)}): {error:.1e}, way {way:.1e}"
        for factor, error, way in errors
        if not error < 1e-10 or way == 0
    ]
    return model, symmetry, wrong


def caught_forgetful(seed: int) -> tuple[int, int]:
    """Return how many factors would be caught if they forgot their last binding, and how many there are."""
    model, args = random_model(seed)
    symmetry = find(model, args)
    factors = [f for f in symmetry.factors if len(f.bindings) > 1]
    forgetful = replace(symmetry, factors=tuple(replace(f, bindings=f.bindings[:-1]) for f in factors))
    generator = torch.Generator().manual_seed(seed)
    params = generic_params(model, generator=generator)
    errors = factor_errors(model, forgetful, params, args, generator=generator)
    return sum(not error < 1e-10 for _, error, _ in errors), len(errors)
