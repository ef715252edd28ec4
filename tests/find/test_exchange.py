"""Summed branches of one form may change places; branches that differ in anything may not."""

from collections.abc import Callable
from math import factorial

import pytest
import torch
from torch import Tensor, nn

from parasym.find import find
from parasym.symmetry import Swap, Symmetry
from parasym.verify import verify


class Experts(nn.Module):
    """Three experts in a list, put together by ``combine``."""

    def __init__(self, combine: Callable[[Tensor, list[Tensor]], Tensor], odd_one: nn.Module | None = None) -> None:
        super().__init__()
        self.gate = nn.Linear(4, 3)
        middle = [nn.GELU(), odd_one or nn.GELU(), nn.GELU()]
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(4, 5), m, nn.Linear(5, 2)) for m in middle)
        self.combine = combine

    def forward(self, x: Tensor) -> Tensor:
        return self.combine(self.gate(x).softmax(-1), [expert(x) for expert in self.experts])


def members(symmetry: Symmetry) -> list[int]:
    return [len(b.members) for factor in symmetry.factors for b in factor.bindings if isinstance(b, Swap)]


GATED = {
    "loop": lambda g, e: sum(g[:, k : k + 1] * y for k, y in enumerate(e)),
    "stack": lambda g, e: (torch.stack(e, 1) * g[:, :, None]).sum(1),
    "einsum": lambda g, e: torch.einsum("be,bed->bd", g, torch.stack(e, 1)),
    "plain sum": lambda g, e: e[0] + (e[1] + e[2]),
}


@pytest.mark.parametrize("combine", GATED.values(), ids=GATED.keys())
def test_experts_are_exchangeable(combine: Callable[[Tensor, list[Tensor]], Tensor]):
    model = Experts(combine)
    args = (torch.randn(6, 4, generator=torch.Generator().manual_seed(0)),)
    symmetry = find(model, args)
    assert members(symmetry) == [3]
    assert symmetry.order == 6 * factorial(5) ** 3
    verify(model, symmetry, args).raise_if_fails()
    assert Symmetry.from_json(symmetry.to_json()) == symmetry


DIFFERENT = {
    "another activation": (Experts(GATED["loop"], nn.SiLU()), [2]),
    "another factor": (Experts(lambda g, e: e[0] + 2.0 * e[1] + e[2]), [2]),
    "another sign": (Experts(lambda g, e: e[0] - e[1] + e[2]), [2]),
    "another gate": (Experts(lambda g, e: g[:, :1] * e[0] + g[:, 1:2] * e[1] + e[2]), [2]),
    "side by side": (Experts(lambda g, e: torch.cat(e, -1)), []),
    "one after the other": (nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 4), nn.GELU()), []),
    "seen by an operation without a rule": (Experts(lambda g, e: e[0] + e[1] + e[2] + e[1].sort(-1).values), [2]),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_different_branches_are_not(name: str):
    model, expected = DIFFERENT[name]
    args = (torch.randn(6, 4, generator=torch.Generator().manual_seed(0)),)
    symmetry = find(model, args)
    assert members(symmetry) == expected
    verify(model, symmetry, args, complete=False).raise_if_fails()
