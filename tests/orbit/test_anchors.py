"""The first pass starts where wires are anchored: signs and streams that hide each other are found together."""

from dataclasses import replace

import pytest
import torch

from parasym.core import Params
from parasym.find import find
from parasym.orbit import canonicalize, match
from parasym.orbit.alignment import Alignment
from parasym.orbit.block import blocks_of
from parasym.orbit.descent import propagate
from parasym.orbit.objective import gap
from parasym.symmetry import Symmetry
from parasym.zoo import ZOO, generic_params
from tests.orbit.networks import gelu_mlp

ENTRIES = {entry.name: entry for entry in ZOO}
HIDDEN = {
    "vit": "one sign for the whole stream",
    "transformer_encoder": "two of them",
    "group_norm": "a sign for every group",
    "attention_qk_norm": "heads of which some tensors are not settled yet",
    "rnn_tanh": "a wire that meets itself in one tensor",
}


def pair(name: str, seed: int) -> tuple[Symmetry, Params, Params]:
    entry = ENTRIES[name]
    model = entry.model()
    symmetry = find(model, entry.inputs(torch.Generator().manual_seed(0)))
    generator = torch.Generator().manual_seed(seed)
    a = generic_params(model, generator=generator)
    return symmetry, a, symmetry.act(symmetry.sample(generator=generator), a)


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize("seed", range(3))
def test_what_hides_is_found(name, seed):
    symmetry, a, b = pair(name, seed)
    assert gap(a, b) > 0.1
    assert gap(a, symmetry.act(match(symmetry, a, b), b)) < 1e-8


@pytest.mark.parametrize("name", ["vit", "mlp_relu_deep", "experts_listed"])
def test_every_wire_of_a_network_is_anchored(name):
    symmetry, a, _ = pair(name, 0)
    assert propagate(Alignment(symmetry, blocks_of(symmetry), a, a))


def test_two_wires_that_only_meet_each_other_are_not_anchored():
    case = gelu_mlp([4, 6, 5, 3])
    places = [tuple(x for x in f.bindings if x.tensors == ("2.weight",)) for f in case.symmetry.factors]
    within = tuple(replace(f, bindings=x) for f, x in zip(case.symmetry.factors, places, strict=True))
    symmetry, a = replace(case.symmetry, factors=within), case.params(0)
    assert not propagate(Alignment(symmetry, blocks_of(symmetry), a, a))


@pytest.mark.parametrize("seed", range(4))
def test_canonical_heads_do_not_depend_on_the_phases_of_their_planes(seed):
    symmetry, a, b = pair("attention_rope_shared_key", seed)
    assert gap(canonicalize(symmetry, a).params, canonicalize(symmetry, b).params) < 1e-8
