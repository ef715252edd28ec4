"""Weights that read a LayerNorm with a gain move along its inverse; what does not sum to zero behind the gain is left alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import LayerNorm, Linear
from torch.nn import functional as F

from parasym import distance, find, match
from parasym.core import BadInputError
from parasym.symmetry import Element, Inverse, Move, Symmetry
from parasym.verify import verify
from parasym.zoo import generic_params
from parasym.zoo.inputs import normal
from tests.find.derived import Derived, Model, check

MANY = normal((20, 3))


def plain(n: int, m: int) -> Linear:
    return Linear(n, m, bias=False)


def matrix(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape))


def normed(run: Callable[..., Tensor], norm: Callable[[int], nn.Module] = LayerNorm, **parts: Any) -> Callable[[], Model]:
    """What reads ``n(f(x).tanh())``, of four channels."""
    return lambda: Model(run, **{k: v() for k, v in parts.items()}, f=Linear(3, 4), n=norm(4))


def v(model: Any, x: Tensor) -> Tensor:
    return model.n(model.f(x).tanh())


def beside(a: Tensor, b: Tensor) -> Tensor:
    """What no linear map of one can be of the other."""
    return torch.cat([a.tanh(), b.sin()], -1)


def attended(model: Any, x: Tensor) -> Tensor:
    h = v(model, x)
    heads = [y.unflatten(-1, (2, 2)).transpose(1, 2) for y in model.qkv(h).chunk(3, -1)]
    return model.o(F.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)).tanh()


def added(model: Any, x: Tensor) -> Tensor:
    h = v(model, x)
    return model.o((model.a(h) + model.b(h)).tanh())


def adapted(model: Any, x: Tensor) -> Tensor:
    h = v(model, x)
    return model.o((model.a(h) + model.u(model.d(h))).tanh())


def conv(n: int, m: int) -> nn.Conv2d:
    return nn.Conv2d(n, m, 1)


def no_bias(n: int) -> nn.Module:
    return LayerNorm(n, bias=False)


class PlusOne(LayerNorm):
    """A gain that is stored less one."""

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.normalized_shape, self.weight + 1, self.bias, self.eps)


_UNITS = ("S(4)", "signs(4)", "signs(1)", "scale(4)")  # the channels of the norm: its gain undoes signs and scales
_READ = (*_UNITS, "shift(4)")  # and the bias of the norm moves into those behind
CASES = (
    Derived(
        "one reader", normed(lambda s, x: s.a(v(s, x)), a=lambda: Linear(4, 2)), (*_READ, "shift(2)"), "A shift for each row."
    ),
    Derived(
        "a norm without a bias",
        normed(lambda s, x: s.a(v(s, x)), no_bias, a=lambda: Linear(4, 2)),
        (*_UNITS, "shift(2)"),
        "What the weight reads sums to zero behind the gain: its own bias need not move.",
    ),
    Derived(
        "no bias at all",
        normed(lambda s, x: s.a(v(s, x)), no_bias, a=lambda: plain(4, 2)),
        (*_UNITS, "shift(2)"),
        "As before.",
    ),
    Derived(
        "nothing takes what the norm's bias leaves",
        normed(lambda s, x: s.a(v(s, x)), a=lambda: plain(4, 2)),
        _UNITS,
        "No bias behind the weight. Of the 16 numbers only the products of rows with gains, without their means, and two products"
        " of rows with the norm's bias are seen, 2 times 3 and 2. So 8 directions are not, of which scales are 4.",
        rest=4,
    ),
    Derived(
        "two readers",
        normed(lambda s, x: beside(s.a(v(s, x)), s.b(v(s, x))), a=lambda: Linear(4, 2), b=lambda: Linear(4, 2)),
        (*_READ, "shift(2)", "shift(2)"),
        "Each reader moves on its own.",
        inputs=MANY,
    ),
    Derived(
        "a gain that is stored less one",
        normed(lambda s, x: s.a(v(s, x)), PlusOne, a=lambda: Linear(4, 2)),
        ("S(4)", "signs(1)", "shift(4)", "shift(2)"),
        "The sum of gain and one cannot be scaled by what is stored, but that is four directions all the same.",
        rest=4,
    ),
    Derived(
        "times a number of each sample",
        normed(lambda s, x: s.a(v(s, x) * x[:, :1]), no_bias, a=lambda: Linear(4, 2)),
        (*_UNITS, "shift(2)"),
        "Zero times a number is zero.",
    ),
    Derived(
        "images, channels last",
        lambda: Model(
            lambda s, x: s.c(s.n(s.f(x).tanh().permute(0, 2, 3, 1)).permute(0, 3, 1, 2)).tanh(),
            f=conv(3, 4),
            n=LayerNorm(4),
            c=conv(4, 2),
        ),
        (*_READ, "shift(2)"),
        "A convolution of one pixel is a linear map.",
        inputs=normal((9, 3, 2, 2)),
    ),
    Derived(
        "one layer, read twice",
        normed(lambda s, x: beside(s.a(v(s, x)), s.a(s.n(s.g(x).sin()))), a=lambda: Linear(4, 2), g=lambda: Linear(3, 4)),
        (*_READ, "shift(2)"),
        "Both times it reads the same gain. The sign before the norm is that of both.",
        inputs=MANY,
    ),
    Derived(
        "a weight for each of three experts",
        normed(
            lambda s, x: (torch.einsum("bi,eio->beo", v(s, x), s.w) + s.b).tanh().flatten(1),
            w=lambda: matrix(3, 4, 2),
            b=lambda: matrix(3, 2),
        ),
        (*_READ, "shift(6)"),
        "Every row of every expert.",
        inputs=MANY,
    ),
    Derived(
        "two layers that are added",
        normed(added, a=lambda: Linear(4, 3), b=lambda: Linear(4, 3), o=lambda: Linear(3, 2)),
        (*_READ, "S(3)", "signs(3)", "shift(12)", "shift(3)", "shift(3)"),
        "One weight moves anywhere if the other takes it back, so that only one of them has a shift of its own along the gain.",
        inputs=MANY,
    ),
    Derived(
        "an adapter",
        normed(adapted, a=lambda: Linear(4, 3), d=lambda: plain(4, 2), u=lambda: plain(2, 3), o=lambda: Linear(3, 2)),
        (*_READ, "S(3)", "signs(3)", "shift(8)", "shift(6)", "shift(3)"),
        "Both matrices of the adapter move anywhere; what is left is the shift of the weight.",
        inputs=MANY,
    ),
    Derived(
        "attention",
        normed(attended, qkv=lambda: Linear(4, 12), o=lambda: Linear(4, 2)),
        (*_READ, "S(2)", "GL(2)^2", "GL(2)^2", "shift(4)", "shift(4)", "shift(4)", "shift(4)", "shift(4)"),
        "Rows of query, key and value; the key's need no bias, as a constant in all keys is not seen. The key bias and the value"
        " bias are the other two. The output has 2 rows: of the value-output product of 4 by 4 in each head 2 by 4 is seen, which"
        " loses nothing.",
        inputs=normal((9, 5, 3)),
    ),
    Derived(
        "one position",
        normed(lambda s, x: s.a(v(s, x)[:, 0]), a=lambda: Linear(4, 2)),
        (*_READ, "shift(2)"),
        "What is true at all positions is true at one.",
        inputs=normal((9, 2, 3)),
    ),
    Derived(
        "a mean over positions",
        normed(lambda s, x: s.a(v(s, x).mean(1)), a=lambda: Linear(4, 2)),
        (*_READ, "shift(2)"),
        "The mean of what sums to zero sums to zero, and the mean of a constant is the constant.",
        inputs=normal((9, 2, 3)),
    ),
    Derived(
        "a sum over positions",
        normed(lambda s, x: s.a(v(s, x).sum(1)), no_bias, a=lambda: Linear(4, 2)),
        (*_UNITS, "shift(2)"),
        "A sum too, where no bias is added as often as there are positions.",
        inputs=normal((9, 2, 3)),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_weights_that_read_a_gain(case: Derived) -> None:
    symmetry = check(case)
    assert Symmetry.from_json(symmetry.to_json()) == symmetry


def gained(symmetry: Symmetry) -> list[tuple[str, ...]]:
    """Return what moves along the inverse of a gain."""
    return [f.tensors for f in symmetry.factors if any(isinstance(step, Inverse) for step in f.steps)]


ADVERSARIES: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor], dict[str, Any]]] = {
    "an activation": (lambda s, x: s.a(v(s, x)), lambda s, x: s.a(v(s, x).tanh()), {}),
    "a residual": (lambda s, x: s.a(v(s, x)), lambda s, x: s.a(v(s, x) + s.f(x)), {}),
    "a second bias": (lambda s, x: s.a(v(s, x)), lambda s, x: s.a(v(s, x) + s.p), {"p": lambda: matrix(5, 4)}),
    "a factor of each channel": (
        lambda s, x: s.a(v(s, x)),
        lambda s, x: s.a(v(s, x) * torch.tensor([1.0, 1.0, 1.0, 2.0])),
        {},
    ),
    "three of four channels": (
        lambda s, x: s.b(v(s, x)),
        lambda s, x: s.b(v(s, x)[..., 1:]),
        {"b": lambda: nn.LazyLinear(2)},
    ),
    "channels in another order": (lambda s, x: s.a(v(s, x)), lambda s, x: s.a(v(s, x).flip(-1)), {}),
    "another norm in the second place": (
        lambda s, x: beside(s.a(v(s, x)), s.a(s.n(s.g(x)))),
        lambda s, x: beside(s.a(v(s, x)), s.a(s.m(s.g(x)))),
        {"g": lambda: Linear(3, 4), "m": lambda: LayerNorm(4)},
    ),
    "no norm in the second place": (
        lambda s, x: beside(s.a(v(s, x)), s.a(s.n(s.g(x)))),
        lambda s, x: beside(s.a(v(s, x)), s.a(s.g(x))),
        {"g": lambda: Linear(3, 4)},
    ),
    "from both sides": (
        lambda s, x: beside(v(s, x) @ s.w + s.p, v(s, x) @ s.w),
        lambda s, x: beside(v(s, x) @ s.w + s.p, v(s, x) @ s.w.T),
        {"w": lambda: matrix(4, 4), "p": lambda: matrix(4)},
    ),
    "a bias on the other side of an activation": (
        lambda s, x: v(s, x) @ s.w + s.p,
        lambda s, x: (v(s, x) @ s.w).tanh() + s.p,
        {"w": lambda: matrix(4, 2), "p": lambda: matrix(2)},
    ),
    "queries and keys by one matrix": (
        lambda s, x: ((s.q(x)) @ (v(s, x) @ s.w).mT).softmax(-1),
        lambda s, x: ((v(s, x) @ s.w) @ (v(s, x) @ s.w).mT).softmax(-1),
        {"w": lambda: matrix(4, 4), "q": lambda: Linear(3, 4)},
    ),
}


@pytest.mark.parametrize("name", ADVERSARIES)
def test_one_change_ends_it(name: str) -> None:
    right, wrong, parts = ADVERSARIES[name]
    x = torch.randn(9, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = []
    for run in (right, wrong):
        torch.manual_seed(0)
        model = normed(run, a=lambda: Linear(4, 2), **parts)().double()
        model(x)
        symmetry = find(model, (x,))
        verify(model, symmetry, (x,), complete=False).raise_if_fails()
        found.append(gained(symmetry))
    assert [bool(one) for one in found] == [name != "from both sides", False], found


def _reader() -> tuple[nn.Module, tuple[Tensor, ...], Symmetry]:
    torch.manual_seed(0)
    model, x = nn.Sequential(Linear(3, 4), nn.Tanh(), LayerNorm(4), Linear(4, 2)).double(), torch.randn(7, 3, dtype=torch.float64)
    return model, (x,), find(model, (x,))


def test_an_element_moves_one_tensor_at_a_time() -> None:
    model, _, symmetry = _reader()
    read = Reading(generic_params(model, generator=torch.Generator().manual_seed(0)))
    (name,) = [f.id for f in symmetry.factors if f.tensors == ("3.weight", "3.bias")]
    element = Element(symmetry, (Move(name, torch.tensor([1.0, -2.0], dtype=torch.float64)),))
    weight = element.tensor("3.weight", read)
    assert read.names == {"3.weight", "2.weight"}
    inverse = 1 / read["2.weight"] / (1 / read["2.weight"]).norm()
    torch.testing.assert_close(weight - read["3.weight"], torch.tensor([[1.0], [-2.0]]).double() * inverse)
    bias = element.tensor("3.bias", read)
    taken = (read["2.bias"] * inverse).sum()
    torch.testing.assert_close(bias - read["3.bias"], torch.tensor([-1.0, 2.0]).double() * taken)


class Reading(dict[str, Tensor]):
    """Parameters that remember which of them were read."""

    def __init__(self, params: Any) -> None:
        super().__init__(params)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        self.names.add(name)
        return super().__getitem__(name)


@pytest.mark.parametrize("zeros", [(), (1,), (0, 3), (0, 1, 2, 3)])
def test_where_gains_are_zero_it_holds_too(zeros: tuple[int, ...]) -> None:
    model, (x,), symmetry = _reader()
    params = generic_params(model, generator=torch.Generator().manual_seed(0))
    params["2.weight"][list(zeros)] = 0
    moved = symmetry.sample(generator=torch.Generator().manual_seed(1))(params)
    before, after = (torch.func.functional_call(model, p, (x,)) for p in (params, moved))
    assert (moved["3.weight"] - params["3.weight"]).norm() > 1e-2
    torch.testing.assert_close(after, before)


def test_the_distance_of_orbits_does_not_depend_on_where_they_are_met() -> None:
    model, _, symmetry = _reader()
    a, b = (generic_params(model, generator=torch.Generator().manual_seed(k)) for k in (0, 1))
    expected = float(distance(symmetry, a, b))
    assert expected > 0.1
    for k in range(3):
        g, h = (symmetry.sample(generator=torch.Generator().manual_seed(10 * k + j)) for j in (2, 3))
        assert float(distance(symmetry, g(a), h(b))) == pytest.approx(expected, rel=1e-6)
        assert float(distance(symmetry, a, g(a))) < 1e-8
        assert match(symmetry, a, g(a)).after < 1e-8


def test_a_text_that_does_not_fit_is_refused() -> None:
    _, _, symmetry = _reader()
    shapes = tuple((name, (3,) if name == "2.weight" else shape) for name, shape in symmetry.shapes)
    only = replace(symmetry, factors=tuple(f for f in symmetry.factors if f.tensors == ("3.weight", "3.bias")), shapes=shapes)
    with pytest.raises(BadInputError, match=r"does not fit `3\.weight`"):
        Symmetry.from_json(only.to_json())
