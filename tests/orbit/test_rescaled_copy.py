"""A copy of a residual network, rescaled and permuted as freely as the group allows, is recognized, in single precision too."""

import pytest
import torch
from torch import Tensor, nn

from parasym.core import model_params
from parasym.find import find
from parasym.orbit import canonicalize, match
from parasym.orbit.gauge import balance
from parasym.orbit.objective import gap
from parasym.symmetry import Symmetry


class Block(nn.Module):
    """Two convolutions beside a projection, each with BatchNorm."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first, self.first_norm = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.second, self.second_norm = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.skip = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.second_norm(self.second(self.first_norm(self.first(x)).relu()))
        return (y + self.skip(x)).relu()


def made(dtype: torch.dtype) -> tuple[Symmetry, dict[str, Tensor], dict[str, Tensor]]:
    torch.manual_seed(0)
    head = [nn.Conv2d(3, 6, 3, 1, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU()]
    tail = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 4)]
    model = nn.Sequential(*head, Block(6, 8, 1), Block(8, 12, 2), *tail).to(dtype).eval()
    symmetry = find(model, (torch.zeros(1, 3, 8, 8, dtype=dtype),))
    a = model_params(model)
    return symmetry, a, symmetry.act(symmetry.sample(generator=torch.Generator().manual_seed(1), dtype=dtype), a)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_recognized(dtype: torch.dtype):
    symmetry, a, b = made(dtype)
    moved = symmetry.act(match(symmetry, a, b, generator=torch.Generator().manual_seed(0)), b)
    assert gap(a, b) > 10
    assert gap(a, moved) < 1e-3
    assert gap(*(canonicalize(symmetry, x).params for x in (a, b)), ignore=()) < (1e-2 if dtype == torch.float32 else 1e-6)


def test_stored_variances_fix_the_scales_they_absorb():
    symmetry, a, b = made(torch.float64)
    for params in (a, b):
        balanced = balance(symmetry, params, tolerance=1e-9, max_steps=500)
        variances = {n: x for n, x in balanced.params.items() if n.endswith("running_var")}
        assert len(variances) == 7
        assert all(torch.allclose(x + 1e-5, torch.ones_like(x)) for x in variances.values())
        # Without that the norm falls on and on, until a scale is out of range: the passes would not end.
        assert balanced.steps < 500
