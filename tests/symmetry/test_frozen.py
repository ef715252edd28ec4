"""Frozen entries are stored as bits."""

import json

import pytest
import torch

from parasym.core import BadInputError
from parasym.symmetry import FrozenEntries, Symmetry
from parasym.symmetry.frozen import without_frozen


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (2, 3, 11)])
def test_what_comes_out_is_what_went_in(shape):
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.4
    frozen = FrozenEntries.of("x", mask)
    assert torch.equal(frozen.mask, mask)
    assert frozen.count == int(mask.sum())
    assert frozen == FrozenEntries.of("x", mask) != FrozenEntries.of("x", ~mask)
    x = torch.ones(shape)
    assert torch.equal(without_frozen([frozen], {"x": x, "y": x})["x"], (~mask).float())
    assert (x == 1).all()


DAMAGED = {
    "another shape": {"shape": [2, 5]},
    "an unknown tensor": {"tensor": "other"},
    "no base 64": {"bits": "%%%"},
    "not compressed": {"bits": "AAAA"},
    "too few bits": {"bits": FrozenEntries.of("x", torch.tensor([True])).bits},
    "a number": {"bits": 3},
}


@pytest.mark.parametrize("how", DAMAGED)
def test_damage_is_refused(how):
    symmetry = Symmetry((), (("x", (3, 5)),), frozen=(FrozenEntries.of("x", torch.ones(3, 5).bool()),))
    assert Symmetry.from_json(symmetry.to_json()) == symmetry
    document = json.loads(symmetry.to_json())
    document["frozen"][0] |= DAMAGED[how]
    with pytest.raises(BadInputError):
        Symmetry.from_json(json.dumps(document))
