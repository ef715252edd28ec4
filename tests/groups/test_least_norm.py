"""Scales of least norm: the equations that they solve, also where a side has no energy at all."""

from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from parasym.groups.least_norm import balancing_log, thin_maps


def energies(**given: list[float]) -> dict[Fraction, Tensor]:
    return {
        Fraction(name.replace("m", "-").replace("p", "").replace("h", "/2")): torch.tensor(e).double()
        for name, e in given.items()
    }


def slope(given: dict[Fraction, Tensor], s: Tensor) -> Tensor:
    """The derivative of the norm, and the norm weighted by powers, at ``s``."""
    terms = {p: float(p) * e * (2 * float(p) * s).exp() for p, e in given.items()}
    return sum(terms.values(), torch.zeros_like(s))


MIXED = [
    energies(p1=[1.0, 9.0, 1e-8], m1=[16.0, 4.0, 1e8]),
    energies(p1=[1.0, 3.0], m2=[5.0, 1e-3]),
    energies(p2=[1.0, 3.0], p1=[0.5, 0.0], m1=[5.0, 1e3]),
    energies(p1h=[1.0, 3.0], m1h=[5.0, 1e3], m1=[0.0, 2.0]),
]


@pytest.mark.parametrize("given", MIXED, ids=str)
def test_the_norm_is_stationary_and_least(given: dict[Fraction, Tensor]) -> None:
    s = balancing_log(given)
    size = sum((abs(float(p)) * e * (2 * float(p) * s).exp() for p, e in given.items()), torch.zeros_like(s))
    assert (slope(given, s).abs() / size).max() < 1e-9
    norm = lambda t: sum((e * (2 * float(p) * t).exp() for p, e in given.items()), torch.zeros_like(s))  # noqa: E731
    assert all(bool((norm(s + step) > norm(s)).all()) for step in (-0.1, 0.1))


@pytest.mark.parametrize(
    "given",
    [
        energies(p1=[4.0, 0.25]),
        energies(p2=[4.0, 0.25]),
        energies(m3=[4.0]),
        energies(p1h=[3.0]),
        energies(p1=[1.0, 2.0], p2=[3.0, 0.5]),
        energies(m1=[4.0], m2=[1.0]),
    ],
    ids=str,
)
def test_powers_of_one_sign_have_a_norm_of_one(given: dict[Fraction, Tensor]) -> None:
    s = balancing_log(given)
    assert torch.allclose(slope(given, s).abs(), torch.ones_like(s))


def test_where_a_side_has_no_energy() -> None:
    s = balancing_log(energies(p1=[4.0, 0.0, 0.0], m1=[0.0, 4.0, 0.0]))
    assert torch.allclose(s.exp(), torch.tensor([0.5, 2.0, 1.0]).double())
    for given in (energies(p1=[0.0, 1.0], m2=[1.0, 1.0]), energies(p2=[1.0, 1.0], p1h=[1.0, 1.0], m1=[0.0, 1.0])):
        s = balancing_log(given)
        assert s[0] == 0
        assert s[1] != 0 or given[Fraction(-1 if Fraction(-1) in given else -2)][1] == 1
        assert torch.isfinite(s).all()
    assert balancing_log(energies(p1=[0.0])) == 0


@pytest.mark.parametrize(
    "given",
    [energies(p2=[1.0], p1=[1.0], m1=[3.0]), energies(p1=[0.5], p2=[0.25]), energies(m1=[0.5], m2=[0.25])],
    ids=["both signs", "positive", "negative"],
)
def test_what_is_balanced_is_left_as_it_is(given: dict[Fraction, Tensor]) -> None:
    assert balancing_log(given).tolist() == [0.0]  # not a neighbour of it, reached from far away


class Largest(TorchDispatchMode):
    """Notes the size of the largest result of an operation."""

    numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        found = func(*args, **(kwargs or {}))
        self.numel = max([self.numel, *(x.numel() for x in pytree.tree_leaves(found) if isinstance(x, Tensor))])
        return found


@pytest.mark.parametrize("turned", [False, True])
def test_thin_maps_need_no_more_memory_than_the_product_of_both_sides(turned: bool) -> None:
    x, y = torch.randn(3, 4, dtype=torch.float64), torch.randn(200, 4, dtype=torch.float64)
    with Largest() as largest:
        k, dual, live = thin_maps(*((y, x) if turned else (x, y)))
    assert largest.numel <= 200 * 4
    assert k.shape == dual.shape == (4, 4)
    assert live.tolist() == [True, True, True, False]
