"""Scales and signs may differ from slice to slice where permutations may not, and only there."""

import torch
from torch import Tensor, nn

from parasym.find import find
from parasym.symmetry import group_name
from parasym.verify import verify


class Scores(nn.Module):
    """Scores of two heads of three channels, one gain for both, as in attention with normalized queries."""

    def __init__(self, *, relu: bool = False, centred: bool = False) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(4, 6, bias=False), nn.Linear(4, 6, bias=False)
        self.gain, self.out = nn.Parameter(torch.rand(3) + 0.5), nn.Linear(2, 2, bias=False)
        self.relu, self.centred = relu, centred

    def forward(self, x: Tensor) -> Tensor:
        query, key = (part(x).reshape(-1, 2, 3) for part in (self.query, self.key))
        query = query.relu() if self.relu else query.tanh()
        if self.centred:  # statistics over the heads: a sign of one head alone would change them
            query = nn.functional.layer_norm(query.mT, (2,)).mT
        return self.out((query * self.gain * key).sum(2).sigmoid())


def factors(model: nn.Module) -> tuple[str, ...]:
    model = model.double()
    x = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    symmetry = find(model, (x,))
    result = verify(model, symmetry, (x,), generator=torch.Generator().manual_seed(1))
    assert str(result).startswith("holds: yes")
    return tuple(sorted(map(group_name, symmetry.factors)))


def test_signs_leave_a_shared_gain_alone():
    # A sign for each of 6 channels of query and key; a sign and a scale for a channel of both heads, in the gain and the key.
    assert factors(Scores()) == ("S(2)", "S(3)", "scale(3)", "signs(3)", "signs(3)^2")


def test_scales_leave_a_shared_gain_alone():
    # The same with scales. Signs pass the gain and the key only.
    assert factors(Scores(relu=True)) == ("S(2)", "S(3)", "scale(3)", "scale(3)^2", "signs(3)")


def test_statistics_over_the_slices_forbid_it():
    assert factors(Scores(centred=True)) == ("S(2)", "S(3)", "scale(3)", "signs(3)", "signs(3)")
