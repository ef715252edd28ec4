"""Copies that were moved along the orbit come back, without restarts: a tenth of the draws of `make planted`."""

import pytest
import torch

from parasym.orbit import WeightMatching, match
from parasym.orbit.objective import gap, norm
from parasym.zoo import ZOO
from tests.orbit.planted import cast, found, moved_copy

BOUNDS = {torch.float64: 1e-8, torch.float32: 1e-4, torch.bfloat16: 3e-2}
NAMES = [entry.name for entry in ZOO if found(entry.name)[1].factors]


def error(name: str, seed: int, dtype: torch.dtype) -> float:
    symmetry, a, b = moved_copy(name, seed, dtype)
    a, moved = cast(a, torch.float64), match(symmetry, a, b, method=WeightMatching()).element(cast(b, torch.float64))
    return gap(a, moved) / norm(a)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", [3, 17])
def test_comes_back(name, seed):
    _, a, b = moved_copy(name, seed)
    assert gap(a, b) > 0.05 * norm(a)
    assert error(name, seed, torch.float64) < BOUNDS[torch.float64]


@pytest.mark.parametrize("name", NAMES[3::5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_comes_back_in_other_precisions(name, dtype):
    assert error(name, 11, dtype) < BOUNDS[dtype]
