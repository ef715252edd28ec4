"""Where translations are spent: each on a place of its own, so that one point of every orbit has zeros at all of them."""

import torch
from torch import nn

from parasym import find
from parasym.core import model_params
from parasym.groups import Translation
from parasym.orbit import canonicalize
from parasym.orbit.translation import spending
from parasym.symmetry import Factor, Shift, Symmetry, Wire


def along(*names: str) -> Factor:
    """A vector that is added to one bias and taken from others."""
    shifts = tuple(Shift(name, (3,), (0,), 1.0 if k == 0 else -1.0) for k, name in enumerate(names))
    return Factor(Translation(3), Wire("-".join(names), 3), (), shifts)


def test_each_is_spent_on_a_place_of_its_own() -> None:
    factors = (along("p", "q"), along("p", "r"), along("p", "q", "s"))
    symmetry = Symmetry(factors, tuple((name, (3,)) for name in "pqrs"))
    assert [name for _, name in spending(symmetry)] == ["p", "r", "q"]


def test_where_all_places_are_taken_one_is_spent_twice() -> None:
    symmetry = Symmetry((along("p"), along("p", "q"), along("q", "p")), (("p", (3,)), ("q", (3,))))
    assert [name for _, name in spending(symmetry)] == ["p", "q", "q"]


def test_what_they_are_spent_on_becomes_zero() -> None:
    class Parallel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.d, self.c = nn.Linear(4, 3), nn.Linear(4, 3), nn.Linear(4, 3), nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.c(torch.tanh(self.a(x) + self.b(x.sin()) + self.d(x.cos())))

    torch.manual_seed(0)
    model = Parallel().double()
    params = model_params(model)
    symmetry = find(model, torch.randn(5, 4, dtype=torch.float64))
    names = [name for _, name in spending(symmetry)]
    assert len(set(names)) == len(names) == 2
    canonical = canonicalize(symmetry, params).params
    assert all(float(canonical[name].abs().max()) < 1e-12 for name in names)
    assert all(float(params[name].abs().max()) > 0.1 for name in names)
