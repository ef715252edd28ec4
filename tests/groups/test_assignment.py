"""Assignments agree with scipy's, cold and warm, and prices prove what they say."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from parasym.groups import Permutation, sparse
from parasym.groups.assignment import assign, raise_prices
from parasym.groups.sparse import assign_sparsely


def best(c):
    return float(c.numpy()[linear_sum_assignment(c.numpy(), maximize=True)].sum())


@pytest.mark.parametrize("n", [1, 2, 7, 60, 200])
def test_cold(n):
    c = torch.randn(n, n, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    p, _ = assign(c)
    assert sorted(p.tolist()) == list(range(n))
    assert float(c[torch.arange(n), p].sum()) == pytest.approx(best(c))


def test_warm_after_small_changes():
    n, g = 150, torch.Generator().manual_seed(0)
    c = torch.randn(n, n, generator=g, dtype=torch.float64)
    prices = None
    for step in range(6):
        p, prices = assign(c, (), prices)
        assert float(c[torch.arange(n), p].sum()) == pytest.approx(best(c))
        c = c[:, p] + 0.05 / (step + 1) * torch.randn(n, n, generator=g, dtype=torch.float64)
    p, prices = assign(c, (), prices)
    c = c[:, p]
    assert assign(c, (), prices)[0].tolist() == list(range(n))


def test_risen_prices_prove_the_identity_and_nothing_else():
    n, g = 150, torch.Generator().manual_seed(0)
    c = torch.randn(n, n, generator=g, dtype=torch.float64)
    p, prices = assign(c, (), np.zeros(n))
    assert prices is not None
    c = (c[:, p] + 0.01 * torch.randn(n, n, generator=g, dtype=torch.float64)).numpy()
    assert (linear_sum_assignment(c, maximize=True)[1] == np.arange(n)).all()
    assert ((c - prices).max(axis=1) > (c - prices).diagonal()).any()
    raised, proved = raise_prices(c, prices, steps=20)
    assert proved
    assert ((c - raised) <= (c - raised).diagonal()[:, None] + 1e-6).all()
    c[0, 1] += 10  # planted: an exchange that gains
    assert not raise_prices(c, prices, steps=200)[1]
    assert assign(torch.from_numpy(c), (), prices)[0].tolist() == linear_sum_assignment(c, maximize=True)[1].tolist()


def test_a_group_remembers_the_prices_that_prove_its_solution():
    c = torch.randn(2, 150, 150, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    memory = []
    found = Permutation(150).realign(c, memory)
    assert len(memory) == 2
    for profit, p, v in zip(c.numpy(), found.numpy(), memory, strict=True):
        reduced = profit[:, p] - v  # they come in the new order
        assert (reduced <= reduced.diagonal()[:, None] + 1e-9).all()


def hard(n, seed):
    """A matrix of low rank: rows compete for the same columns."""
    g = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(n, 3, generator=g, dtype=torch.float64) for _ in range(2))
    return x @ y.T


@pytest.mark.parametrize("make", [hard, lambda n, seed: torch.rand(n, n, generator=torch.Generator().manual_seed(seed)).double()])
@pytest.mark.parametrize("n", [2, 40, 300])
def test_sparse_is_exact_and_its_prices_prove_it(make, n):
    c = make(n, n)
    found = assign_sparsely(c.numpy())
    if found is None:  # no proof: `assign` then takes the dense way
        assert make is hard
    else:
        p, v = found
        rows = np.arange(n)
        assert c.numpy()[rows, p].sum() == pytest.approx(best(c))
        assert ((c.numpy() - v) <= (c.numpy()[rows, p] - v[p])[:, None] + 1e-9).all()
    assert float(c[torch.arange(n), assign(c)[0]].sum()) == pytest.approx(best(c))


def test_without_a_proof_the_dense_solver_decides(monkeypatch):
    c = torch.randn(150, 150, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    monkeypatch.setattr(sparse, "CANDIDATES", 1)
    monkeypatch.setattr(sparse, "ROUNDS", 1)
    assert assign_sparsely(c.numpy()) is None
    assert float(c[torch.arange(150), assign(c)[0]].sum()) == pytest.approx(best(c))


def test_no_prices_prove_a_wrong_assignment():
    n = 30
    rows, columns = (x.ravel() for x in np.divmod(np.arange(n * n), n))
    c, identity = np.eye(n), np.arange(n)
    wrong = np.roll(identity, 1)
    for p, proved in ((identity, True), (wrong, False)):
        gain = (c - c[identity, p][:, None]).ravel()
        assert (sparse._prices(rows, columns, gain, p, np.zeros(n), 1e-12) is not None) == proved


def test_ties_and_zeros():
    p, _ = assign(torch.zeros(140, 140))
    assert sorted(p.tolist()) == list(range(140))


@pytest.mark.parametrize("seed", range(3))
def test_columns_that_all_rows_want_are_found_in_further_rounds(seed: int) -> None:
    """The first candidates of every row are the same few columns: prices have to name others before anything is proved."""
    n, generator = 80, np.random.default_rng(seed + 1)
    profit = 0.3 * generator.standard_normal((n, n)) + np.linspace(0, 3, n)
    found = assign_sparsely(profit)
    assert found is not None
    p, v = found
    rows, columns = linear_sum_assignment(-profit)
    assert profit[np.arange(n), p].sum() == pytest.approx(profit[rows, columns].sum())
    assert (profit - v <= (profit[np.arange(n), p] - v[p])[:, None] + 1e-9).all()
