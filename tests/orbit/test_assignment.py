"""Assignments agree with scipy's, cold and warm, and prices prove what they say."""

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from parasym.orbit.assignment import assign, raise_prices


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


def test_prices_do_not_prove_a_wrong_identity():
    n = 130
    c = torch.eye(n, dtype=torch.float64)[torch.randperm(n, generator=torch.Generator().manual_seed(0))].numpy()
    _, settled = raise_prices(c, np.arange(n), np.zeros(n), steps=50)
    assert not settled
    _, settled = raise_prices(np.eye(n), np.arange(n), np.zeros(n), steps=50)
    assert settled


def test_ties_and_zeros():
    p, _ = assign(torch.zeros(140, 140))
    assert sorted(p.tolist()) == list(range(140))
