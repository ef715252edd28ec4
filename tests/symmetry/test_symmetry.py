"""Symmetries written by hand keep the function, compose, invert, print, and survive JSON."""

import json
import math
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from parasym.core import BadInputError, Params, ShapeError, child_generator, model_params
from parasym.groups import Permutation, PlaneRotation, PositiveScaling, Translation
from parasym.symmetry import Along, Binding, Element, Factor, Shift, Slot, Symmetry, Through, Uncovered, Wire, group_name
from tests.symmetry.symmetry_cases import CASES, relu_mlp, whole

seeds = st.integers(0, 2**31)


def relative_error(model: nn.Module, moved: Params, args: tuple[Tensor, ...]) -> float:
    expected = model(*args)
    return ((torch.func.functional_call(model, moved, args) - expected).abs().max() / expected.abs().max()).item()


def largest_move(a: Params, b: Params) -> float:
    return max((a[n].double() - b[n].double()).abs().max().item() for n in a)


@pytest.mark.parametrize("name", CASES)
@given(seed=seeds)
@settings(max_examples=10)
def test_elements_keep_the_function_and_move_the_parameters(name: str, seed: int):
    model, args, symmetry = CASES[name]()
    params = model_params(model)
    before = {n: p.clone() for n, p in params.items()}
    for k in range(len(symmetry.factors)):
        element = symmetry.sample(generator=torch.Generator().manual_seed(seed), only=(k,))
        assert relative_error(model, symmetry.act(element, params), args) < 1e-10
    element = symmetry.sample(generator=torch.Generator().manual_seed(seed))
    moved = symmetry.act(element, params)
    assert relative_error(model, moved, args) < 1e-10
    assert list(moved) == list(params)
    assert all(torch.equal(params[n], before[n]) for n in params)


@pytest.mark.parametrize("name", CASES)
def test_every_factor_moves_something(name: str):
    model, _, symmetry = CASES[name]()
    params, generator = model_params(model), child_generator(0, name)
    for k in range(len(symmetry.factors)):
        moved = [symmetry.act(symmetry.sample(generator=generator, only=(k,)), params) for _ in range(8)]
        assert max(largest_move(m, params) for m in moved) > 1e-3


@pytest.mark.parametrize("name", CASES)
def test_forgetting_a_dual_or_a_buffer_is_seen(name: str):
    model, args, symmetry = CASES[name]()
    generator = child_generator(0, name)
    for k, factor in enumerate(symmetry.factors):
        if len(factor.bindings) == 1:
            continue
        factors = list(symmetry.factors)
        factors[k] = replace(factor, bindings=factor.bindings[:-1])
        broken = replace(symmetry, factors=tuple(factors))
        elements = [broken.sample(generator=generator, only=(k,)) for _ in range(8)]
        errors = [relative_error(model, element(model_params(model)), args) for element in elements]
        assert max(errors) > 1e-4, factor


@pytest.mark.parametrize("name", CASES)
@given(seed=seeds)
@settings(max_examples=10)
def test_compose_and_inverse(name: str, seed: int):
    model, _, symmetry = CASES[name]()
    generator = torch.Generator().manual_seed(seed)
    params = model_params(model)
    g, h = symmetry.sample(generator=generator), symmetry.sample(generator=generator)
    for first, second in ((g, h), (h, g)):
        expected = symmetry.act(second, symmetry.act(first, params))
        assert largest_move((second @ first)(params), expected) < 1e-10
    back = (~g)(g(params))
    assert largest_move(back, params) < 1e-10
    assert largest_move((~g @ g)(params), params) < 1e-10


def test_composition_is_in_the_right_order():
    model, _, symmetry = relu_mlp()
    generator = torch.Generator().manual_seed(0)
    g, h = (symmetry.sample(generator=generator, only=(0,)) for _ in range(2))
    params = model_params(model)
    wrong = (g @ h)(params)
    assert largest_move(wrong, symmetry.act(h, symmetry.act(g, params))) > 1e-2
    assert len((g @ h).moves) == 1


@pytest.mark.parametrize("name", CASES)
def test_identity(name: str):
    model, _, symmetry = CASES[name]()
    params = model_params(model)
    assert largest_move(symmetry.act(symmetry.identity(), params), params) < 1e-14
    assert Element(symmetry)(params).keys() == params.keys()


@pytest.mark.parametrize("name", CASES)
def test_generators_agree_with_finite_differences(name: str):
    model, args, symmetry = CASES[name]()
    params, step = model_params(model), 1e-6
    count = 0
    for (index, tangent), (other, slope) in zip(symmetry.generators(params), _slopes(symmetry, params, step), strict=True):
        assert index == other
        assert tangent.keys() == set(symmetry.factors[index].tensors)
        assert max((tangent[n] - slope[n]).abs().max().item() for n in tangent) < 1e-7
        assert max(t.abs().max().item() for t in tangent.values()) > 1e-3
        ahead, behind = (
            torch.func.functional_call(model, {**params, **{n: params[n] + s * t for n, t in tangent.items()}}, args)
            for s in (1e-5, -1e-5)
        )
        assert ((ahead - behind) / 2e-5).abs().max() < 1e-7
        count += 1
    assert count == symmetry.dimension


def _slopes(symmetry: Symmetry, params: Params, step: float):
    for index, factor in enumerate(symmetry.factors):
        shape = (*factor.batch, *factor.group.algebra_shape)
        for k in range(math.prod(shape)):
            xi = torch.zeros(math.prod(shape), dtype=torch.float64)
            xi[k] = step
            up, down = (factor.act(factor.group.exp(s * xi.reshape(shape)), params) for s in (1, -1))
            yield index, {n: (up[n] - down[n]) / (2 * step) for n in factor.tensors}


@pytest.mark.parametrize(
    ("name", "order", "dimension"),
    [
        ("relu", 120, 5),
        ("tanh", 120 * 32, 0),
        ("linear", 1, 30),
        ("attention", 2, 48),
        ("batch norm", 120, 15),
        ("tied", 48, 0),
    ],
)
def test_order_and_dimension(name: str, order: int, dimension: int):
    symmetry = CASES[name]()[2]
    assert (symmetry.order, symmetry.dimension) == (order, dimension)


def test_order_of_slices_is_a_power():
    factor = Factor(Permutation(3), Wire("units", 3), (Wire("experts", 2),), ())
    assert factor.order == 36
    assert Factor(PositiveScaling(3), Wire("units", 3), (Wire("experts", 2),), ()).dimension == 6


@pytest.mark.parametrize("name", CASES)
def test_json_round_trip(name: str):
    model, _, symmetry = CASES[name]()
    text = symmetry.to_json()
    again = Symmetry.from_json(text)
    assert again == symmetry
    assert int(json.loads(text)["order"], 16) == symmetry.order
    element = symmetry.sample(generator=torch.Generator().manual_seed(0))
    assert largest_move(again.act(element, model_params(model)), symmetry.act(element, model_params(model))) == 0


def test_json_keeps_every_field():
    slot = Slot(0, (0, 4), (2, 2), (2, 1), 1)
    outer, region = replace(slot, place=0), (Slot(1, (0,), (2,), (1,), -1),)
    binding = Binding("w", slot, over=(outer,), region=region, power=Fraction(-1), offset=1e-5)
    root = Binding("v", whole(0, 4), power=Fraction(-1, 2))
    steps = (Through("w", (4,), (None, None, None, 0), (1, 2), (slot,)), Along("v", -0.5, 1e-5))
    shift = Shift("w", (4,), (None, None, None, 0), -1.0, (slot,), steps)
    symmetry = Symmetry(
        factors=(
            Factor(PlaneRotation(2, scale=False), Wire("a", 2), (Wire("b", 2),), (binding,)),
            Factor(Permutation(4, cells=((0, 1), (2, 3))), Wire("c", 4), (), (Binding("v", whole(0, 4)),)),
            Factor(PositiveScaling(4), Wire("c", 4), (), (root,)),
            Factor(PositiveScaling(1), Wire("e", 1), (), (Binding("u", None),)),
            Factor(Translation(4), Wire("d", 4), (), (shift,)),
        ),
        shapes=(("w", (8, 4)), ("v", (4,)), ("u", (3, 3))),
        uncovered=(Uncovered("aten.fft_fft.default", "block.0", "model.py:12", "pinned"),),
        pinned=("u",),
        tied=(("x", "w"),),
    )
    assert Symmetry.from_json(symmetry.to_json()) == symmetry


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a symmetry written by parasym"),
        ("[]", "is not a symmetry written by parasym"),
        ("{}", "is not a symmetry written by parasym"),
        ('{"format": 99}', "has format 99, but this version reads format 4"),
    ],
)
def test_bad_json(text: str, message: str):
    with pytest.raises(BadInputError, match=message):
        Symmetry.from_json(text)


def test_unknown_group_in_json():
    text = relu_mlp()[2].to_json().replace('"Permutation"', '"Monster"')
    with pytest.raises(BadInputError, match="Monster"):
        Symmetry.from_json(text)


def test_huge_order_prints_and_survives_json():
    symmetry = Symmetry((Factor(Permutation(4096), Wire("a", 4096), (), (Binding("w", whole(0, 4096)),)),), (("w", (4096,)),))
    assert "order about 10^13020," in str(symmetry)
    assert Symmetry.from_json(symmetry.to_json()).order == math.factorial(4096)


def test_missing_and_misshapen_parameters_are_named():
    model, _, symmetry = relu_mlp()
    params = model_params(model)
    element = symmetry.identity()
    with pytest.raises(ShapeError, match=r"`2\.weight` moves under the symmetry, but is missing"):
        symmetry.act(element, {n: p for n, p in params.items() if n != "2.weight"})
    with pytest.raises(ShapeError, match=r"`0\.bias` must have shape \(5,\), but has shape \(6,\)\. Is it from another"):
        symmetry.act(element, {**params, "0.bias": torch.zeros(6)})
    with pytest.raises(ShapeError, match=r"acts on `0\.weight`, which is missing"):
        symmetry.factors[0].act(element.moves[0].value, {})


def test_parameters_that_do_not_move_are_passed_on():
    model, _, symmetry = relu_mlp()
    params = {**model_params(model), "extra": torch.ones(2)}
    moved = symmetry.act(symmetry.sample(generator=torch.Generator().manual_seed(0)), params)
    assert moved["extra"] is params["extra"]
    assert moved["2.bias"] is params["2.bias"]


def test_tied_names_move_together():
    model, _, symmetry = CASES["tied"]()
    moved = symmetry.act(symmetry.sample(generator=torch.Generator().manual_seed(0)), model_params(model))
    assert moved["again.weight"] is moved["encoder.weight"]


@pytest.mark.parametrize("name", CASES)
def test_float32(name: str):
    model, args, symmetry = CASES[name]()
    model, args = model.float(), tuple(a.float() for a in args)
    moved = symmetry.act(symmetry.sample(generator=torch.Generator().manual_seed(0)), model_params(model))
    assert all(moved[n].dtype == p.dtype for n, p in model_params(model).items())
    assert relative_error(model, moved, args) < 1e-4


@pytest.mark.gpu
@pytest.mark.parametrize("name", CASES)
def test_on_gpu(name: str):
    model, args, symmetry = CASES[name]()
    model, args = model.cuda(), tuple(a.cuda() for a in args)
    for device in ("cpu", "cuda"):
        element = symmetry.sample(generator=torch.Generator().manual_seed(0), device=device)
        moved = symmetry.act(element, model_params(model))
        assert all(p.is_cuda for p in moved.values())
        assert relative_error(model, moved, args) < 1e-10


def test_one_seed_gives_one_element():
    symmetry = relu_mlp()[2]
    a, b, c = (symmetry.sample(generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert all(torch.equal(x.value, y.value) for x, y in zip(a.moves, b.moves, strict=True))
    assert not all(torch.equal(x.value, y.value) for x, y in zip(a.moves, c.moves, strict=True))


def test_text():
    lines = str(relu_mlp()[2]).splitlines()
    assert lines[0] == "Symmetry: order 120, dimension 5"
    assert lines[2].split() == ["S(5)", "0.weight[0]", "0.weight,", "0.bias,", "2.weight"]
    assert "(trivial)" in str(Symmetry((), ()))
    uncovered = Symmetry((), (), uncovered=(Uncovered("aten.foo", "", "m.py:3", "pinned"),))
    assert "uncovered: aten.foo in the model (m.py:3): pinned" in str(uncovered)


def test_group_name():
    factors = CASES["attention"]()[2].factors
    assert [group_name(f) for f in factors] == ["S(2)", "GL(3)^2", "GL(3)^2", "shift(6)", "shift(6)"]
    cells = Factor(Permutation(5, cells=((0, 1), (2,), (3, 4))), Wire("a", 5), (), ())
    assert group_name(cells) == "S(2) x S(2)"
