"""Hops: what they promise, and faults that break the promises."""

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from parasym.circuits import CircuitCost, NoiseModel, amplitude_damping, dephasing, depolarizing, transfer
from parasym.core import BadInputError, ShapeError
from parasym.find import find
from parasym.hopping import (
    SELECTORS,
    AbstractSelector,
    Exhaustive,
    Greedy,
    OrbitPoints,
    RandomElements,
    WalshDecode,
    hop,
    noisy_orbit,
)
from parasym.hopping.random_elements import all_coordinates, draw
from parasym.hopping.walsh import RIDGES, characters_of, decoded, fit, searched
from tests.hopping.noisy_circuits import after_gates, angles, bare, orbit, trained


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def selectors(found) -> dict[str, AbstractSelector]:
    return {"walsh": found.decode, "random": RandomElements(16), "greedy": Greedy(), "exhaustive": Exhaustive()}


def test_the_table_has_every_selector():
    assert SELECTORS.keys() == selectors(orbit()).keys()


@pytest.mark.parametrize("kind", [amplitude_damping, dephasing])
@pytest.mark.parametrize(("size", "layers", "rotations"), [(2, 2, "Y"), (3, 2, "Y"), (2, 1, "YX"), (3, 1, "YX")])
def test_cosets_are_the_costs_that_an_orbit_has(size, layers, rotations, kind):
    """Every cost of the whole orbit once, at angles where only symmetry makes two of them equal."""
    found = noisy_orbit(bare(size, layers, rotations), noise=NoiseModel((), (kind(0.1, 0),)))
    theta = angles(found.circuit.num_parameters)

    def costs(symmetry):
        points = OrbitPoints(symmetry, transfer(found.circuit).cost, theta, whole=found.symmetry)
        return points.costs(all_coordinates(points.rank)).sort().values

    every, kept = costs(found.symmetry), costs(found.cosets)
    distinct = every[torch.cat([torch.tensor([True]), every.diff() > 1e-9])]
    assert len(kept) == len(distinct) == found.cosets.order
    assert torch.allclose(kept, distinct, atol=1e-9)
    assert found.cosets.order * found.surviving.order == found.symmetry.order


@pytest.mark.parametrize("name", SELECTORS)
@pytest.mark.parametrize("seed", range(3))
def test_never_worse_and_equal_without_noise(name, seed):
    found, theta = orbit(3, 2), trained(3, 2, seed)
    simulator, clean = transfer(found.circuit), transfer(bare(3, 2))
    made = hop(
        found.symmetry, simulator.cost, theta, selector=selectors(found)[name], cosets=found.cosets, generator=seeded(seed)
    )
    assert made.after <= made.before
    assert made.moved == (made.after < made.before)
    assert abs(made.after - float(simulator.cost(made.angles))) < 1e-12
    assert abs(float(clean.cost(made.angles) - clean.cost(theta))) < 1e-12, "a hop must not change the cost without noise"
    assert torch.allclose(found.symmetry.act(made.element, {"angles": theta})["angles"], made.angles)


class Separable:
    """Points whose cost is a sum over their coordinates, so that the best point is known."""

    def __init__(self, weights: torch.Tensor) -> None:
        self.weights, self.rank, self.seen = weights, len(weights), []
        self.start = torch.zeros(self.rank, dtype=torch.int64)

    def costs(self, coordinates: torch.Tensor) -> torch.Tensor:
        return coordinates.double() @ self.weights


@pytest.mark.parametrize("seed", range(3))
def test_greedy_flips_what_lowers_the_cost_and_nothing_else(seed):
    weights = torch.randn(9, generator=seeded(seed), dtype=torch.float64)
    points: Any = Separable(weights)
    assert Greedy().propose(points, generator=seeded(seed)).tolist() == [(weights < 0).long().tolist()]


def test_exhaustive_finds_the_best_and_the_decode_nearly_does():
    found, theta = orbit(3, 2), trained(3, 2)
    cost = CircuitCost(transfer(found.circuit))
    best = hop(found.symmetry, cost, theta, selector=Exhaustive(), cosets=found.cosets)
    assert best.evaluations == found.cosets.order + 1
    assert best.gain > 0.01
    made = hop(
        found.symmetry, cost, theta, selector=WalshDecode(found.characters, samples=32), cosets=found.cosets, generator=seeded()
    )
    assert made.evaluations <= 1 + 32 + 4
    assert made.gain > 0.9 * best.gain


def test_circuits_are_counted():
    found, theta = orbit(), trained()
    cost = CircuitCost(transfer(found.circuit))
    made = hop(found.symmetry, cost, theta, selector=found.decode, cosets=found.cosets, generator=seeded())
    assert made.evaluations == cost.circuits == 1 + 48 + 4
    assert len(made.costs) == made.evaluations


@pytest.mark.parametrize("channel", [depolarizing(0.1, 0), dephasing(0.1, 0)])
@pytest.mark.parametrize("name", SELECTORS)
def test_under_noise_that_preserves_a_hop_does_nothing(name, channel):
    found = noisy_orbit(bare(3, 2), noise=after_gates(channel))
    theta = angles(9)
    assert found.cosets.order == 1
    made = hop(found.symmetry, transfer(found.circuit).cost, theta, selector=selectors(found)[name], cosets=found.cosets)
    assert not made.moved
    # Not told what survives, it evaluates the orbit, sees nothing but rounding, and stays too.
    small = Exhaustive() if name == "exhaustive" else selectors(found)[name]
    whole = hop(found.symmetry, transfer(found.circuit).cost, theta, selector=small, generator=seeded())
    assert not whole.moved
    assert whole.costs.max() - whole.costs.min() < 1e-13
    assert torch.equal(whole.angles, theta)


def test_momentum_is_carried_by_the_signs():
    """Without noise the gradient at the new point is the old one times the signs; without the signs it is not."""
    found = orbit(3, 3)
    clean, theta = transfer(bare()), angles(12)
    points = OrbitPoints(found.cosets, clean.cost, theta)
    where = draw(5, points.rank, generator=seeded())
    old, new = clean.cost_and_gradient(theta)[1], clean.cost_and_gradient(points.at(where))[1]
    assert (new - points.signs(where) * old).abs().max() < 1e-13
    assert (new - old).abs().max() > 0.1, "planted fault: momentum without signs"
    made = hop(
        found.symmetry, transfer(found.circuit).cost, theta, selector=found.decode, cosets=found.cosets, generator=seeded()
    )
    assert made.moved
    assert torch.equal(made.carry(old), made.signs * old)
    assert (made.signs == -1).any()


@dataclass(frozen=True)
class Worst(AbstractSelector):
    """A selector that proposes the worst point it knows."""

    def propose(self, points, *, generator=None):
        coordinates = draw(8, points.rank, generator=generator)
        return coordinates[points.costs(coordinates).argmax()][None]


@pytest.mark.parametrize(("shots", "repeats"), [(None, 3), (4000, 3), (4000, 1)])
def test_planted_fault_a_worse_candidate_is_not_taken(shots, repeats):
    found, theta = orbit(), trained()
    simulator = transfer(found.circuit)
    start = hop(found.symmetry, simulator.cost, theta, selector=found.decode, cosets=found.cosets, generator=seeded()).angles
    cost = CircuitCost(simulator, shots=shots, generator=seeded())
    made = hop(found.symmetry, cost, start, selector=Worst(), cosets=found.cosets, repeats=repeats, generator=seeded())
    assert not made.moved
    assert torch.equal(made.angles, start)
    assert made.after == made.before


def test_planted_fault_a_decode_that_ignores_the_noise_falls_back_to_its_samples():
    """With characters of no noise there is nothing to fit, and the best sample is returned: no worse than random points."""
    found, theta = orbit(), trained()
    blind = noisy_orbit(bare(), noise=after_gates(depolarizing(0.1, 0))).characters
    assert blind.num == 0
    made = hop(
        found.symmetry,
        transfer(found.circuit).cost,
        theta,
        selector=WalshDecode(blind, 20),
        cosets=found.cosets,
        generator=seeded(),
    )
    told = hop(
        found.symmetry,
        transfer(found.circuit).cost,
        theta,
        selector=WalshDecode(found.characters, 20),
        cosets=found.cosets,
        generator=seeded(),
    )
    assert made.evaluations == 2 + 20, "the start is evaluated twice to see whether the cost has shots"
    assert told.after < made.after <= made.before


@pytest.mark.parametrize("known", [True, False])
def test_a_decode_proposes_the_start_if_it_is_the_best_that_was_seen(known):
    found, theta = orbit(), trained()
    blind = noisy_orbit(bare(), noise=after_gates(depolarizing(0.1, 0))).characters
    points = OrbitPoints(found.cosets, lambda x: float((x - theta).abs().sum()), theta, whole=found.symmetry)
    if known:
        points.costs(draw(1, points.rank, generator=seeded(1)))
        points.costs(points.start[None])
    proposed = WalshDecode(blind, 20).propose(points, generator=seeded())
    assert len(proposed) == 1
    assert bool(proposed.any()) is not known


def test_with_shots_a_tie_stays_and_a_real_gain_is_taken():
    found, theta = orbit(), trained()
    simulator = transfer(found.circuit)
    gains, moved = [], 0
    for seed in range(6):
        cost = CircuitCost(simulator, shots=2000, generator=seeded(seed))
        made = hop(found.symmetry, cost, theta, selector=found.decode, cosets=found.cosets, generator=seeded(seed))
        gains.append(float(simulator.cost(theta) - simulator.cost(made.angles)))
    assert min(gains) > 0.02
    flat = transfer(noisy_orbit(bare(), noise=after_gates(depolarizing(0.05, 0))).circuit)
    for seed in range(20):
        cost = CircuitCost(flat, shots=50, generator=seeded(seed))
        moved += hop(found.symmetry, cost, theta, selector=RandomElements(16), generator=seeded(seed), repeats=4).moved
    assert moved <= 8, "the best of 16 noisy values is overrated; it has to win again"


def test_stochastic_costs_are_recognized():
    found, theta = orbit(3, 2), trained(3, 2)
    simulator, noise = transfer(found.circuit), seeded()
    made = hop(
        found.symmetry,
        lambda x: float(simulator.cost(x)) + 1e-3 * float(torch.randn((), generator=noise)),
        theta,
        selector=Greedy(),
    )
    assert made.evaluations > 2 + 9
    exact = hop(found.symmetry, lambda x: float(simulator.cost(x)), theta, selector=Greedy())
    assert exact.evaluations == 2 + exact.costs.numel() - 2


def test_fit_and_decode_against_all_points():
    rank, columns = 6, (0b000011, 0b110000, 0b101010, 0b000100)
    weights = torch.tensor([0.5, -1.0, 2.0, 0.25], dtype=torch.float64)
    everything = torch.arange(2**rank)[:, None] >> torch.arange(rank) & 1
    values = 3 + characters_of(everything, columns) @ weights
    some = torch.randperm(64, generator=seeded())[:20]
    assert (fit(characters_of(everything[some], columns), values[some]) - weights).abs().max() < 1e-4
    lowest = decoded(weights, columns, rank, 3)
    reached = 3 + characters_of(lowest, columns) @ weights
    assert torch.allclose(reached, values.sort().values[:3])
    local = searched(weights, columns, everything[[0, 9, 33]], 2)
    assert float(3 + characters_of(local[:1], columns) @ weights) == pytest.approx(float(values.min()))


@pytest.mark.parametrize(
    ("offset", "gain", "moved"), [(0.0, 0.9e-10, False), (0.0, 1.1e-10, True), (-3.0, 2.9e-10, False), (3.0, 3.2e-10, True)]
)
def test_gains_as_small_as_rounding_are_none(offset, gain, moved):
    """The limit is 1e-10, relative to costs above 1."""
    found, theta = orbit(3, 2), trained(3, 2)
    cost = transfer(found.circuit).cost
    best = hop(found.symmetry, cost, theta, selector=Exhaustive(), cosets=found.cosets)
    small = hop(
        found.symmetry,
        lambda x: offset + (float(cost(x)) - best.before) * gain / best.gain,
        theta,
        selector=Exhaustive(),
        cosets=found.cosets,
    )
    assert small.moved is moved
    assert small.gain == (pytest.approx(gain, rel=1e-4) if moved else 0)


@pytest.mark.parametrize("seed", range(3))
def test_one_random_point_is_tried_if_one_is_asked_for(seed):
    weights = torch.randn(9, generator=seeded(seed), dtype=torch.float64)
    points: Any = Separable(weights)
    assert RandomElements(1).propose(points, generator=seeded(seed)).tolist() == draw(1, 9, generator=seeded(seed)).tolist()


def test_the_strength_of_a_fit_is_the_best_of_cross_validation():
    """Against the definition, with the matrix that takes values to fitted values."""
    chosen = set()
    for seed in range(8):
        signs = torch.randint(2, (24, 16), generator=seeded(seed)).double() * 2 - 1
        truth = torch.randn(16, generator=seeded(seed + 10), dtype=torch.float64) * (seed % 4) / 2
        values = 5 + signs @ truth + torch.randn(24, generator=seeded(seed + 20), dtype=torch.float64)
        centered, mean = signs - signs.mean(0), torch.full((24, 24), 1 / 24, dtype=torch.float64)
        largest = torch.linalg.matrix_norm(centered, 2) ** 2
        found = []
        for ridge in RIDGES:
            solve = torch.linalg.solve(centered.T @ centered + ridge * largest * torch.eye(16, dtype=torch.float64), centered.T)
            hat = mean + centered @ solve
            found.append((float((values - hat @ values).square().sum() / (24 - hat.trace()) ** 2), ridge, solve @ values))
        _, ridge, weights = min(found, key=lambda x: x[0])
        chosen.add(ridge)
        assert torch.allclose(fit(signs, values), weights, atol=1e-8)
    assert len(chosen) > 2, "no one strength would do"


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_a_search_ends_where_no_one_or_two_flips_help(seed):
    rank, columns = 6, tuple(range(1, 2**6))
    weights = torch.randn(len(columns), generator=seeded(seed), dtype=torch.float64)
    everything = torch.arange(2**rank)[:, None] >> torch.arange(rank) & 1
    values = characters_of(everything, columns) @ weights
    numbers = [
        k for k in range(2**rank) if all(values[k] <= values[k ^ (1 << i | 1 << j)] for i in range(rank) for j in range(rank))
    ]
    assert 1 < len(numbers) < 2**rank
    lowest = sorted(numbers, key=lambda k: float(values[k]))
    found = (searched(weights, columns, everything, 2**rank) << torch.arange(rank)).sum(1).tolist()
    assert found == lowest, "from all starts all local minima, the lowest first"
    assert searched(weights, columns, everything, 1).tolist() == everything[lowest[:1]].tolist()


def test_large_orbits_are_searched_locally():
    found, theta = orbit(), trained()
    cost = transfer(found.circuit).cost
    made = hop(
        found.symmetry, cost, theta, selector=WalshDecode(found.characters, most=2), cosets=found.cosets, generator=seeded()
    )
    assert made.gain > 0.02


def test_bad_input():
    found, theta = orbit(3, 2), angles(9)
    cost = transfer(found.circuit).cost
    with pytest.raises(ShapeError, match="vector of 9 angles"):
        hop(found.symmetry, cost, theta[:8])
    with pytest.raises(BadInputError, match="finite numbers"):
        hop(found.symmetry, lambda _: float("nan"), theta)
    with pytest.raises(BadInputError, match="`repeats`"):
        hop(found.symmetry, cost, theta, repeats=0)
    with pytest.raises(BadInputError, match="more than the 4"):
        hop(found.symmetry, cost, theta, selector=Exhaustive(4))
    for build in (lambda: RandomElements(0), lambda: Greedy(0), lambda: WalshDecode(found.characters, 1)):
        with pytest.raises(BadInputError):
            build()
    network = find(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1)), (torch.zeros(1, 2),))
    with pytest.raises(BadInputError, match="that of a circuit"):
        hop(network, cost, torch.zeros(13))
