"""A cast to 8 bits, or to whole numbers, is a step function; what is not odd is not taken for odd."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from parasym.find import find
from parasym.symmetry import group_name
from parasym.verify import verify


class Between(nn.Module):
    def __init__(self, op: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.op, self.second = nn.Linear(4, 5), op, nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.op(self.first(x)))


def cast(dtype: torch.dtype, how: str, x: Tensor) -> Tensor:
    if how == "type_as":
        return (4 * x).type_as(torch.zeros((), dtype=dtype)).type_as(x)
    return (4 * x).to(dtype).to(x.dtype)


EIGHT = (torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz)
WHOLE = (torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64, torch.bool)
PERMUTED, SIGNED, LINEAR = ["S(5)"], ["S(5)", "signs(5)"], ["GL(5)", "shift(5)"]
CASES: dict[str, tuple[Callable[[Tensor], Tensor], list[str]]] = {
    **{f"{dtype} by {how}": (partial(cast, dtype, how), SIGNED) for dtype in EIGHT for how in ("to", "type_as")},
    **{str(dtype): (partial(cast, dtype, "to"), PERMUTED) for dtype in WHOLE},
    "unsigned powers of two": (
        lambda x: (1 + x.square()).to(torch.float8_e8m0fnu).to(x.dtype),
        SIGNED,
    ),  # the square swallows signs
    "unsigned, of signed numbers": (lambda x: x.to(torch.float8_e8m0fnu).to(x.dtype).nan_to_num(7.0), PERMUTED),
    "after a rectifier": (lambda x: cast(torch.float8_e4m3fn, "to", torch.relu(x)), PERMUTED),
    "of a product with a scale": (lambda x: (x / 0.1).to(torch.float8_e5m2).to(x.dtype) * 0.1, SIGNED),
    "bounds the wrong way round": (lambda x: x.clamp(1, -1), PERMUTED),
    "bounds that are not opposite": (lambda x: x.clamp(-1, 0.5), PERMUTED),
    "bounds that are tensors": (lambda x: torch.clamp(x, torch.tensor(0.5), torch.tensor(-0.5)), PERMUTED),
    "opposite bounds": (lambda x: x.clip(-0.5, 0.5), SIGNED),
    "single precision": (lambda x: x.float().to(x.dtype), LINEAR),
}


@pytest.mark.parametrize("name", CASES)
def test_what_passes(name: str):
    op, expected = CASES[name]
    torch.manual_seed(0)
    model, args = Between(op), (torch.randn(12, 4),)
    symmetry = find(model, args)
    assert sorted(map(group_name, symmetry.factors)) == sorted(expected)
    assert not symmetry.uncovered
    verify(model, symmetry, args, complete=False).raise_if_fails()


@pytest.mark.parametrize("op", [torch.sub, torch.add])
def test_sixteen_bits_are_taken_for_exact(op: Callable[..., Tensor]):
    model = Between(lambda x: op(x, 0.0).bfloat16().half().to(x.dtype))
    assert sorted(group_name(f) for f in find(model, (torch.randn(12, 4),)).factors) == LINEAR
