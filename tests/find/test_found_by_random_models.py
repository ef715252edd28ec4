"""The smallest forms of what random models once found broken: ``find`` must be sound on each."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from parasym.find import find
from parasym.symmetry import group_name
from parasym.testing.random_parts import Apply
from parasym.zoo import generic_params
from tests.zoo.acting import factor_errors


class TwoReaders(nn.Module):
    """One wire read by a Linear layer, and by another after a function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.enter, self.first, self.second, self.function = nn.Linear(6, 6), nn.Linear(6, 3), nn.Linear(6, 3), function

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.enter(x)
        return self.first(h), self.second(self.function(h))


class NormedStream(nn.Module):
    """A residual stream read by a LayerNorm, and at one position by something that sees its mean."""

    def __init__(self, last: nn.Module) -> None:
        super().__init__()
        self.enter, self.norm, self.step, self.last = nn.Linear(6, 6), nn.LayerNorm(6), nn.Linear(6, 6), last

    def forward(self, x: Tensor) -> Tensor:
        h = self.enter(x)
        h = h + torch.tanh(self.step(self.norm(h)))
        return self.last(h[:, 0])


def _shuffled(x: Tensor) -> Tensor:
    return x.unflatten(-1, (2, -1)).transpose(-1, -2).flatten(-2)


def _shuffle_before_norm(move: Callable[[Tensor], Tensor]) -> nn.Module:
    return nn.Sequential(nn.Linear(6, 6), Apply(lambda x: move(_shuffled(x))), nn.LayerNorm(6), nn.Linear(6, 3))


def _outer_product(h: Tensor) -> Tensor:
    return (h[..., :3, None] * h[..., None, 3:]).flatten(-2)[..., ::2].repeat(1, 1, 2)[..., :6]


CASES: dict[str, Callable[[], nn.Module]] = {
    "uncovered_after_a_sum": lambda: TwoReaders(lambda h: ((h - h[:, :1]) - h).sort(dim=-1).values),
    "strided_slice_of_a_product": lambda: TwoReaders(_outer_product),
    "shuffle_and_flip_before_norm": lambda: _shuffle_before_norm(lambda x: x.flip(-1)),
    "shuffle_and_roll_before_norm": lambda: _shuffle_before_norm(lambda x: x.roll(1, -1)),
    "one_position_read_by_linear": lambda: NormedStream(nn.Linear(6, 3)),
    "one_position_read_by_rms_norm": lambda: NormedStream(nn.RMSNorm(6, eps=1e-5)),
    "instance_norm_beside_an_uncovered_operation": lambda: nn.Sequential(
        Apply(lambda x: x[:, None]),
        nn.Conv2d(1, 4, 3, padding=1),
        nn.InstanceNorm2d(4),
        Apply(lambda x: x.sort(dim=1).values),
        nn.Conv2d(4, 2, 1),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_find_is_sound(name: str):
    model = CASES[name]().double()
    generator = torch.Generator().manual_seed(0)
    args = (torch.randn(3, 5, 6, generator=generator, dtype=torch.float64),)
    symmetry = find(model, args)
    params = generic_params(model, generator=generator)
    for factor, error, _ in factor_errors(model, symmetry, params, args, generator=generator):
        assert error < 1e-10, f"{group_name(factor)} on {factor.tensors} changes the outputs by {error:.1e}"
