"""Matching: planted elements are found, the result is never worse, and faults are noticed."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from parasym.core import Params
from parasym.groups import Permutation
from parasym.orbit import WeightMatching, distance, match
from parasym.orbit.gauge import balance
from parasym.orbit.normal_form import normal_form
from parasym.orbit.objective import gap
from parasym.orbit.solve import signed_profit
from parasym.symmetry import Binding, Element, Move, Symmetry
from tests.orbit.networks import CASES, Case, attention, gelu_mlp, linear_mlp, relu_mlp, rotary, tanh_mlp, whole
from tests.orbit.planted import strangers


def sampled(case: Case, seed: int) -> Element:
    return case.symmetry.sample(generator=torch.Generator().manual_seed(seed))


def noisy(params: Params, size: float, seed: int) -> Params:
    g = torch.Generator().manual_seed(seed)
    return {
        n: x + size * torch.randn(x.shape, generator=g, dtype=x.dtype) if x.is_floating_point() else x for n, x in params.items()
    }


@pytest.mark.parametrize("make", [c for c in CASES if c is not rotary], ids=lambda f: f.__name__)
def test_the_written_symmetries_keep_the_function(make):
    case = make()
    a = case.params(0)
    assert (case.outputs(case.symmetry.act(sampled(case, 1), a)) - case.outputs(a)).abs().max() < 1e-12


@pytest.mark.parametrize("make", [c for c in CASES if c is not linear_mlp], ids=lambda f: f.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_a_planted_element_is_recovered(make, seed):
    case = make()
    a = case.params(seed)
    b = case.symmetry.act(sampled(case, 50 + seed), a)
    assert gap(a, b) > 0.1
    assert distance(case.symmetry, a, b) < 1e-10


@pytest.mark.parametrize("make", [c for c in CASES if c is not linear_mlp], ids=lambda f: f.__name__)
def test_a_planted_element_is_recovered_under_noise(make):
    case = make()
    a = case.params(3)
    close = noisy(a, 0.02, 7)
    b = case.symmetry.act(sampled(case, 8), close)
    assert distance(case.symmetry, a, b) <= gap(a, close) * (1 + 1e-6)


def test_wires_wider_than_their_neighbours_come_close():
    case = linear_mlp()
    for seed in range(3):
        a = case.params(seed)
        b = case.symmetry.act(sampled(case, seed), a)
        assert distance(case.symmetry, a, b) < 0.05 * gap(a, b)


@pytest.mark.parametrize("make", CASES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_never_worse_than_the_identity_and_the_function_is_kept(make, seed):
    case = make()
    a, b = case.params(seed), case.params(100 + seed)
    found = match(case.symmetry, a, b)
    moved = case.symmetry.act(found, b)
    assert gap(a, moved) <= gap(a, b)
    assert (found.before, found.after) == (gap(a, b), pytest.approx(gap(a, moved), rel=1e-9, abs=1e-9))
    assert all(torch.allclose(found.params[n], x, rtol=1e-9, atol=1e-9) for n, x in moved.items())
    if make is not rotary:
        scale = case.outputs(b).abs().max()
        assert (case.outputs(moved) - case.outputs(b)).abs().max() < 1e-8 * scale


def test_where_the_gauge_misleads_the_distance_still_falls():
    """In the balanced gauge both sides of a unit count alike; where ``a`` is all in front, only what is in front counts."""
    case = relu_mlp([2, 2, 2])
    front = torch.tensor([[1.0, 0.0], [0.9, 0.4]], dtype=torch.float64)
    behind = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    bias = torch.zeros(2, dtype=torch.float64)
    a = {"0.weight": 1e3 * front, "0.bias": bias, "2.weight": 1e-3 * behind, "2.bias": bias}
    b = a | {"2.weight": a["2.weight"][:, [1, 0]]}  # balanced, the units seem to have changed places
    assert gap(a, match(case.symmetry, a, b).params) <= gap(a, b) < 0.01
    in_gauge = WeightMatching().align(case.symmetry, *(balance(case.symmetry, x, tolerance=1e-9).params for x in (a, b))).element
    assert in_gauge.moves[0].value.tolist() == [1, 0]
    assert gap(a, in_gauge(b)) > 100


@pytest.mark.parametrize("name", ["shared_layer", "vit", "resnet_eval"])
def test_the_result_does_not_depend_on_where_b_sits(name):
    symmetry, a, b = strangers(name, 3)
    gaps = []
    for seed in range(3):
        elsewhere = symmetry.sample(generator=torch.Generator().manual_seed(seed))(b)
        gaps.append(gap(a, match(symmetry, a, elsewhere).params))
    assert max(gaps) < min(gaps) * (1 + 1e-6)


def brute_force(case: Case, a: Params, b: Params) -> float:
    """The least distance over every permutation (and sign) of two hidden wires."""
    best = float("inf")
    perms = [f for f in case.symmetry.factors if isinstance(f.group, Permutation)]
    signed = len(case.symmetry.factors) > len(perms)

    def elements(n: int) -> list[tuple[Tensor, Tensor]]:
        flips = itertools.product((1.0, -1.0), repeat=n) if signed else [(1.0,) * n]
        signs = [torch.tensor(s, dtype=torch.float64) for s in flips]
        return [(torch.tensor(p), s) for p in itertools.permutations(range(n)) for s in signs]

    for first in elements(perms[0].group.size):
        for second in elements(perms[1].group.size):
            moves = []
            for k, (p, s) in enumerate((first, second)):
                flips = case.symmetry.factors[case.symmetry.factors.index(perms[k]) + 1 :]
                moves += [Move(perms[k].id, p), Move(flips[0].id, s)] if signed else [Move(perms[k].id, p)]
            best = min(best, gap(a, Element(case.symmetry, tuple(moves))(b)))
    return best


@pytest.mark.parametrize(("make", "sizes"), [(gelu_mlp, [3, 4, 3, 2]), (tanh_mlp, [2, 3, 2, 2])])
def test_restarts_find_the_brute_force_optimum(make, sizes):
    case = make(sizes)
    for seed in range(2):
        a, b = case.params(seed), case.params(10 + seed)
        found = distance(case.symmetry, a, b, method=WeightMatching(restarts=20), generator=torch.Generator().manual_seed(0))
        assert found == pytest.approx(brute_force(case, a, b), rel=1e-9)


def test_one_hidden_wire_is_solved_exactly():
    case = gelu_mlp([3, 6, 2])
    a, b = case.params(0), case.params(1)
    units = case.symmetry.factors[0].id
    best = min(gap(a, Element(case.symmetry, (Move(units, torch.tensor(p)),))(b)) for p in itertools.permutations(range(6)))
    assert distance(case.symmetry, a, b) == pytest.approx(best, rel=1e-12)


def test_a_matcher_that_ignores_signs_fails():
    case = tanh_mlp()
    a = case.params(0)
    b = case.symmetry.act(sampled(case, 3), a)
    unsigned = case.symmetry.only(Permutation)
    assert distance(case.symmetry, a, b) < 1e-10
    assert distance(unsigned, a, b) > 0.5


def test_a_symmetry_that_forgets_the_dual_fails():
    case = relu_mlp()
    a = case.params(0)
    b = case.symmetry.act(sampled(case, 3), a)
    wrong = tuple(
        replace(f, bindings=tuple(replace(x, power=abs(x.power)) for x in f.bindings if isinstance(x, Binding)))
        for f in case.symmetry.factors
    )
    broken = replace(case.symmetry, factors=wrong)
    assert gap(a, broken.act(match(broken, a, b), b)) > 0.1


def test_head_matching_needs_the_inner_alignment():
    case = attention(4, 3)
    a = case.params(0)
    b = case.symmetry.act(sampled(case, 1), a)
    element = match(case.symmetry, a, b).element
    assert [m.factor for m in element.moves] == [f.id for f in case.symmetry.factors]
    only_heads = case.symmetry.only(case.symmetry.factors[0].id)
    assert distance(case.symmetry, a, b) < 1e-10
    assert distance(only_heads, a, b) > 0.5


def test_cells_are_kept():
    case = gelu_mlp([3, 4, 2])
    cells = ((0, 1), (2, 3))
    factor = replace(case.symmetry.factors[0], group=Permutation(4, cells))
    symmetry = Symmetry((factor,), case.symmetry.shapes)
    a = case.params(0)
    b = Element(symmetry, (Move(factor.id, torch.tensor([1, 0, 3, 2])),))(a)
    element = match(symmetry, a, b).element
    assert element.moves[0].value.tolist() == [1, 0, 3, 2]
    crossed = Element(symmetry, (Move(factor.id, torch.tensor([2, 3, 0, 1])),))(a)  # not in the group
    assert distance(symmetry, a, crossed) > 0.1


@pytest.mark.parametrize("make", [c for c in CASES if c is not linear_mlp], ids=lambda f: f.__name__)
def test_normal_form_acts_alike(make):
    case = make()
    a = case.params(0)
    long = Element(case.symmetry, (*sampled(case, 1).moves, *sampled(case, 2).moves, *sampled(case, 3).moves))
    short = normal_form(case.symmetry, long)
    x, y = case.symmetry.act(long, a), case.symmetry.act(short, a)
    assert all(torch.allclose(x[n], y[n], rtol=1e-9, atol=1e-10) for n in x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_other_precisions(dtype):
    case = relu_mlp([4, 16, 12, 3])
    a = {n: x.to(dtype) for n, x in case.params(0).items()}
    b = case.symmetry.act(sampled(case, 1), a)
    element = match(case.symmetry, a, b)
    moved = case.symmetry.act(element, b)
    assert all(x.dtype == dtype for x in moved.values())
    assert gap(a, moved) < (1e-5 if dtype == torch.float32 else 0.1)


def test_deterministic_and_inputs_untouched():
    case = tanh_mlp()
    a, b = case.params(0), case.params(1)
    kept = {n: x.clone() for n, x in b.items()}
    first, second = match(case.symmetry, a, b), match(case.symmetry, a, b)
    assert all(torch.equal(x.value, y.value) for x, y in zip(first.element.moves, second.element.moves, strict=True))
    assert all(torch.equal(b[n], kept[n]) for n in b)


def test_recurrent_wire_meets_itself():
    case = gelu_mlp([5, 5, 5])  # one wire on both axes of a square weight
    n = 5
    factor = case.symmetry.factors[0]
    first, bias = (b for b in factor.bindings[:2] if isinstance(b, Binding))
    square = (whole("2.weight", 0, n), whole("2.weight", 1, n, -1))
    factor = replace(factor, bindings=(first, bias, *square))
    symmetry = Symmetry((factor,), case.symmetry.shapes)
    for seed in range(5):
        a = case.params(seed)
        b = Element(symmetry, (Move(factor.id, torch.randperm(n, generator=torch.Generator().manual_seed(seed))),))(a)
        assert distance(symmetry, a, b) < 1e-12
        c = case.params(seed + 50)
        assert distance(symmetry, a, c) <= gap(a, c)


@pytest.mark.parametrize(
    "parities",
    [
        [(False,) * 3, (True, False, False), (False, True, False), (False, False, True)],
        [(True, True, False), (False, True, False), (False, False, True)],
        [(True, True, False), (False, True, True), (True, True, True), (False,) * 3],
        [(False,) * 3],
    ],
)
def test_signs_that_nothing_links_are_found_one_by_one(parities):
    g = torch.Generator().manual_seed(0)
    costs = {parity: torch.randn(4, 4, generator=g, dtype=torch.float64) for parity in parities}
    best, pattern = signed_profit(costs, 3)
    sums = []
    for bits in range(8):
        odd = {parity: sum(bits >> k & 1 for k in range(3) if parity[k]) % 2 for parity in costs}
        sums.append(sum(-cost if odd[parity] else cost for parity, cost in costs.items()))
    every = torch.stack(sums)
    assert torch.allclose(best, every.amax(0))
    assert torch.allclose(every.gather(0, pattern.unsqueeze(0))[0], best)


def test_as_many_signs_as_a_deep_network_has():
    costs = {tuple(k == j for j in range(40)): torch.full((2, 2), (-1.0) ** k) for k in range(40)}
    best, pattern = signed_profit(costs, 40)
    assert (best == 40).all()
    assert (pattern == sum(1 << k for k in range(1, 40, 2))).all()
