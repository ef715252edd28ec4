"""An axis that is cut in two ways that do not fit is pinned, and nothing else is."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from parasym.find import find
from parasym.verify import verify
from tests.find.test_coarse import IMAGE, Net

LENGTH, HEADS, DIM = 4, 2, 3


class RelativeAttention(nn.Module):
    """Attention whose scores know distances by the shift of Transformer-XL: a reshape through rows and columns."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v, self.r = (nn.Linear(5, HEADS * DIM, bias=False) for _ in range(4))
        self.o = nn.Linear(HEADS * DIM, 5, bias=False)
        self.distances = nn.Buffer(torch.randn(2 * LENGTH, 5, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (f(x).unflatten(-1, (HEADS, DIM)).transpose(1, 2) for f in (self.q, self.k, self.v))
        r = self.r(self.distances.to(x)).unflatten(-1, (HEADS, DIM))
        far = torch.einsum("bhid,jhd->bhij", q, r)
        b, h, i, j = far.shape
        far = far.reshape(b, h, j, i)[:, :, 1:].reshape(b, h, i, j - 1)[..., :LENGTH]
        out = (q @ k.mT + far).softmax(-1) @ v
        return self.o(out.transpose(1, 2).flatten(2))


def maxima(s: Any, x: Tensor) -> Tensor:
    """A slice that cuts the positions of one axis in the middle of a row, with channels beside it."""
    return s.b(s.a(x).relu().flatten(2)[..., :10].amax(2))


def doubled(s: Any, x: Tensor) -> Tensor:
    """Positions cut in rows meet positions cut in another way."""
    h = s.a(x).relu()
    wide = torch.cat([h.flatten(2)[..., :7].tanh(), h.flatten(2)[..., 7:]], 2) + h.transpose(2, 3).flatten(2)
    return s.b(wide.amax(2))


CASES = {  # model, inputs, factors derived by hand
    # Queries, keys and distances share the channels of a head, values and the output theirs; heads change places as a whole.
    "relative attention": (
        RelativeAttention(),
        torch.randn(2, LENGTH, 5, generator=torch.Generator().manual_seed(1)),
        {"GL(3)^2", "S(2)"},
    ),
    "a slice through rows": (Net(maxima, a=nn.Conv2d(3, 4, 3), b=nn.Linear(4, 2)), IMAGE, {"S(4)", "scale(4)"}),
    "two cuts of positions": (Net(doubled, a=nn.Conv2d(3, 4, 3), b=nn.Linear(4, 2)), IMAGE, {"S(4)"}),
}


@pytest.mark.parametrize("name", CASES)
def test_only_the_axis_that_is_cut_is_pinned(name: str) -> None:
    model, x, expected = CASES[name]
    x = torch.randn(x.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    model = model.double()
    symmetry = find(model, (x,))
    assert symmetry.uncovered == symmetry.coarse == ()
    assert {factor.label for factor in symmetry.factors} == expected
    assert verify(model, symmetry, (x,)).holds == "yes"


def test_two_slices_are_two_functions() -> None:
    def run(s: Any, x: Tensor) -> Tensor:
        ends = [(s.a, slice(0, 10)), (s.c, slice(1, 11))]
        one, two = (s.b(f(x).relu().flatten(2)[..., cut].amax(2)) for f, cut in ends)
        return one + two

    parts = {"a": nn.Conv2d(3, 4, 3), "c": nn.Conv2d(3, 4, 3), "b": nn.Linear(4, 2)}
    symmetry = find(Net(run, **parts), (IMAGE,))
    assert not [
        factor
        for factor in symmetry.factors
        if {"a.weight", "c.weight"} == set(factor.tensors) & {"a.weight", "c.weight"} and factor.wire.size == 2
    ]
