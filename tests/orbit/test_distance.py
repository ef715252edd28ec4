"""Distances are symmetric, constant on orbits, zero on one, and minimal where they say so."""

import copy
import itertools
import pickle
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from torch import nn

from parasym.core import BadInputError, Params, model_params
from parasym.find import find
from parasym.groups import Permutation, PositiveScaling
from parasym.orbit import Distance, canonicalize, distance, match
from parasym.orbit.closure import least_point
from parasym.orbit.objective import gap, norm
from parasym.symmetry import Binding, Element, Factor, Move, Slot, Symmetry, Wire
from parasym.zoo import ZOO
from tests.orbit.networks import gelu_mlp, relu_mlp
from tests.orbit.planted import cast, found, moved_copy, strangers

TENTH = [entry.name for entry in ZOO[4::10]]
FLOOR = 1e-6


def sampled(symmetry: Symmetry, seed: int, params: Params) -> Params:
    return symmetry.sample(generator=torch.Generator().manual_seed(seed))(params)


def check_orbits(name: str) -> None:
    symmetry, a, b = strangers(name, 7)
    expected = distance(symmetry, a, b)
    assert expected.relative > 0.1
    for seed in range(2):
        there, back = sampled(symmetry, seed, a), sampled(symmetry, 10 + seed, b)
        for one, two in ((there, b), (b, there), (there, back)):
            assert distance(symmetry, one, two) == pytest.approx(expected, rel=FLOOR)
    for seed in range(2):
        symmetry, a, there = moved_copy(name, seed)
        assert distance(symmetry, a, there).relative < FLOOR
        assert distance(symmetry, there, a).relative < FLOOR
    single = distance(symmetry, *(cast(x, torch.float32) for x in strangers(name, 7)[1:]))
    assert single == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", TENTH)
def test_symmetric_and_constant_on_orbits(name):
    check_orbits(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [entry.name for entry in ZOO if entry.name not in TENTH])
def test_symmetric_and_constant_on_every_orbit(name):
    check_orbits(name)


def test_the_gap_after_matching_is_no_distance():
    """The fault that the gauge guards against: along a scale of its target the gap of `match` stretches."""
    case = relu_mlp()
    a, b = case.params(0), case.params(1)
    elsewhere = {n: 100 * x if n in {"0.weight", "0.bias"} else x / 100 if n == "2.weight" else x for n, x in a.items()}
    gaps = [gap(x, match(case.symmetry, x, b).params) for x in (a, elsewhere)]
    assert gaps[1] > 10 * gaps[0]
    assert distance(case.symmetry, elsewhere, b) == pytest.approx(distance(case.symmetry, a, b), rel=FLOOR)


def permuted(symmetry: Symmetry, choice: tuple[tuple[int, ...], ...], params: Params) -> Params:
    factors = [f for f in symmetry.factors if isinstance(f.group, Permutation)]
    return Element(symmetry, tuple(Move(f.id, torch.tensor(p)) for f, p in zip(factors, choice, strict=True)))(params)


@pytest.mark.parametrize("make", [gelu_mlp, relu_mlp])
def test_minimal_is_what_trying_all_permutations_finds(make):
    case = make([3, 4, 3, 2])
    every = list(itertools.product(itertools.permutations(range(4)), itertools.permutations(range(3))))
    for seed in range(3):
        a, b = case.params(seed), case.params(10 + seed)
        found = distance(case.symmetry, a, b)
        a, b = (least_point(case.symmetry, x).params for x in (a, b))
        assert found.status == "minimal"
        assert found == pytest.approx(min(gap(a, permuted(case.symmetry, p, b)) for p in every), rel=1e-9)


def test_what_is_minimal_obeys_the_triangle_inequality():
    case = relu_mlp([3, 5, 2])
    for seed in range(5):
        points = [case.params(10 * seed + k) for k in range(3)]
        ab, bc, ac = (distance(case.symmetry, points[i], points[j]) for i, j in ((0, 1), (1, 2), (0, 2)))
        assert {d.status for d in (ab, bc, ac)} == {"minimal"}
        assert ac <= ab + bc


def test_many_units_in_many_layers_are_an_upper_bound():
    case = gelu_mlp([3, 7, 7, 7, 2])
    assert distance(case.symmetry, case.params(0), case.params(1)).status == "upper bound"


def test_a_symmetry_without_the_permutation_is_farther():
    case = gelu_mlp()
    a = case.params(0)
    b = sampled(case.symmetry, 1, a)
    less = replace(case.symmetry, factors=case.symmetry.factors[:1])
    assert distance(case.symmetry, a, b) < 1e-12
    assert distance(less, a, b) > 0.1


def test_dead_units_count_as_zero_and_are_named():
    case = relu_mlp([4, 6, 3])
    a, b = case.params(0), case.params(1)
    dead, other = dict(a), dict(a)
    dead["2.weight"] = a["2.weight"].clone()
    dead["2.weight"][:, 2] = 0  # nothing reads unit 2, so what it computes has no meaning
    other["2.weight"] = dead["2.weight"]
    other["0.weight"] = a["0.weight"].clone()
    other["0.weight"][2] *= -30
    assert distance(case.symmetry, dead, other) < 1e-12
    found = distance(case.symmetry, dead, b)
    assert found == pytest.approx(distance(case.symmetry, other, b), rel=FLOOR)
    assert "`0.weight[0]`" in found.notes[0]
    assert not distance(case.symmetry, a, b).notes
    near = dict(dead)
    near["2.weight"] = dead["2.weight"].clone()
    near["2.weight"][:, 2] = 1e-9  # no jump where a unit dies
    assert distance(case.symmetry, near, b) == pytest.approx(found, rel=1e-3)


def test_units_into_which_nothing_goes_count_as_zero():
    case = relu_mlp([4, 6, 3])
    dead = dict(case.params(0))
    for name in ("0.weight", "0.bias"):
        dead[name] = dead[name].clone()
        dead[name][2] = 0
    other = dead | {"2.weight": dead["2.weight"] * torch.tensor([1, 1, -30, 1, 1, 1])}
    assert distance(case.symmetry, dead, other) < 1e-12
    assert distance(case.symmetry, dead, case.params(0)) > 0.1


@pytest.mark.parametrize("power", [Fraction(1, 2), Fraction(1), Fraction(2)])
@pytest.mark.parametrize("dead", ["up", "down"])
def test_whatever_the_power_what_is_seen_from_one_side_vanishes(power: Fraction, dead: str):
    slot = Slot.whole(0, 4)
    bindings = (Binding("up", slot, power=power), Binding("down", replace(slot, axis=1), power=Fraction(-1)))
    factor = Factor(PositiveScaling(4), Wire("up[0]", 4), (), bindings)
    symmetry = Symmetry((factor,), (("up", (4, 3)), ("down", (2, 4))))
    params = {"up": torch.rand(4, 3, dtype=torch.float64) + 0.5, "down": torch.rand(2, 4, dtype=torch.float64) + 0.5}
    params[dead].select(0 if dead == "up" else 1, 1).zero_()
    least = least_point(symmetry, params)
    assert least.vanished == ("up[0]",)
    for sizes in (least.params["up"].norm(dim=1), least.params["down"].norm(dim=0)):
        assert float(sizes[1]) == 0
        assert float(sizes[[0, 2, 3]].min()) > 0.1


def test_a_wire_wider_than_what_passes_through_it():
    """The orbit is not closed: the function is that of the point of least norm in its closure, which is unique."""
    symmetry, a, b = moved_copy("mlp_identity", 0)
    model, _ = found("mlp_identity")
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    points = [least_point(symmetry, p) for p in (a, b)]
    assert points[0].vanished
    assert norm(points[0].params) == pytest.approx(norm(points[1].params), rel=1e-9)
    assert norm(points[0].params) < norm(a)
    for p in points:
        assert torch.allclose(torch.func.functional_call(model, p.params, (x,)), torch.func.functional_call(model, a, (x,)))


def test_the_same_for_what_is_canonical_already():
    symmetry, a, b = strangers("cnn_batchnorm_eval", 0)
    expected = distance(symmetry, a, b)
    assert distance(symmetry, canonicalize(symmetry, a).params, canonicalize(symmetry, b).params) == pytest.approx(
        expected, rel=FLOOR
    )


def test_it_says_what_was_done_with_each_freedom():
    net = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5, eps=1e-30), nn.ReLU(), nn.Linear(5, 3)).double()
    symmetry, a = find(net, (torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).double(),)), model_params(net)
    said = distance(symmetry, a, a).gauge
    assert [line.rpartition(": ")[2] for line in said] == ["spent on `0.bias`", "stored variance one", "least norm"]


def test_it_is_a_number_that_travels():
    d = Distance(2.5, status="minimal", size=5.0, gauge=("a",), notes=("b",))
    assert (d + 1, f"{d:.1f}", d.relative) == (3.5, "2.5", 0.5)
    for other in (pickle.loads(pickle.dumps(d)), copy.deepcopy(d)):
        assert (other, other.status, other.size, other.gauge, other.notes) == (2.5, "minimal", 5.0, ("a",), ("b",))


def test_models_of_another_shape_are_refused():
    case = relu_mlp()
    with pytest.raises(BadInputError, match="shape"):
        distance(case.symmetry, case.params(0), relu_mlp([4, 7, 5, 3]).params(0))
