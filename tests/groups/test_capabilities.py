"""What a verb needs beyond the laws: a group without it refuses by name, and conjugation is what it says."""

import pytest
import torch

from parasym.core import SymmetryError
from parasym.groups import AbstractGroup, Permutation, SignFlip
from tests.groups.group_cases import BUILDERS

CAPABILITIES = {"align": 1, "balance": 1, "fit": 3, "sort": 1, "diagonalize": 1, "orient": 1, "conjugate": 2, "elements": 0}


@pytest.mark.parametrize("name", CAPABILITIES)
def test_what_a_group_lacks_it_refuses_by_name(name: str) -> None:
    group = type("Bare", (SignFlip,), {name: getattr(AbstractGroup, name)})(2)
    with pytest.raises(SymmetryError, match=rf"Bare cannot `{name}`: the method `Bare\.{name}` is missing"):
        getattr(group, name)(*[{}] * CAPABILITIES[name])


@pytest.mark.parametrize("method", ["align", "orient"])
@pytest.mark.parametrize("name", BUILDERS)
def test_where_nothing_is_to_be_seen_an_element_comes_back_all_the_same(name: str, method: str) -> None:
    group = BUILDERS[name](8)
    if not group.can(method):
        return
    n = group.length
    g = getattr(group, method)(torch.zeros((n, n) if method == "align" else (n,), dtype=torch.float64))
    x = torch.randn(n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.allclose(group.act(group.inverse(g), group.act(g, x, 0), 0), x)
    assert bool(group.act(g, x, 0).any())


CONJUGATES = [name for name, build in BUILDERS.items() if type(build(4)).conjugate is not AbstractGroup.conjugate]


@pytest.mark.parametrize("batch", [(), (3,)])
@pytest.mark.parametrize("name", CONJUGATES)
def test_a_conjugate_moves_channels_there_and_back(name: str, batch: tuple[int, ...]) -> None:
    group, generator = BUILDERS[name](8), torch.Generator().manual_seed(0)
    g = group.sample(batch, generator=generator, dtype=torch.float64)
    p = Permutation(8).sample(batch, generator=generator, dtype=torch.float64)
    x = torch.randn(*batch, group.length, generator=generator, dtype=torch.float64)

    def permuted(q: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        parts = x.unflatten(-1, (-1, 8))  # a plane has two channels, which go together
        return Permutation(8).act(q, parts, -1).flatten(-2)

    there_and_back = permuted(p, group.act(g, permuted(Permutation(8).inverse(p), x), -1))
    assert torch.allclose(group.act(group.conjugate(g, p), x, -1), there_and_back)
    assert not torch.allclose(group.act(g, x, -1), there_and_back)


LINEAR = ("permutation", "permutation-halves", "sign", "scaling", "orthogonal", "linear", "plane", "plane-rotation-only")


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
@pytest.mark.parametrize("name", LINEAR)
def test_a_product_is_the_sum_over_channels(name: str, batch: tuple[int, ...]) -> None:
    group, generator = BUILDERS[name](4), torch.Generator().manual_seed(0)
    g = group.sample(batch, generator=generator, dtype=torch.float64)
    a, b = (torch.randn(*batch, group.length, 5, generator=generator, dtype=torch.float64) for _ in range(2))
    found = group.product(g, a @ b.mT)
    assert found.shape == batch
    assert torch.allclose(found, (a * group.act(g, b, -2)).sum((-2, -1)))
    if group.can("align"):
        assert torch.allclose(group.attained(a @ b.mT), group.product(group.align(a @ b.mT), a @ b.mT))


@pytest.mark.parametrize("name", BUILDERS)
def test_what_a_group_says_of_its_elements_is_so(name: str) -> None:
    group, n = BUILDERS[name](4), 4
    g = group.sample((50,), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert group.permutes == (
        not g.is_floating_point() and not g.is_complex() and g.sort(-1).values.tolist() == [[*range(n)]] * 50
    )
    assert group.flips == (g.is_floating_point() and bool((g.abs() == 1).all()))
    assert group.scales == (g.is_floating_point() and g.shape[-1] == n and g.ndim == 2 and bool((g > 0).all()))
