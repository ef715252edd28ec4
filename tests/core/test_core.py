"""Parameters, seeds and tolerances."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from parasym.core import (
    BadInputError,
    CaptureError,
    CheckpointError,
    ShapeError,
    SymmetryError,
    child_generator,
    child_seed,
    float_buffers,
    model_params,
    tolerance_for,
)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(3, 3)
        self.b = nn.Linear(3, 3)
        self.b.weight = self.a.weight
        self.register_buffer("table", torch.arange(3.0), persistent=False)


def test_model_params_has_tied_names_and_buffers_that_are_not_persistent():
    params = model_params(Tied())
    assert list(params) == ["a.weight", "a.bias", "b.weight", "b.bias", "table"]
    assert params["a.weight"] is not params["a.bias"]
    assert params["a.weight"].data_ptr() == params["b.weight"].data_ptr()
    assert not any(p.requires_grad for p in params.values())


def test_model_params_evaluate_to_the_same_function():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU()).eval()
    x = torch.randn(2, 3)
    assert torch.equal(torch.func.functional_call(model, model_params(model), (x,)), model(x))


def test_float_buffers_leaves_counters_out():
    assert list(float_buffers(nn.BatchNorm1d(2))) == ["running_mean", "running_var"]


def test_child_seed_is_the_same_in_another_process():
    code = "from parasym.core import child_seed; print(child_seed(7, 'label'))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(out.stdout) == child_seed(7, "label")


def test_child_seeds_differ_and_fit():
    seeds = {child_seed(seed, label) for seed in range(20) for label in ("a", "b")}
    assert len(seeds) == 40
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_child_generator_repeats():
    a, b, other = (torch.rand(3, generator=child_generator(0, label)) for label in ("x", "x", "y"))
    assert torch.equal(a, b)
    assert not torch.equal(a, other)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_tolerances_leave_room_for_unsure(dtype: torch.dtype):
    tolerance = tolerance_for(dtype)
    assert torch.finfo(dtype).eps < tolerance.holds < tolerance.fails
    assert tolerance.fails <= 0.5, "half of the largest output is an error in any precision"


def test_no_tolerance_for_integers():
    with pytest.raises(BadInputError, match=r"must be one of .*torch\.float32.*but is torch\.int64\. Cast"):
        tolerance_for(torch.int64)


@pytest.mark.parametrize("kind", [ShapeError, BadInputError, CheckpointError, CaptureError])
def test_one_base_class(kind: type[Exception]):
    assert issubclass(kind, SymmetryError)
    assert issubclass(SymmetryError, ValueError)
