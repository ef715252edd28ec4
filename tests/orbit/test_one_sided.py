"""Different networks with BatchNorm keep positive variances and their function when they are matched."""

import pytest
import torch
from torch import nn

from parasym.core import model_params
from parasym.find import find
from parasym.orbit import match, match_many
from parasym.orbit.fit import fit_continuous
from parasym.orbit.objective import gap
from parasym.symmetry import Element


def trained(seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(1, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(96, 4))
    for p in model.parameters():
        p.data = torch.randn(p.shape, generator=generator) * 0.3
    for _ in range(5):
        model(torch.randn(16, 1, 6, 6, generator=generator))
    return model.eval()


@pytest.mark.parametrize("together", [False, True])
def test_the_function_is_kept(together: bool):
    one, two = trained(0), trained(1)
    x = torch.randn(4, 1, 6, 6, generator=torch.Generator().manual_seed(2))
    symmetry, a, b = find(one, (x,)), model_params(one), model_params(two)
    elements = match_many(symmetry, [a, b]) if together else [symmetry.identity(dtype=torch.float32), match(symmetry, a, b)]
    for model, element, params in zip((one, two), elements, (a, b), strict=True):
        moved = symmetry.act(element, params)
        assert float(moved["1.running_var"].min()) > 1e-4
        assert torch.allclose(torch.func.functional_call(model, moved, (x,)), model(x), atol=1e-4)


def test_both_have_the_same_variances_afterwards_wherever_they_were():
    one, two = trained(0), trained(1)
    symmetry = find(one, (torch.zeros(1, 1, 6, 6),))
    a, b = model_params(one), model_params(two)
    gaps = []
    for seed in range(3):
        elsewhere = symmetry.sample(generator=torch.Generator().manual_seed(seed))(b)
        moved = match(symmetry, a, elsewhere).params
        assert torch.allclose(moved["1.running_var"], a["1.running_var"], rtol=1e-4)
        gaps.append(gap(a, moved))
    assert max(gaps) < min(gaps) * (1 + 1e-4)


def test_scales_that_only_a_variance_absorbs_would_shrink():
    """The fault that this guards against: fitted like the others, such a scale drives a variance to zero."""
    one, two = trained(0), trained(1)
    symmetry = find(one, (torch.zeros(1, 1, 6, 6),))
    a, b = model_params(one), model_params(two)
    moves, _ = fit_continuous(symmetry, a, b)
    moved = Element(symmetry, tuple(moves))(b)
    assert float(moved["1.running_var"].min()) < 0.2 * float(b["1.running_var"].min())
