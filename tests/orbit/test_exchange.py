"""Experts that changed places are found again, with their inner units."""

import torch

from parasym.find import find
from parasym.orbit import canonicalize, distance, match
from parasym.symmetry import Element, Move, Swap
from parasym.zoo import ZOO, generic_params

ENTRY = next(entry for entry in ZOO if entry.name == "experts_listed")


def test_exchanged_experts_are_matched():
    generator = torch.Generator().manual_seed(0)
    model, args = ENTRY.model().double(), ENTRY.inputs(generator)
    symmetry = find(model, args)
    exchange = next(f.id for f in symmetry.factors if isinstance(f.bindings[0], Swap))
    a = generic_params(model, generator=generator)
    for _ in range(5):
        b = symmetry.act(symmetry.sample(generator=generator), a)
        assert distance(symmetry, a, b) < 1e-8
        moved, again = canonicalize(symmetry, a).params, canonicalize(symmetry, b).params
        assert all(torch.allclose(moved[n], again[n], atol=1e-8) for n in a)
    swapped = Element(symmetry, (Move(exchange, torch.tensor([1, 2, 0])),))(a)
    assert any(not torch.equal(swapped[n], a[n]) for n in a)
    element = match(symmetry, a, swapped).element
    assert exchange in {move.factor for move in element.moves}
