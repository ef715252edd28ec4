"""Branches that remember: twins with recurrences, or with statistics that training updates, change places as others do."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from parasym.core import model_params
from parasym.find import find
from parasym.find.exchange import exchanges
from parasym.find.ground import Ground
from parasym.find.loops import Loops
from parasym.find.typing import infer_types
from parasym.rules import Builder
from parasym.rules.program import Fn, Kind, Program
from parasym.symmetry import Element, Factor, Move, Swap
from parasym.verify import verify

Layer = Callable[[], nn.Module]
SIGNAL, SEQUENCE = (3, 3, 5), (2, 5, 3)


class Twins(nn.Module):
    """Branches that are read and added, before a linear layer."""

    def __init__(self, *layers: nn.Module, read: Callable[[Any], Tensor]) -> None:
        super().__init__()
        self.branches, self.read, self.out = nn.ModuleList(layers), read, nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.stack([self.read(branch(x)) for branch in self.branches]).sum(0))


def normed(momentum: float = 0.1, eps: float = 1e-5) -> nn.Module:
    return nn.Sequential(nn.Conv1d(3, 4, 1), nn.BatchNorm1d(4, eps=eps, momentum=momentum), nn.ReLU())


def instance() -> nn.Module:
    return nn.Sequential(nn.Conv1d(3, 4, 1), nn.InstanceNorm1d(4, affine=True, track_running_stats=True), nn.ReLU())


def recurrent(kind: Callable[..., nn.Module], **options: Any) -> nn.Module:
    return kind(3, 4, batch_first=True, **options)


def pooled(h: Tensor) -> Tensor:
    return h.amax(-1)


def all_steps(outputs: tuple[Tensor, Any]) -> Tensor:
    return outputs[0]


def both_directions(outputs: tuple[Tensor, Any]) -> Tensor:
    forwards, backwards = outputs[0].chunk(2, -1)
    return forwards + backwards


def twins(layer: Layer, read: Callable[[Any], Tensor], count: int = 2) -> Callable[[], Twins]:
    return lambda: Twins(*(layer() for _ in range(count)), read=read)


def frozen_one() -> Twins:
    model = Twins(normed(), normed(), normed(), read=pooled)
    model.branches[1].eval()
    return model


EXCHANGEABLE: dict[str, tuple[Callable[[], Twins], tuple[int, ...], list[int]]] = {
    "batch statistics": (twins(normed, pooled), SIGNAL, [2]),
    "batch statistics of three": (twins(normed, pooled, 3), SIGNAL, [3]),
    "instance statistics": (twins(instance, pooled), SIGNAL, [2]),
    "LSTM": (twins(lambda: recurrent(nn.LSTM), all_steps), SEQUENCE, [2]),
    "LSTM of two layers": (twins(lambda: recurrent(nn.LSTM, num_layers=2), all_steps), SEQUENCE, [2]),
    "GRU": (twins(lambda: recurrent(nn.GRU), lambda h: h[1][0]), SEQUENCE, [2]),
    "three RNNs": (twins(lambda: recurrent(nn.RNN, nonlinearity="relu"), all_steps, 3), SEQUENCE, [3]),
    "directions of two, added": (twins(lambda: recurrent(nn.GRU, bidirectional=True), both_directions), SEQUENCE, [2]),
    # An adversary for each: what is not the same may not change places.
    "another momentum": (lambda: Twins(normed(), normed(momentum=0.2), read=pooled), SIGNAL, []),
    "another epsilon": (lambda: Twins(normed(), normed(eps=0.1), read=pooled), SIGNAL, []),
    "one of three is frozen": (frozen_one, SIGNAL, [2]),
    "another cell": (lambda: Twins(recurrent(nn.LSTM), recurrent(nn.GRU), read=all_steps), SEQUENCE, []),
    "another activation": (
        lambda: Twins(recurrent(nn.RNN), recurrent(nn.RNN, nonlinearity="relu"), read=all_steps),
        SEQUENCE,
        [],
    ),
    "forwards and backwards": (twins(lambda: recurrent(nn.RNN, bidirectional=True), both_directions, 1), SEQUENCE, []),
    "forwards and backwards, gated": (twins(lambda: recurrent(nn.GRU, bidirectional=True), both_directions, 1), SEQUENCE, []),
}


def members(factors: tuple[Factor, ...]) -> list[int]:
    return [len(b.members) for factor in factors for b in factor.bindings if isinstance(b, Swap)]


@pytest.mark.parametrize("name", EXCHANGEABLE)
def test_branches_that_remember(name: str) -> None:
    torch.manual_seed(0)
    make, shape, expected = EXCHANGEABLE[name]
    model, x = make(), torch.randn(shape)
    symmetry = find(model, (x,))
    assert (members(symmetry.factors), symmetry.uncovered, symmetry.coarse) == (expected, (), ())
    verify(model, symmetry, (x,), complete=False).raise_if_fails()


def test_statistics_change_places_with_what_they_are_taken_of() -> None:
    """What training leaves in the moved model is what it leaves in the model, moved."""
    torch.manual_seed(0)
    model, x = Twins(normed(), normed(), read=pooled).double(), torch.randn(SIGNAL, dtype=torch.float64)
    symmetry = find(model, (x,))
    swap = next(f for f in symmetry.factors if isinstance(f.bindings[0], Swap))
    element, params = Element(symmetry, (Move(swap.id, torch.tensor([1, 0])),)), model_params(model)
    assert "branches.0.1.running_var" in swap.tensors
    after = []
    for start in (params, element(params)):
        copy = deepcopy(model)
        copy.load_state_dict(start, strict=False)
        copy(x)
        after.append(model_params(copy))
    assert (after[0]["branches.0.1.running_mean"] - params["branches.0.1.running_mean"]).norm() > 1e-3
    for name, value in element(after[0]).items():
        torch.testing.assert_close(after[1][name], value)


def test_statistics_that_are_read_are_said() -> None:
    class Read(Twins):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + self.branches[0][1].running_var[:2]  # type: ignore[index]

    model, x = Read(normed(), normed(), read=pooled), torch.randn(SIGNAL)
    symmetry = find(model, (x,))
    assert members(symmetry.factors) == []
    (pin,) = symmetry.coarse
    assert "statistics are read in the pass that updates them" in pin.reason
    assert {"branches.0.0.weight", "branches.1.1.running_mean"} <= set(pin.tensors)
    assert members(find(model.eval(), (x,)).factors) == []  # which reads those of one branch only
    verify(model, symmetry, (x,), complete=False).raise_if_fails()


def _slow(*last: Fn) -> Program:
    """Recurrences of two states each that read a parameter late: the functions by which they do show two steps after."""
    b = Builder()
    x = b.value((3, 4), Kind.INPUT)
    b.pin(x)
    ends = []
    for k, fn in enumerate(last):
        b.begin("a step")
        states = [b.value(x.shape), b.value(x.shape)]
        for state in states:
            b.flow(x, state)
        b.flow(b.pointwise(Fn.ODD, states[1]), states[0])
        b.flow(b.pointwise(fn, b.add(states[0], b.value((4,), Kind.PARAMETER, name=f"w{k}"))), states[1])
        ends.append(b.pointwise(Fn.ODD, states[0]))
    b.begin("the sum")
    out = b.add(*ends)
    b.pin(out)
    b.program.outputs.append(out)
    return b.program


def test_states_are_compared_until_nothing_more_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*last: Fn) -> list[int]:
        return members(exchanges(Ground(infer_types(_slow(*last))), {}).factors)

    assert (found(Fn.GENERIC, Fn.GENERIC), found(Fn.GENERIC, Fn.ODD)) == ([2], [])
    monkeypatch.setattr(Loops, "rounds", 1)
    assert found(Fn.GENERIC, Fn.ODD) == [2]  # which is wrong
