"""Every pin that no shape forces is listed with its line and what it may cost; what an input or an output forces is not."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from parasym.find import find
from parasym.groups import PositiveScaling
from parasym.rules import BY_NAME, Builder, Value
from parasym.rules.rule import Rule
from parasym.symmetry import Binding, Coarse, Symmetry


class Net(nn.Module):
    """A model whose forward is a function of its parts and its inputs."""

    def __init__(self, run: Callable[..., Any], **parts: nn.Module | nn.Parameter) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.run = run

    def forward(self, *inputs: Tensor) -> Any:
        return self.run(self, *inputs)


X, SEQ, IMAGE = torch.zeros(5, 4), torch.zeros(2, 5, 3), torch.zeros(2, 3, 6, 6)
TOKENS = torch.zeros(5, 2, dtype=torch.long)
HIDDEN = ("a.weight", "a.bias", "b.weight")


def two(run: Callable[..., Any], inputs: int = 4, hidden: int = 6, between: int = 6, **more: Any) -> Net:
    """Two linear layers with something between."""
    return Net(run, a=nn.Linear(inputs, hidden), b=nn.Linear(between, 3), **more)


def bins(h: Tensor) -> Tensor:
    """Six entries in three bins, the same in all rows."""
    return torch.zeros(5, 6).scatter_add(1, torch.tensor([[0, 1, 2, 0, 1, 2]] * 5), h)


def codes(s: Any, x: Tensor) -> Tensor:
    h = s.a(x)
    return s.b(s.c((h[:, None] - s.c.weight[None]).square().sum(-1).argmin(-1)))


def routed(s: Any, x: Tensor) -> Tensor:
    weights, experts = s.router(x).softmax(-1).topk(2)
    gates = torch.zeros(5, 6).scatter(1, experts, weights)
    return (gates[..., None] * torch.einsum("bi,eoi->beo", x, s.experts)).sum(1)


COARSE = {  # model, inputs, words of the operation, what it may cost, derived by hand
    "look-up of many channels by fixed numbers": (
        two(lambda s, x: s.b(s.a(x).relu().gather(1, 2 * torch.arange(10).expand(5, 10))), hidden=20, between=10),
        (X,),
        "gather",
        HIDDEN,
    ),
    "channels summed in bins": (two(lambda s, x: s.b(bins(s.a(x).relu()))), (X,), "scatter_add", HIDDEN),
    "a slice that cuts a product": (
        Net(lambda s, x: s.b(s.a(x).relu().flatten(1)[:, :10]), a=nn.Conv2d(3, 4, 4), b=nn.Linear(10, 2)),
        (IMAGE,),
        "slice",
        HIDDEN,
    ),
    "rows of a codebook": (two(codes, c=nn.Embedding(7, 6)), (X,), "embedding", ("c.weight",)),
    "experts": (
        Net(routed, router=nn.Linear(4, 6), experts=nn.Parameter(torch.zeros(6, 3, 4))),
        (X,),
        "scatter",
        ("experts",),
    ),
    "ones beside channels": (
        two(lambda s, x: s.b(F.pad(s.a(x).relu(), (1, 1), value=1.0)), between=8),
        (X,),
        "constant_pad_nd",
        HIDDEN,
    ),
    "a flip of channels": (two(lambda s, x: s.b(s.a(x).relu().flip(1))), (X,), "flip", HIDDEN),
    "a roll of channels": (two(lambda s, x: s.b(s.a(x).relu().roll(2, 1))), (X,), "roll", HIDDEN),
    "a look-up in runs": (two(lambda s, x: s.b(s.a(x).relu()[:, [3, 4, 0, 1]]), between=4), (X,), "index", HIDDEN),
    "every fourth entry": (two(lambda s, x: s.b(s.a(x).relu()[:, ::4]), between=2), (X,), "slice", HIDDEN),
    "unpooling": (
        Net(lambda s, x: F.max_unpool2d(*F.max_pool2d(s.a(x), 2, return_indices=True), [2, 2]).sum((2, 3)), a=nn.Conv2d(3, 4, 1)),
        (IMAGE,),
        "index_put",
        ("a.weight", "a.bias"),
    ),
}


@pytest.mark.parametrize("name", COARSE)
def test_a_pin_that_no_shape_forces_is_listed(name: str) -> None:
    model, inputs, operation, costs = COARSE[name]
    symmetry = find(model, inputs)
    assert symmetry.uncovered == ()
    found = [pin for pin in symmetry.coarse if f"aten.{operation}." in pin.operation]
    assert [pin.tensors for pin in found] == [costs]
    (pin,) = found
    parameters = dict(model.named_parameters())
    assert pin.entries == sum(parameters[name].numel() for name in costs)
    assert pin.source.rsplit(":", 1)[0] == __file__ or pin.module == "c"
    assert pin.reason
    assert str(pin) in str(symmetry)
    assert Symmetry.from_json(symmetry.to_json()).coarse == symmetry.coarse


FORCED = {  # model and inputs: what is pinned an input, an output or the task pins
    "tokens": (Net(lambda s, x: s.b(s.e(x).relu()), e=nn.Embedding(9, 6), b=nn.Linear(6, 3)), (TOKENS,)),
    "positions by fixed numbers": (
        Net(
            lambda s, x: s.b((s.e(x) + s.p(torch.tensor([0, 1]))).relu()),
            e=nn.Embedding(9, 6),
            p=nn.Embedding(8, 6),
            b=nn.Linear(6, 3),
        ),
        (TOKENS,),
    ),
    "a look-up by an input": (two(lambda s, x, i: s.b(s.a(x).relu().gather(1, i)), between=2), (X, TOKENS)),
    "a position that is returned": (two(lambda s, x: s.b(s.a(x).relu()).argmax(-1)), (X,)),
    "an order over positions": (two(lambda s, x: s.b(s.a(x).relu().topk(2, dim=1).values.sum(1)), inputs=3), (SEQ,)),
    "a roll over positions": (two(lambda s, x: s.b(s.a(x).relu().roll(1, 1)), inputs=3), (SEQ,)),
    "a padding of positions": (two(lambda s, x: s.b(F.pad(s.a(x).relu(), (0, 0, 1, 1), value=1.0).amax(1)), inputs=3), (SEQ,)),
    "a convolution": (Net(lambda s, x: s.b(s.a(x).relu()), a=nn.Conv2d(3, 4, 3), b=nn.Conv2d(4, 2, 3)), (IMAGE,)),
    "neighbours": (
        two(
            lambda s, x, i: s.b(s.a(x).relu().gather(1, i[..., None].expand(2, 4, 3, 6).reshape(2, 12, 6)).sum(1)),
            inputs=3,
        ),
        (SEQ, torch.zeros(2, 4, 3, dtype=torch.long)),
    ),
}


@pytest.mark.parametrize("name", FORCED)
def test_what_is_forced_is_not_blamed(name: str) -> None:
    model, inputs = FORCED[name]
    assert find(model, inputs).coarse == ()


def test_a_look_up_of_neighbours_lets_channels_pass() -> None:
    model, inputs = FORCED["neighbours"]
    assert {f.label for f in find(model, inputs).factors} == {"S(6)", "scale(6)"}


def test_what_it_costs_is_what_a_finer_way_of_writing_finds() -> None:
    def halves(s: Any, x: Tensor) -> Tensor:
        h = s.a(x).relu()
        return s.b(torch.cat([h[:, :3] + h[:, 3:], torch.zeros(5, 3)], 1))

    coarse, finer = two(lambda s, x: s.b(bins(s.a(x).relu()))), two(halves)
    (pin,), found = find(coarse, (X,)).coarse, find(finer, (X,))
    assert found.coarse == ()
    assert {name for factor in found.factors for name in factor.tensors} == set(pin.tensors)
    assert find(coarse, (X,)).order < found.order


def test_a_rule_that_pins_more_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    model = two(lambda s, x: s.b(s.a(x).relu()))
    assert find(model, (X,)).coarse == ()

    def lower(b: Builder, x: Value) -> Value:
        return b.fixed(x, x.shape, [(0, 0)], reason="a fault", coarse=[((1,), (1,))])

    monkeypatch.setitem(BY_NAME, "relu", Rule(("relu",), lower))
    assert [(pin.operation, pin.tensors, pin.entries) for pin in find(model, (X,)).coarse] == [
        ("aten.relu.default", HIDDEN, 6 * 4 + 6 + 3 * 6)
    ]


def test_a_constant_without_numbers_is_coarse() -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 3)
            self.register_buffer("mask", torch.ones(6))

        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x).relu() * self.mask)

    assert find(Masked(), (X,)).coarse == ()
    (pin,) = find(Masked().to("meta"), (X.to("meta"),)).coarse
    assert pin.tensors == HIDDEN
    assert "numbers are not known" in pin.reason


def test_too_many_blocks_are_coarse() -> None:
    class Blocks(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.n, self.w, self.v = n, nn.Parameter(torch.zeros(n, n)), nn.Parameter(torch.zeros(3, 1))

        def forward(self, x: Tensor) -> Tensor:
            x, y = (torch.cat([f(x[:, k : k + 1] @ self.v[:1]) for k in range(self.n)], 1) for f in (torch.relu, torch.tanh))
            return torch.einsum("bi,ij,bj->b", x, self.w, y)

    assert find(Blocks(3), (torch.zeros(2, 3),)).coarse == ()
    pin, branches = find(Blocks(50), (torch.zeros(2, 50),)).coarse
    assert "so many blocks" in pin.reason
    assert pin.tensors == ("w",)
    assert branches.operation == "exchange of branches"
    assert branches.tensors == ("w", "v")


def test_what_a_whole_value_loses_to_too_many_blocks_is_said() -> None:
    class Gained(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.n, self.w = n, nn.Parameter(torch.zeros(n, n))
            self.gain, self.free = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(3))

        def forward(self, x: Tensor) -> Tensor:
            x, y = (torch.cat([f(x[:, k : k + 1] * self.free[0]) for k in range(self.n)], 1) for f in (torch.tanh, torch.exp))
            return self.gain * torch.einsum("bi,ij,bj->b", x, self.w, y)

    moved = [f.tensors for f in find(Gained(3), (torch.zeros(2, 3),)).factors if f.label == "scale(1)"]
    assert ("gain", "w") in moved or ("w", "gain") in moved
    lost = [one for one in find(Gained(50), (torch.zeros(2, 50),)).coarse if "scales and signs are not followed" in one.reason]
    assert {name for pin in lost for name in pin.tensors} == {"w", "gain"}  # not `free`, which the exponential holds


NORMS = ("nuc", 2, -2)


@pytest.mark.parametrize("order", NORMS)
def test_a_norm_of_matrices_follows_scales_and_forgets_signs(order: Any) -> None:
    model = Net(
        lambda s, x: s.c * torch.linalg.matrix_norm(s.w * x[:, :, None] * s.a, order),
        w=nn.Parameter(torch.ones(())),
        a=nn.Parameter(torch.randn(4, 3)),
        c=nn.Parameter(torch.ones(())),
    )
    symmetry = find(model, (torch.randn(5, 4),), check=True)
    assert symmetry.refuted == ()
    assert [f.label for f in symmetry.factors] == ["scale(1)", "scale(1)", "signs(1)", "signs(1)"]
    assert [pin.tensors for pin in symmetry.coarse] == [("a",)]  # its rows and columns may change places


@pytest.mark.parametrize(("reduce", "degree"), [(torch.prod, 3), (torch.nansum, 1)])
def test_products_and_sums_without_nan_follow_scales_to_their_degree(reduce: Callable[..., Tensor], degree: int) -> None:
    model = Net(lambda s, x: s.c * reduce(x * s.w, 1), w=nn.Parameter(torch.randn(())), c=nn.Parameter(torch.randn(())))
    symmetry = find(model, (torch.randn(5, 3),), check=True)
    (scale,) = symmetry.only(PositiveScaling).factors
    powers = {b.tensor: b.power for b in scale.bindings if isinstance(b, Binding)}
    assert powers in ({"w": 1, "c": -degree}, {"w": Fraction(-1, degree), "c": 1})
    assert symmetry.refuted == symmetry.coarse == ()


def test_positions_of_pooled_maxima_move_with_their_channels() -> None:
    def run(s: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        values, where = F.max_pool2d(s.a(x), 2, return_indices=True)
        return s.b(values).sum((2, 3)), where

    model = Net(run, a=nn.Conv2d(3, 4, 1), b=nn.Conv2d(4, 2, 1))
    assert find(model, (IMAGE,)).factors == ()  # the positions are returned, channel by channel


def test_one_line_says_it_all() -> None:
    pin = Coarse("aten.gather.default", "trunk", "net.py:7", "by number", tuple("abcde"), 12)
    assert str(pin) == (
        "coarse: aten.gather.default in trunk (net.py:7): by number; "
        "may cost 5 parameters of 12 numbers a group: a, b, c, d and 1 more"
    )
