"""Maps of high condition: the verbs converge, or say that they did not, with the true reason."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from parasym.core import BadInputError, Params, model_params
from parasym.find import find
from parasym.groups import GeneralLinear
from parasym.orbit import canonicalize, distance, match, match_many, merge
from parasym.orbit.conditioning import ill_conditioned
from parasym.orbit.objective import gap, norm
from parasym.symmetry import Element, Move, Symmetry
from parasym.zoo import generic_params
from tests.orbit.planted import found


def moved(symmetry: Symmetry, params: Params, condition: float) -> Params:
    """The same function, every linear wire moved by a map of this condition."""
    generator = torch.Generator().manual_seed(1)
    moves = []
    for factor in symmetry.factors:
        if isinstance(factor.group, GeneralLinear):
            n = factor.group.size
            u, _, v = torch.linalg.svd(torch.randn(*factor.batch, n, n, generator=generator, dtype=torch.float64))
            s = torch.logspace(0.5, -0.5, n, base=condition, dtype=torch.float64)
            moves.append(Move(factor.id, u @ torch.diag_embed(s.expand(*factor.batch, n)) @ v))
    return Element(symmetry, tuple(moves))(params)


def linear(*widths: int) -> tuple[Symmetry, Params]:
    torch.manual_seed(0)
    layers = [nn.Linear(i, o) for i, o in pairwise(widths)]
    net = nn.Sequential(*layers).double()
    return find(net, torch.randn(3, widths[0]).double()), model_params(net)


CASES = {
    "mlp_identity": lambda: (
        found("mlp_identity")[1],
        generic_params(found("mlp_identity")[0], generator=torch.Generator().manual_seed(0)),
    ),
    "attention": lambda: (
        found("attention")[1],
        generic_params(found("attention")[0], generator=torch.Generator().manual_seed(0)),
    ),
    "one wire": lambda: linear(6, 4, 5),
    "two wires": lambda: linear(6, 4, 4, 5),
}


@pytest.mark.parametrize(("name", "condition"), [*((name, 1e8) for name in CASES), ("mlp_identity", 1e6), ("attention", 1e10)])
def test_what_does_not_converge_says_so(name, condition):
    symmetry, a = CASES[name]()
    b = moved(symmetry, a, condition)
    for one, two in ((a, b), (b, a)):
        there = match(symmetry, one, two)
        assert there.after < 1e-8 * norm(one) or not there.converged
        assert there.converged == (not there.notes)
    apart = distance(symmetry, a, b)
    assert apart.relative < 1e-8 or any("rounding" in note for note in apart.notes)
    if name == "mlp_identity":
        for x in (a, b):
            with pytest.raises(BadInputError, match=r"`2\.weight\[0\]` has 6 channels, more than the rank"):
                canonicalize(symmetry, x)
        return
    canonical = [canonicalize(symmetry, x) for x in (a, b)]
    assert canonical[0].converged
    same = gap(canonical[0].params, canonical[1].params) < 1e-7 * canonical[0].after
    assert same or not canonical[1].converged


@pytest.mark.parametrize("name", ["attention", "one wire", "two wires"])
def test_moderate_conditions_converge(name):
    symmetry, a = CASES[name]()
    b = moved(symmetry, a, 1e3)
    there = match(symmetry, a, b)
    assert there.converged
    assert not there.notes
    assert there.after < 1e-8 * norm(a) < gap(a, b)
    canonical = [canonicalize(symmetry, x) for x in (a, b)]
    assert all(x.converged for x in canonical)
    assert gap(*(x.params for x in canonical)) < 1e-8 * norm(a)
    assert not distance(symmetry, a, b).notes


@pytest.mark.parametrize("name", CASES)
def test_either_of_two_copies_is_brought_to_the_other(name):
    """Also a wire that is wider than what passes through it, and towards the one that is badly conditioned."""
    symmetry, a = CASES[name]()
    b = moved(symmetry, a, 1e3)
    for one, two in ((a, b), (b, a)):
        there = match(symmetry, one, two)
        assert there.converged, there.notes
        assert there.after < 1e-9 * norm(one)


def test_the_condition_of_a_wire_is_told_by_what_rounding_does():
    """The measure against the thing itself: numbers of another precision change the product by that much, and not by more."""
    symmetry, a = linear(6, 4, 5)
    for condition in (1e4, 1e6):
        b = moved(symmetry, a, condition)
        (ill,) = ill_conditioned(symmetry, b, 1e-6)
        assert 0.1 * condition < ill.condition < 100 * condition
        noise = torch.Generator().manual_seed(0)
        shaken = {n: x * (1 + 1e-10 * torch.randn(x.shape, generator=noise, dtype=torch.float64)) for n, x in b.items()}
        exact, rounded = (p["1.weight"] @ p["0.weight"] for p in (b, shaken))
        least = torch.linalg.svdvals(exact)[3]
        assert 1e-3 * 1e-10 * ill.condition < float((exact - rounded).norm() / least) < 10 * 1e-10 * ill.condition


def test_several_models_say_which_of_them_is_ill_conditioned():
    symmetry, a = linear(6, 4, 5)
    b = moved(symmetry, a, 1e9)
    for notes, converged in ((m.notes, m.converged) for m in (match_many(symmetry, [a, b]), merge(symmetry, [a, b]))):
        assert not converged
        assert any(note.startswith("in model 1 the maps before and after wire `0.weight[0]` have condition") for note in notes)
        assert not any("model 0" in note for note in notes)


def test_a_singular_point_is_no_reason_to_speak_of_widths():
    symmetry, a = linear(6, 4, 5)
    a["0.weight"] = a["0.weight"].clone()
    a["0.weight"][3] = a["0.weight"][2]
    a["1.weight"] = a["1.weight"].clone()
    a["1.weight"][:, 3] = 2 * a["1.weight"][:, 2]
    there = canonicalize(symmetry, a)
    assert not there.converged
    assert any("singular up to rounding, so its orbit has no balanced point" in note for note in there.notes)


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
def test_what_gains_of_zero_keep_from_being_recovered_is_said(zeros: int) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    symmetry, a = find(net, torch.zeros(3, 4).double()), generic_params(net, generator=torch.Generator().manual_seed(0))
    a["1.weight"] = torch.randn(6).double()
    a["1.weight"][:zeros] = 0
    b = symmetry.act(symmetry.sample(generator=torch.Generator().manual_seed(1)), a)
    found, merged = match(symmetry, a, b), merge(symmetry, [a, b])
    assert distance(symmetry, a, b) < 1e-10 * norm(a)
    assert found.converged is merged.converged is (zeros < 2)
    assert (found.after < 1e-8 * norm(a)) is (zeros < 2)
    assert any(f"gain `1.weight` is zero at {zeros} channels" in note for note in found.notes) is (zeros > 1)
    assert any("is zero at" in note for note in merged.notes) is (zeros > 1)
