"""Numbers stored where constants stand, and where nothing is trained, say nothing of a model."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from parasym import WAsymmetric, break_, canonicalize, distance, match, match_many, merge, model_params
from parasym.core import Params
from parasym.find import find
from parasym.orbit.objective import gap
from parasym.symmetry import Symmetry
from tests.orbit.planted import found, moved_copy, strangers


def elsewhere(symmetry: Symmetry, params: Params, seed: int) -> Params:
    """The same model with other numbers where none count."""
    generator = torch.Generator().manual_seed(seed)
    out = dict(params)
    for one in symmetry.frozen:
        x = out[one.tensor]
        out[one.tensor] = torch.where(one.mask, 5 * torch.randn(x.shape, generator=generator).to(x), x)
    return out


def broken() -> tuple[Symmetry, Params, Params]:
    torch.manual_seed(0)
    x = torch.randn(5, 6).double()
    first, second = (
        break_(nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)), WAsymmetric(), inputs=x.float())
        .model.double()
        .eval()
        for _ in range(2)
    )
    return find(first, x), model_params(first), model_params(second)


CASES = {
    "frozen_two_kinds": lambda: strangers("frozen_two_kinds", 1),
    "w_asymmetric_relu": lambda: strangers("w_asymmetric_relu", 1),
    "broken": broken,
}


@pytest.mark.parametrize("name", CASES)
def test_they_do_not_count(name):
    symmetry, a, b = CASES[name]()
    c, d = elsewhere(symmetry, a, 0), elsewhere(symmetry, b, 1)
    assert gap(a, c) > 1.0, "the numbers differ"
    expected = distance(symmetry, a, b)
    assert expected.relative > 0.1
    assert distance(symmetry, a, c) == 0.0
    for one, two in ((c, b), (a, d), (c, d), (d, c)):
        assert distance(symmetry, one, two) == pytest.approx(expected, rel=1e-12)
    assert any("do not count: nothing reads them" in note for note in expected.notes)
    before = match(symmetry, a, b)
    after = match(symmetry, c, d)
    assert (after.before, after.after) == pytest.approx((before.before, before.after), rel=1e-12)
    assert match_many(symmetry, [c, d]).after == pytest.approx(match_many(symmetry, [a, b]).after, rel=1e-12)
    assert merge(symmetry, [c, d]).pairs[0].after == pytest.approx(merge(symmetry, [a, b]).pairs[0].after, rel=1e-12)
    one, two = (canonicalize(symmetry, x) for x in (a, c))
    assert gap(one.params, two.params) < 1e-12
    assert one.after == pytest.approx(two.after, rel=1e-12)


def test_a_planted_element_comes_back_under_other_numbers():
    symmetry, a, b = moved_copy("frozen_two_kinds", 3)
    b = elsewhere(symmetry, b, 2)
    there = match(symmetry, a, b)
    assert there.before > 0.1
    assert there.after < 1e-9
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).double()
    model, _ = found("frozen_two_kinds")
    outputs = [torch.func.functional_call(model, p, (x,)) for p in (a, there.params)]
    assert torch.allclose(*outputs)


def test_the_row_for_padding_does_not_count():
    net = nn.Sequential(nn.Embedding(9, 4, padding_idx=2), nn.Tanh(), nn.Linear(4, 3)).double()
    symmetry = find(net, torch.zeros(3, 5, dtype=torch.int64))
    a = model_params(net)
    b = symmetry.sample(generator=torch.Generator().manual_seed(0))(elsewhere(symmetry, a, 1))
    apart = distance(symmetry, a, b)
    assert apart < 1e-12
    assert "4 of 36 entries of `0.weight` do not count: they are kept for padding and not trained." in apart.notes
    assert canonicalize(symmetry, b).params["0.weight"].abs().min() > 0, "the function reads them, so they stay"


def test_a_symmetry_that_does_not_know_them_is_farther():
    symmetry, a, _ = CASES["frozen_two_kinds"]()
    assert distance(replace(symmetry, frozen=()), a, elsewhere(symmetry, a, 0)) > 1.0
