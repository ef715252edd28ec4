"""Activation matching finds planted elements from data, and falls back to weights where no module shows a wire."""

import pytest
import torch

from parasym.core import BadInputError
from parasym.orbit import ActivationMatching, match
from parasym.orbit.objective import gap
from tests.orbit.networks import attention, batchnorm_cnn, experts, gelu_mlp, relu_mlp, rms_stack, tanh_mlp


def batches(case, count=4):
    g = torch.Generator().manual_seed(5)
    return [torch.randn(64, *case.inputs.shape[1:], generator=g, dtype=torch.float64) for _ in range(count)]


@pytest.mark.parametrize(
    "make", [relu_mlp, tanh_mlp, gelu_mlp, batchnorm_cnn, rms_stack, experts, attention], ids=lambda f: f.__name__
)
def test_a_planted_element_is_recovered(make):
    case = make()
    a = case.params(0)
    b = case.symmetry.act(case.symmetry.sample(generator=torch.Generator().manual_seed(9)), a)
    method = ActivationMatching(case.model, batches(case))
    assert gap(a, case.symmetry.act(match(case.symmetry, a, b, method=method), b)) < 1e-6


def test_what_no_module_shows_is_said():
    case = experts()
    assert set(ActivationMatching(case.model, []).unread(case.symmetry)) == {"up[0]", "up[1]"}
    assert ActivationMatching(tanh_mlp().model, []).unread(tanh_mlp().symmetry) == ()


def test_no_data():
    case = tanh_mlp()
    with pytest.raises(BadInputError, match="at least one batch"):
        match(case.symmetry, case.params(0), case.params(1), method=ActivationMatching(case.model, []))
