"""The minimizer that hops: SciPy's fields, the budget of counts, bounds, and stopping when it does not pay."""

import numpy as np
import pytest
import torch
from scipy.optimize import Bounds, OptimizeResult, minimize

from parasym.circuits import CircuitCost, depolarizing, transfer
from parasym.hopping import Greedy, HoppingMinimizer, noisy_orbit
from tests.hopping.noisy_circuits import after_gates, angles, bare, orbit


class Counted:
    """A cost and its gradient for SciPy, counted."""

    def __init__(self, circuit, shots=None):
        self.cost = CircuitCost(transfer(circuit), shots=shots, generator=torch.Generator().manual_seed(0))
        self.calls = 0

    def fun(self, x):
        self.calls += 1
        return float(self.cost(torch.from_numpy(np.array(x))))

    def jac(self, x):
        return self.cost.gradient(torch.from_numpy(np.array(x))).numpy()


@pytest.mark.parametrize("early", [0, 5, None])
def test_better_than_the_same_descent_without_hops(early):
    found, gains = orbit(3, 2), []
    for seed in range(4):
        x0 = angles(9, seed).numpy()
        plain, hopping = Counted(found.circuit), Counted(found.circuit)
        local = minimize(plain.fun, x0, jac=plain.jac, method="L-BFGS-B")
        result = HoppingMinimizer(found, early=early)(hopping.fun, x0, jac=hopping.jac)
        assert isinstance(result, OptimizeResult)
        assert result.nfev == hopping.calls
        assert result.fun == pytest.approx(float(transfer(found.circuit).cost(torch.from_numpy(result.x))), abs=1e-12)
        gains.append(local.fun - result.fun)
    if early is not None:
        assert np.mean(gains) > 0
    else:
        assert min(gains) > -1e-9, "hopping after convergence never makes it worse"


def test_it_is_a_minimizer_as_qiskit_calls_it():
    found = orbit(3, 2)
    counted = Counted(found.circuit)
    result = HoppingMinimizer(found, Greedy(), method="COBYLA", early=20, hops=1, options={"maxiter": 60})(
        fun=counted.fun, x0=angles(9).numpy(), jac=None, bounds=None
    )
    assert result.x.shape == (9,)
    assert {"fun", "nfev", "nit", "x", "nhop", "hops"} <= result.keys()
    assert result.hop_evaluations == result.hops[0].evaluations


def test_a_short_descent_is_one_that_cobyla_accepts():
    """Fewer evaluations than one simplex takes would be a warning, and warnings are errors here."""
    found = orbit(3, 2)
    result = HoppingMinimizer(found, method="COBYLA", early=2, hops=1, options={"maxiter": 40})(
        Counted(found.circuit).fun, angles(9).numpy()
    )
    assert len(result.hops) == 1
    assert result.njev == 0, "it has no gradient to count"


def test_function_with_gradient():
    found = orbit(3, 2)
    counted = Counted(found.circuit)
    result = HoppingMinimizer(found, hops=1)(lambda x: (counted.fun(x), counted.jac(x)), angles(9).numpy(), jac=True)
    assert result.fun < -1


def test_it_stops_hopping_when_it_does_not_pay():
    found = noisy_orbit(bare(3, 2), noise=after_gates(depolarizing(0.05, 0)))
    counted = Counted(found.circuit)
    result = HoppingMinimizer(found, early=None, hops=9)(counted.fun, angles(9).numpy(), jac=counted.jac)
    assert len(result.hops) == 1
    assert result.nhop == 0
    without = HoppingMinimizer(found, early=None, hops=0)(counted.fun, angles(9).numpy(), jac=counted.jac)
    assert without.hops == ()
    assert without.fun == result.fun


@pytest.mark.parametrize("bounds", [[(-np.pi, np.pi)] * 9, Bounds(-np.pi, np.pi)])
def test_whole_turns_bring_hops_into_bounds(bounds):
    found = orbit(3, 2)
    counted = Counted(found.circuit)
    result = HoppingMinimizer(found, early=3)(counted.fun, angles(9).numpy(), jac=counted.jac, bounds=bounds)
    assert result.nhop >= 1
    assert (np.abs(result.x) <= np.pi + 1e-12).all()


def test_what_has_no_period_is_not_brought_into_bounds(monkeypatch):
    found = orbit(3, 2)
    monkeypatch.setattr(type(found), "periods", (0.0,) * 9)
    start = angles(9).clamp(-3, 3).numpy()
    for bounds, hops in (([(-np.pi, np.pi)] * 9, 0), ([(None, None)] * 9, 1)):
        counted = Counted(found.circuit)
        result = HoppingMinimizer(found, early=0, hops=1)(counted.fun, start, jac=counted.jac, bounds=bounds)
        assert result.nhop == hops
        assert np.isfinite(result.x).all()


@pytest.mark.parametrize("past", [0.5, -0.5, 2 * np.pi, -2 * np.pi])
def test_a_hop_ends_inside_of_every_bound_or_is_not_made(past):
    found, start = orbit(3, 2), 40 + angles(9).numpy()
    counted = Counted(found.circuit)
    minimizer = HoppingMinimizer(found, early=0, hops=1, options={"maxiter": 0})
    free = minimizer(counted.fun, start, jac=counted.jac)
    assert free.nhop == 1
    middle = free.hops[0].angles.numpy().copy()
    middle[4] += past
    bounds = np.stack([middle - 0.1, middle + 0.1], axis=1)
    result = minimizer(counted.fun, start, jac=counted.jac, bounds=bounds)
    assert result.nhop == (abs(past) > 1), "only whole periods do not matter"


def test_hops_out_of_narrow_bounds_are_not_made():
    found = orbit(3, 2)
    counted = Counted(found.circuit)
    result = HoppingMinimizer(found, early=3)(counted.fun, np.full(9, 0.3), jac=counted.jac, bounds=[(0.1, 0.5)] * 9)
    assert result.nhop == 0
    assert ((result.x >= 0.1) & (result.x <= 0.5)).all()
