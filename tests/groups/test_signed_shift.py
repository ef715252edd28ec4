"""Subgroups and cosets of signed shifts, by counting elements."""

import itertools

import pytest
import torch

from parasym.core import BadInputError
from parasym.groups import SignedShift


def elements(group: SignedShift) -> set[int]:
    """All products of the rows, as numbers."""
    out = set()
    for chosen in itertools.product((0, 1), repeat=len(group.rows)):
        word = 0
        for row, taken in zip(group.rows, chosen, strict=True):
            word ^= row * taken
        out.add(word)
    return out


GROUPS = [("0x1", "0x6", "0xb"), ("0x3", "0x5", "0x9"), ("0xf",), ("0x1", "0x2", "0x4", "0x8"), ("0x6", "0xc", "0x9")]


@pytest.mark.parametrize("generators", GROUPS)
def test_contains_what_is_a_product_of_generators(generators: tuple[str, ...]) -> None:
    group, every = SignedShift(2, generators), SignedShift(2)
    inside = [group.contains(g) for g in every.elements()]
    assert sum(inside) == len(elements(group))
    assert all(group.contains(g) for g in group.elements())
    assert (False in inside) == (len(elements(group)) < 16)


@pytest.mark.parametrize("generators", GROUPS)
@pytest.mark.parametrize("inner", [(), ("0x3",), ("0xd",), ("0x3", "0x5"), ("0x7", "0x9"), ("0x6",)])
def test_every_coset_has_one_representative(generators: tuple[str, ...], inner: tuple[str, ...]) -> None:
    group, subgroup = SignedShift(2, generators), SignedShift(2, inner)
    if not elements(subgroup) <= elements(group):
        with pytest.raises(BadInputError, match="has elements that the group does not have"):
            group.cosets(subgroup)
        return
    cosets = elements(group.cosets(subgroup))
    assert len(cosets) * len(elements(subgroup)) == len(elements(group))
    assert {a ^ b for a in cosets for b in elements(subgroup)} == elements(group)


def test_elements_are_as_many_as_the_order_says() -> None:
    group = SignedShift(2, ("0x1", "0x6"))
    found = {tuple(g.flatten().tolist()) for g in group.elements()}
    assert len(found) == group.order == 4
    assert all(
        torch.equal(group.compose(torch.tensor(g).reshape(2, 2), group.element(0)), torch.tensor(g).reshape(2, 2)) for g in found
    )
