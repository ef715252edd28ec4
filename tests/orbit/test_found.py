"""Matching with symmetries that `find` returns, instead of ones written by hand."""

import pytest
import torch
from torch import nn

from parasym.core import model_params
from parasym.find import find
from parasym.orbit import ActivationMatching, canonicalize, distance, match, merge
from parasym.orbit.objective import gap

MODELS = {
    "relu": lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)),
    "tanh": lambda: nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)),
    "batchnorm": lambda: nn.Sequential(
        nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3)
    ),
    "encoder": lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation="gelu"),
}
INPUTS = {"batchnorm": (5, 2, 7, 7), "encoder": (5, 3, 8)}


def made(name, seed=0):
    torch.manual_seed(seed)
    model = MODELS[name]().double().eval()
    for x in model.parameters():
        nn.init.normal_(x, std=0.5)
    x = torch.randn(INPUTS.get(name, (5, 4)), dtype=torch.float64)
    return model, x, find(model, (x,))


@pytest.mark.parametrize("name", MODELS)
def test_planted(name):
    model, x, symmetry = made(name)
    a = {n: v.clone() for n, v in model_params(model).items()}
    for seed in range(2):
        b = symmetry.act(symmetry.sample(generator=torch.Generator().manual_seed(seed)), a)
        assert gap(a, b) > 0.1
        # Two shifts and three scales of one wire are fitted in turn, and converge slowly.
        assert distance(symmetry, a, b) < (1e-2 if name == "batchnorm" else 1e-6) * gap(a, b)
        moved = symmetry.act(match(symmetry, a, b, method=ActivationMatching(model, [x])), b)
        assert (torch.func.functional_call(model, moved, (x,)) - model(x)).abs().max() < 1e-6
        u, v = canonicalize(symmetry, a).params, canonicalize(symmetry, b).params
        assert gap(u, v, ignore=()) < 1e-7
        merged = merge(symmetry, [a, b]).params
        assert (torch.func.functional_call(model, merged, (x,)) - model(x)).abs().max() < 1e-5
