"""Canonical representatives: one per orbit, on the orbit, and different for different orbits."""

import pytest
import torch

from parasym.core import BadInputError
from parasym.orbit import canonicalize
from parasym.orbit.gauge import balance
from parasym.orbit.objective import gap, norm
from tests.orbit.networks import CASES, linear_mlp, relu_mlp, rotary


@pytest.mark.parametrize("make", CASES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_equal_up_to_symmetry_gives_equal(make, seed):
    case = make()
    a = case.params(seed)
    g = case.symmetry.sample(generator=torch.Generator().manual_seed(20 + seed))
    b = case.symmetry.act(g, a)
    x, y = canonicalize(case.symmetry, a).params, canonicalize(case.symmetry, b).params
    assert gap(a, b) > 0.1
    assert gap(x, y, ignore=()) < 1e-8
    if make is not rotary:
        assert (case.outputs(a) - case.outputs(x)).abs().max() < 1e-8


@pytest.mark.parametrize("make", CASES, ids=lambda f: f.__name__)
def test_idempotent_and_different_orbits_stay_different(make):
    case = make()
    x, y = (canonicalize(case.symmetry, case.params(k)).params for k in (0, 1))
    assert gap(x, canonicalize(case.symmetry, x).params, ignore=()) < 1e-8
    assert gap(x, y) > 0.1


def test_the_balanced_gauge_has_least_norm():
    case = relu_mlp()
    a = case.params(0)
    zero = {n: torch.zeros_like(x) for n, x in a.items()}
    least = gap(balance(case.symmetry, a, tolerance=1e-12).params, zero)
    for seed in range(10):
        g = case.symmetry.sample(generator=torch.Generator().manual_seed(seed))
        assert gap(case.symmetry.act(g, a), zero) >= least - 1e-9


def test_a_wire_wider_than_both_ranks_is_refused():
    case = linear_mlp([3, 6, 4])
    with pytest.raises(BadInputError, match="no balanced point"):
        canonicalize(case.symmetry, case.params(0))


def test_single_precision_stays():
    case = relu_mlp()
    a = {n: x.float() for n, x in case.params(0).items()}
    x = canonicalize(case.symmetry, a).params
    assert all(v.dtype == torch.float32 for v in x.values())


def test_it_says_what_moves_and_by_how_much():
    case = relu_mlp()
    a = case.params(0)
    found = canonicalize(case.symmetry, a)
    assert (found.before, found.after) == (norm(a), norm(found.params))
    assert found.after < found.before
    assert gap(case.symmetry.act(found, a), found.params, ignore=()) < 1e-12
    assert found.converged
    assert not found.notes
    lines = str(found).splitlines()
    assert lines[0].startswith("Canonical: norm ")
    assert sorted(lines[1:]) == sorted(f"  {f.label} on {f.wire.name}" for f in case.symmetry.factors)


def test_a_gauge_that_is_not_reached_is_said(monkeypatch):
    monkeypatch.setattr("parasym.orbit.canonical.STEPS", 1)
    case = relu_mlp()
    found = canonicalize(case.symmetry, case.params(0))
    assert not found.converged
    assert "was reached only up to factors of 1 ±" in found.notes[0]
