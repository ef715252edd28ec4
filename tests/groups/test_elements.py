"""The elements of a finite group: as many as its order says, each once, and closed under composition."""

import pytest
import torch

from parasym.groups import AbstractGroup, Permutation, SignedShift, SignFlip

FINITE = [
    Permutation(1),
    Permutation(3),
    Permutation(4, cells=((0, 2), (1,), (3,))),
    SignFlip(3),
    SignedShift(1),
    SignedShift(2, ("0xe",)),
]


@pytest.mark.parametrize("group", FINITE, ids=str)
def test_every_element_once(group: AbstractGroup) -> None:
    listed = list(group.elements())
    found = {tuple(g.flatten().tolist()) for g in listed}
    assert len(listed) == len(found) == group.order
    x = torch.arange(1.0, group.length + 1).double()
    for g in listed:
        back = group.act(group.inverse(g), group.act(g, x, 0), 0)
        assert torch.allclose(torch.polar(torch.ones_like(x), back), torch.polar(torch.ones_like(x), x))  # angles have a period
        assert all(tuple(group.compose(g, h).flatten().tolist()) in found for h in listed)


def test_cells_of_one_channel_take_nothing_from_the_generator() -> None:
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    drawn = Permutation(3, cells=((0,), (1,), (2,))).sample((5,), generator=generator, dtype=torch.float64)
    assert drawn.tolist() == [[0, 1, 2]] * 5
    assert torch.equal(generator.get_state(), before)
