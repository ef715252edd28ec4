"""Elements know their symmetry: foreign ones are refused, and one tensor at a time is the same as all at once."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from parasym.core import BadInputError, Params, ShapeError, SymmetryError, child_generator, model_params
from parasym.find import find
from parasym.groups import GROUPS, Permutation, PositiveScaling, SignFlip, Translation
from parasym.symmetry import Element, Move, Swap, Symmetry
from parasym.zoo import ZOO, generic_params
from tests.symmetry.symmetry_cases import CASES, relu_mlp


class Recording(Mapping[str, Tensor]):
    """Parameters that remember which names were read, and how often."""

    def __init__(self, params: Params) -> None:
        self.params, self.read = params, []

    def __getitem__(self, name: str) -> Tensor:
        self.read.append(name)
        return self.params[name]

    def __contains__(self, name: object) -> bool:
        return name in self.params

    def __iter__(self) -> Iterator[str]:
        return iter(self.params)

    def __len__(self) -> int:
        return len(self.params)


def perceptron(*middle: nn.Module) -> nn.Sequential:
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), *middle, nn.Linear(5, 5), *middle, nn.Linear(5, 3)).double()
    for p in model.parameters():
        p.data = torch.randn(p.shape, generator=generator, dtype=torch.float64)
    return model


def found(model: nn.Module) -> Symmetry:
    return find(model, (torch.zeros(1, 4, dtype=torch.float64),))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def same(x: Params, y: Params) -> bool:
    return x.keys() == y.keys() and all(torch.equal(x[n], y[n]) for n in x)


def bearing(symmetry: Symmetry, g: Element, name: str) -> set[str]:
    """All names that any chain of moves can bring into a tensor, by the bindings alone."""
    names = {symmetry.first_names.get(name, name)}
    for move in reversed(g.moves):
        factor = symmetry.factor(move.factor)
        names |= set(factor.reads(move.value, [n for n in factor.tensors if n in names]))
    return names


def tensor_by_tensor(symmetry: Symmetry, g: Element, params: Params) -> None:
    moved, whole = g(params), symmetry.act(g, params)
    assert same(moved, whole)
    for name in params:
        source = Recording(params)
        assert torch.equal(g.tensor(name, source), moved[name]), name
        assert len(source.read) == len(set(source.read))
        assert set(source.read) <= bearing(symmetry, g, name)


@pytest.mark.parametrize("entry", ZOO, ids=lambda entry: entry.name)
def test_one_tensor_at_a_time_on_every_model(entry):
    generator = child_generator(0, entry.name)
    model, args = entry.model().double(), entry.inputs(generator)
    symmetry, params = find(model, args), generic_params(model, generator=generator)
    g, h = (symmetry.sample(generator=generator) for _ in range(2))
    for element in (g, g @ h, ~g):  # translations before and after the weights that carry them moved
        tensor_by_tensor(symmetry, element, params)


@pytest.mark.parametrize("name", CASES)
def test_one_tensor_at_a_time_by_hand(name: str):
    model, _, symmetry = CASES[name]()
    g, h = (symmetry.sample(generator=seeded(k)) for k in range(2))
    for element in (g, g @ h @ g, ~(g @ h)):
        tensor_by_tensor(symmetry, element, model_params(model))


def test_only_what_a_tensor_depends_on_is_read():
    model = perceptron()
    symmetry, params = found(model), model_params(model)
    shift = next(f for f in symmetry.factors if isinstance(f.group, Translation) and "0.bias" in f.tensors)
    t = Element(symmetry, (Move(shift.id, torch.ones(5, dtype=torch.float64)),))
    for name, expected in (("0.weight", ["0.weight"]), ("0.bias", ["0.bias"]), ("1.bias", ["1.bias", "1.weight"])):
        source = Recording(params)
        t.tensor(name, source)
        assert sorted(source.read) == expected
    by_hand = params["1.bias"] - params["1.weight"] @ torch.ones(5, dtype=torch.float64)
    assert torch.allclose(t.tensor("1.bias", params), by_hand) or torch.allclose(
        t.tensor("1.bias", params), 2 * params["1.bias"] - by_hand
    )


def test_a_carried_bias_sees_the_weight_as_earlier_moves_left_it():
    model = perceptron()
    symmetry, params = found(model), model_params(model)
    linear = next(f for f in symmetry.factors if "0.weight" in f.tensors and not isinstance(f.group, Translation))
    shift = next(f for f in symmetry.factors if isinstance(f.group, Translation) and "0.bias" in f.tensors)
    g = symmetry.only(linear.id).sample(generator=seeded())
    t = Element(symmetry, (Move(shift.id, torch.ones(5, dtype=torch.float64)),))
    after = (t @ g).tensor("1.bias", params)
    source = Recording(params)
    assert torch.equal((t @ g).tensor("1.bias", source), t(g(params))["1.bias"])
    assert sorted(source.read) == ["1.bias", "1.weight"]
    assert not torch.allclose(after, (g @ t).tensor("1.bias", params))  # the order counts


def test_names_that_nothing_moves_and_missing_ones():
    model = perceptron(nn.ReLU())
    symmetry, params = found(model), model_params(model)
    g = symmetry.sample(generator=seeded())
    extra = torch.ones(2)
    assert g.tensor("extra", {"extra": extra}) is extra
    assert g.tensor("4.bias", {"4.bias": params["4.bias"]}) is params["4.bias"]
    with pytest.raises(ShapeError, match=r"`0\.bias` moves under the symmetry, but is missing"):
        g.tensor("0.bias", {})
    with pytest.raises(ShapeError, match="`nothing` is missing"):
        g.tensor("nothing", params)
    with pytest.raises(ShapeError, match=r"must have shape \(5,\), but has shape \(6,\)"):
        g.tensor("0.bias", {"0.bias": torch.zeros(6)})


def test_a_tensor_that_changes_places_as_a_whole_is_read_where_it_comes_from():
    entry = next(entry for entry in ZOO if entry.name == "experts_listed")
    model, params = entry.model().double(), generic_params(entry.model().double(), generator=seeded())
    symmetry = find(model, entry.inputs(seeded()))
    factor = next(f for f in symmetry.factors if isinstance(f.bindings[0], Swap))
    g = Element(symmetry, (Move(factor.id, torch.tensor([1, 2, 0])),))
    swap = factor.bindings[0]
    assert isinstance(swap, Swap)
    member, other = next((x, y) for x, y in zip(*swap.members[:2], strict=True) if not x.slots)
    source = Recording(params)
    assert torch.equal(g.tensor(member.tensor, source), params[other.tensor])
    assert source.read == [other.tensor]


def test_foreign_elements_are_refused_by_name():
    relu, tanh = found(perceptron(nn.ReLU())), found(perceptron(nn.Tanh()))
    params = model_params(perceptron(nn.ReLU()))
    signs = tanh.only(SignFlip).sample(generator=seeded())
    with pytest.raises(SymmetryError, match=r"wire `0.weight\[0\]` of 5 channels by a factor that this symmetry does not have"):
        relu.act(signs, params)
    with pytest.raises(SymmetryError, match="cannot be composed"):
        relu.sample() @ signs
    with pytest.raises(SymmetryError, match="no factor with the id"):
        Element(relu, signs.moves)
    # Permutations of the same channels are factors of both.
    shared = tanh.only(Permutation).sample(generator=seeded())
    assert same(relu.act(shared, params), shared(params))


def test_a_part_acts_under_the_whole():
    model, args, symmetry = relu_mlp()
    params, outputs = model_params(model), model(*args)
    for part in (
        symmetry.only(Permutation),
        symmetry.only(symmetry.factors[-1].id),
        replace(symmetry, factors=symmetry.factors[1:]),
    ):
        g = part.sample(generator=seeded(1))
        moved = symmetry.act(g, params)
        assert not same(moved, params)
        assert torch.allclose(torch.func.functional_call(model, moved, args), outputs, rtol=1e-10)
        h = symmetry.sample(generator=seeded(2))
        for one, two in ((g, h), (h, g)):
            assert (one @ two).symmetry is symmetry
            assert all(torch.allclose(x, y) for x, y in zip((one @ two)(params).values(), one(two(params)).values(), strict=True))
    only_permutations, only_scales = symmetry.only(Permutation).sample(), symmetry.only(PositiveScaling).sample()
    with pytest.raises(SymmetryError, match="Take both from one symmetry"):
        only_permutations @ only_scales


def test_an_element_that_is_moved_to_another_place_in_the_list_would_break():
    """The fault that ids guard against: the same numbers as an element of the factor at that place."""
    model, args, symmetry = relu_mlp()
    shorter = replace(symmetry, factors=symmetry.factors[1:])
    g = shorter.sample(generator=seeded(1))
    byplace = Element(symmetry, tuple(Move(f.id, m.value) for f, m in zip(symmetry.factors, g.moves, strict=False)))
    params = model_params(model)
    with torch.no_grad():
        try:
            change = (torch.func.functional_call(model, byplace(params), args) - model(*args)).abs().max()
        except (IndexError, RuntimeError, ValueError):
            return
    assert not change < 1e-3


def test_results_that_hold_an_element_act():
    class Result:
        def __init__(self, element: Element) -> None:
            self.element = element

    model, _, symmetry = relu_mlp()
    g = symmetry.sample(generator=seeded())
    assert same(symmetry.act(Result(g), model_params(model)), g(model_params(model)))


def test_only_and_restrict():
    symmetry = found(perceptron(nn.Tanh()))
    assert [type(f.group) for f in symmetry.only(SignFlip, Permutation).factors] == [type(f.group) for f in symmetry.factors]
    assert {type(f.group) for f in symmetry.only(SignFlip).factors} == {SignFlip}
    first, *_, last = (f.id for f in symmetry.factors)
    assert [f.id for f in symmetry.only(last, first).factors] == [first, last]
    with pytest.raises(SymmetryError, match="no factor with the id 'abc'"):
        symmetry.only("abc")
    inside = symmetry.restrict("0.*", "2.*")
    assert inside.factors
    assert all(set(f.tensors) <= {"0.weight", "0.bias", "2.weight", "2.bias"} for f in inside.factors)
    assert len(inside.factors) < len(symmetry.factors)
    assert set(inside.pinned) - set(symmetry.pinned) == {"2.bias", "4.weight"}
    assert symmetry.restrict("*") == symmetry
    assert not symmetry.restrict("0.*").factors
    with pytest.raises(BadInputError, match="No parameter fits the pattern `layer1"):
        symmetry.restrict("layer1.*")


def test_a_tied_name_outside_keeps_a_factor_out():
    symmetry = CASES["tied"]()[2]
    assert symmetry.restrict("*").factors
    assert not symmetry.restrict("encoder*", "decoder*").factors


def test_ids_name_factors():
    symmetry = found(perceptron(nn.Tanh()))
    again = found(perceptron(nn.Tanh()))
    assert [f.id for f in symmetry.factors] == [f.id for f in again.factors]
    assert len({f.id for f in symmetry.factors}) == len(symmetry.factors)
    assert all(len(f.id) == 16 and int(f.id, 16) >= 0 for f in symmetry.factors)
    factor = symmetry.factors[0]
    changed = [
        replace(factor, group=replace(factor.group, size=4)),
        replace(factor, wire=replace(factor.wire, name="x")),
        replace(factor, over=(factor.wire,)),
        replace(factor, bindings=factor.bindings[1:]),
        replace(factor, bindings=factor.bindings[::-1]),
    ]
    assert len({factor.id, *(f.id for f in changed)}) == 6
    with pytest.raises(BadInputError, match="each factor once"):
        replace(symmetry, factors=(factor, factor)).sample()


def test_json_with_another_id_is_refused():
    symmetry = found(perceptron(nn.Tanh()))
    text = symmetry.to_json()
    assert Symmetry.from_json(text) == symmetry
    assert f'"id": "{symmetry.factors[0].id}"' in text
    with pytest.raises(BadInputError, match=r"wire `0.weight\[0\]` has the id .* changed by hand"):
        Symmetry.from_json(text.replace('"axis": 1', '"axis": 0'))
    with pytest.raises(BadInputError, match="the group 'SignFlip'; known are Permutation"):
        Symmetry.from_json(text, groups=(Permutation,))
    assert Symmetry.from_json(text, groups=GROUPS) == symmetry


def test_value_and_precision():
    symmetry = found(perceptron(nn.Tanh()))
    p, s = (f.id for f in symmetry.factors[:2])
    order, signs = torch.arange(5), torch.ones(5, dtype=torch.float64)
    element = Element(symmetry, (Move(p, order), Move(s, signs)))
    assert element.value(p) is order
    assert element.value(symmetry.factors[2].id) is None
    assert Element(symmetry, (Move(p, order), Move(p, order))).value(p) is None
    assert [m.value.dtype for m in element.to(torch.float32).moves] == [torch.int64, torch.float32]


PROGRAM = """
import hashlib, torch
from parasym.find import find
from parasym.zoo import ZOO
for entry in ZOO:
    if entry.name not in ("experts_listed", "max_out", "attention_bias"):
        continue
    symmetry = find(entry.model(), entry.inputs(torch.Generator().manual_seed(0)))
    text = symmetry.to_json() + str(symmetry) + repr(symmetry)
    print(entry.name, hashlib.sha256(text.encode()).hexdigest(), [f.id for f in symmetry.factors])
"""


def test_text_and_ids_are_the_same_in_every_process():
    environments = [{**os.environ, "PYTHONHASHSEED": seed} for seed in ("1", "2")]
    runs = [subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, env=e) for e in environments]
    one, two = (run.communicate()[0].splitlines() for run in runs)
    assert one == two
    assert len(one) == 3
