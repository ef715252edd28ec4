"""Parameters by name: lazy ones have no shape yet, and numbers of 8 bits are not computed with."""

import pytest
import torch
from torch import nn

from parasym.core import BadInputError, first_names, float_buffers, model_params
from parasym.core.params import check_computable


@pytest.mark.parametrize("read", [model_params, float_buffers])
def test_a_lazy_module_has_no_shapes(read) -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.LazyBatchNorm1d())
    with pytest.raises(BadInputError, match=r"^1\.\w+ of Sequential has no shape yet.*Call the model once"):
        read(model)
    model(torch.zeros(2, 4))
    assert {"1.running_mean", "1.running_var"} <= set(read(model))
    assert ("1.num_batches_tracked" in read(model)) == (read is model_params)


def test_only_floating_point_numbers_of_8_bits_are_refused() -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.int8, torch.uint8, torch.bool):
        assert check_computable("w", torch.ones(1).to(dtype)).dtype == dtype
    for dtype in (torch.float8_e4m3fn, torch.float8_e5m2):
        with pytest.raises(BadInputError, match=f"`w` is stored in {str(dtype).removeprefix('torch.')}, with which"):
            check_computable("w", torch.ones(1).to(dtype))


def test_tied_tensors_stand_under_each_of_their_names() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2))
    model[1].weight, model[1].running_mean = model[0].weight, model[0].running_mean
    assert {"0.weight", "1.weight"} <= set(model_params(model))
    assert {"0.running_mean", "1.running_mean"} <= set(float_buffers(model))
    assert first_names(model)["1.running_mean"] == "0.running_mean"
