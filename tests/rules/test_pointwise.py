"""Products with what is the same for all channels, which may be mixed through them, in whatever order they are written."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from parasym import find, verify


class Gated(nn.Module):
    """A gate for all channels between two layers."""

    def __init__(self, op: Callable[[Tensor, Tensor], Tensor]):
        super().__init__()
        self.a, self.g, self.b, self.op = nn.Linear(3, 4), nn.Linear(3, 1), nn.Linear(4, 2), op

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.op(self.a(x), self.g(x)))


PRODUCTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "after": lambda h, g: h * g,
    "before": lambda h, g: g * h,
    "expanded after": lambda h, g: h * g.expand(-1, 4),
    "expanded before": lambda h, g: g.expand(-1, 4) * h,
    "two gates": lambda h, g: g.expand(-1, 4) * (g.sin().expand(-1, 4) * h),
    "divided": lambda h, g: h / g.expand(-1, 4),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_channels_mix_through_what_they_share(name: str) -> None:
    torch.manual_seed(0)
    model, x = Gated(PRODUCTS[name]).double(), torch.randn(20, 3, dtype=torch.float64)
    symmetry = find(model, x)
    assert "GL(4)" in {f.group.label for f in symmetry.factors}
    assert verify(model, symmetry, x, complete=False).holds == "yes"


def test_two_gates_keep_their_shape() -> None:
    torch.manual_seed(0)
    model, x = Gated(lambda h, g: g.expand(-1, 4) * g.sin().expand(-1, 4) * h).double(), torch.randn(20, 3, dtype=torch.float64)
    symmetry = find(model, x)
    assert symmetry.uncovered == ()
    assert verify(model, symmetry, x, complete=False).holds == "yes"
