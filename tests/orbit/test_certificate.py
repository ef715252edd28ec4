"""What is said to be best left where it is, is; and noisy copies are recognized before everything is multiplied."""

import pytest
import torch
from scipy.optimize import linear_sum_assignment

from parasym.orbit import WeightMatching, alignment, match
from parasym.orbit.certificate import margins, unless_identity
from parasym.orbit.objective import gap
from tests.orbit.networks import gelu_mlp


def tensors(noise, seed, n=12):
    """Inner products of a first tensor, and two more: copies up to noise."""
    g = torch.Generator().manual_seed(seed)
    a = [torch.randn(shape, generator=g, dtype=torch.float64) for shape in [(n, 40), (n, 30, 2), (20, n)]]
    b = [x + noise * torch.randn(x.shape, generator=g, dtype=torch.float64) for x in a]
    return a[0] @ b[0].mT, [(a[1], b[1], 0), (a[2], b[2], 1)]


def whole(c, rest):
    for a, b, axis in rest:
        a, b = (x.movedim(axis, 0).flatten(1) for x in (a, b))
        c = c + a @ b.mT
    return c


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.5, 1.0, 8.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_proof_is_never_wrong_and_without_one_all_products_are_there(noise, seed):
    c, rest = tensors(noise, seed)
    want, found = whole(c, rest), unless_identity(c, rest)
    if found is None:
        assert linear_sum_assignment(want.numpy(), maximize=True)[1].tolist() == list(range(12))
        assert noise < 8
    else:
        assert torch.allclose(found, want)
        assert noise > 0


def test_a_planted_exchange_is_not_called_settled():
    c, rest = tensors(0.0, 0)
    swap = torch.arange(12)
    swap[:2] = torch.tensor([1, 0])
    a, b, axis = rest[0]
    weak = 0.1 * c  # two channels of the rest want to change places more than these products want them to stay
    assert unless_identity(weak, [(a, b, axis)]) is None
    found = unless_identity(weak, [(a, b[swap], axis)])
    assert found is not None
    assert linear_sum_assignment(found.numpy(), maximize=True)[1].tolist() == swap.tolist()


@pytest.mark.parametrize(("margin", "proved"), [(0.9, False), (1.1, True)])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_bound_is_tight(margin, proved, axis):
    """Two channels that have changed places gain as much as the bound says, and not a bit less."""
    a = torch.tensor([[3.0, 0.0, 1.0, 2.0], [0.0, 1.0, 1.0, 0.0]], dtype=torch.float64)
    b, gain = a[[1, 0]], float((a[0] - a[1]).square().sum()) / 2  # for each of the two
    c = margin * gain * torch.eye(2, dtype=torch.float64)
    rest = [(a.movedim(0, axis), b.movedim(0, axis), axis)]
    exchange = linear_sum_assignment(whole(c, rest).numpy(), maximize=True)[1].tolist() == [1, 0]
    assert exchange == (not proved)
    assert (unless_identity(c, rest) is None) == proved


def test_margins():
    c = torch.tensor([[3.0, 1.0, 2.0], [0.0, 1.0, 4.0], [0.0, 0.0, 0.0]])
    assert margins(c).tolist() == [-0.5, -3.5, 0.5]


def test_noisy_copies_match_as_without_proofs(monkeypatch):
    case = gelu_mlp([40, 40, 40, 40, 4])
    g = torch.Generator().manual_seed(0)
    a = case.params(0)
    b = {n: x + 0.1 * x.std() * torch.randn(x.shape, generator=g, dtype=x.dtype) for n, x in a.items()}
    b = case.symmetry.act(case.symmetry.sample(generator=g), b)
    proofs = []

    def counted(*args):
        proofs.append(unless_identity(*args))
        return proofs[-1]

    monkeypatch.setattr(alignment, "unless_identity", counted)
    quick = match(case.symmetry, a, b, method=WeightMatching())
    assert any(x is None for x in proofs)
    monkeypatch.setattr(alignment.Alignment, "stays", lambda *_: False)
    slow = match(case.symmetry, a, b, method=WeightMatching())
    assert gap(a, case.symmetry.act(quick, b)) == gap(a, case.symmetry.act(slow, b)) < gap(a, b)
