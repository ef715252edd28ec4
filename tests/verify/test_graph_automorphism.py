"""The permutations that nauty counts, against those known by hand."""

import sys
from collections.abc import Callable
from math import factorial

import pytest
import torch
from torch import Tensor, nn

from parasym.core import BadInputError
from parasym.groups import Permutation
from parasym.symmetry import Symmetry
from parasym.verify.graph_automorphism import discrete_completeness
from parasym.verify.scalar_graph import ScalarGraph
from tests.needs import needs
from tests.verify.claims import claim, factor, hidden
from tests.verify.reference_models import Attention, SwiGLU, mlp

needs("pynauty")


class Residual(nn.Module):
    """Two hidden wires: a residual stream of 4 and a branch of 3."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.up, self.down, self.out = nn.Linear(2, 4), nn.Linear(4, 3), nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.into(x)
        return self.out((h + self.down(self.up(h).relu())).tanh())


class Twice(nn.Module):
    """One layer used twice: its wire returns to itself."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.again, self.out = nn.Linear(2, 4), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.again(self.again(self.into(x).relu()).relu()).relu())


class Experts(nn.Module):
    """Three exchangeable branches of two units each, with a non-linear output or none."""

    def __init__(self, last: type[nn.Module]) -> None:
        super().__init__()
        self.experts = nn.ModuleList(nn.Sequential(*mlp(2, 2, 2), last()) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        return self.experts[0](x) + self.experts[1](x) + self.experts[2](x)


class Asymmetric(nn.Module):
    """Linear, ReLU, Linear, where a mask fixes entries of the first layer; equal rows of it are exchangeable."""

    mask: Tensor
    frozen: Tensor

    def __init__(self, mask: list[list[int]], frozen: float) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(3, len(mask)), nn.Linear(len(mask), 2)
        self.register_buffer("mask", torch.tensor(mask, dtype=torch.float32))
        self.register_buffer("frozen", torch.full((len(mask), 3), frozen))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.fc1.weight * self.mask + self.frozen * (1 - self.mask)
        return self.fc2(nn.functional.linear(x, weight, self.fc1.bias).relu())


def convolutions() -> nn.Sequential:
    """Return a small CNN with BatchNorm by running statistics, pooling and flatten."""
    return nn.Sequential(
        *(nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(3, 2, 2), nn.Flatten(), nn.Linear(2, 2)),
    ).eval()


@pytest.mark.parametrize(
    ("build", "shape", "order"),
    [
        (lambda: mlp(4, 5, 6, 3), (1, 4), factorial(5) * factorial(6)),
        (lambda: mlp(4, 15, 3), (1, 4), factorial(15)),  # beyond exact floating point
        (lambda: mlp(4, 5, 3, activation=nn.GELU), (2, 4), factorial(5)),
        (lambda: mlp(4, 5, 6, 3, activation=nn.Identity), (1, 4), factorial(5) * factorial(6)),
        (Residual, (1, 2), factorial(4) * factorial(3)),
        (Twice, (1, 2), factorial(4)),
        (lambda: Experts(nn.Tanh), (1, 2), factorial(3) * factorial(2) ** 3),
        # Without an activation the branches are one layer of six units, and the three biases of each output may be exchanged too.
        (lambda: Experts(nn.Identity), (1, 2), factorial(6) * factorial(3) ** 2),
        (convolutions, (1, 1, 4, 4), factorial(3) * factorial(2)),
        (SwiGLU, (1, 4), factorial(6)),
        (lambda: nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.Linear(5, 3)), (1, 4), factorial(5)),
        (lambda: Attention(heads=2, dim=3), (1, 3, 6), factorial(2) * factorial(3) ** 4),
        (lambda: Attention(heads=2, dim=4, groups=1), (1, 3, 6), factorial(2) * factorial(4) ** 2),
        (lambda: Asymmetric([[1, 1, 0], [1, 0, 1], [0, 1, 1]], 0.5), (1, 3), 1),
        (lambda: Asymmetric([[1, 1, 0], [1, 1, 0], [0, 1, 1]], 0.5), (1, 3), 2),
        (lambda: Asymmetric([[1, 1, 1], [1, 1, 1], [1, 1, 1]], 0.5), (1, 3), 6),
    ],
)
def test_orders(build: Callable[[], nn.Module], shape: tuple[int, ...], order: int) -> None:
    torch.manual_seed(0)
    found = discrete_completeness(build(), Symmetry((), ()), (torch.randn(shape),))
    assert found.order == order
    assert found.claimed == 1


def test_complete_claim() -> None:
    model = mlp(4, 5, 6, 3)
    wires = factor(Permutation(5), *hidden("0", "2")), factor(Permutation(6), *hidden("2", "4"))
    assert discrete_completeness(model, claim(model, *wires), (torch.randn(1, 4),)).complete == "yes"
    # Faults: one wire forgotten, and one permutation too many.
    assert discrete_completeness(model, claim(model, wires[0]), (torch.randn(1, 4),)).complete == "no"
    masked = Asymmetric([[1, 1, 0], [1, 0, 1], [0, 1, 1]], 0.5)
    too_much = claim(masked, factor(Permutation(3), *hidden("fc1", "fc2")))
    assert discrete_completeness(masked, too_much, (torch.randn(1, 3),)).complete == "unsure"


def test_running_statistics_are_free_only_if_moved() -> None:
    """Constants that differ color the channels; statistics that the symmetry moves do not."""
    torch.manual_seed(0)
    model = convolutions().train()
    model(torch.randn(5, 1, 4, 4))
    model.eval()
    assert discrete_completeness(model, claim(model), (torch.randn(1, 1, 4, 4),)).order == 2
    names = ("1.weight", "1.bias", "1.running_mean", "1.running_var", "0.bias")
    wire = factor(Permutation(3), ("0.weight", 0, 1), ("4.weight", 1, -1), *[(name, 0, 1) for name in names])
    other = factor(Permutation(2), ("4.weight", 0, 1), ("4.bias", 0, 1), ("6.weight", 1, -1))
    assert discrete_completeness(model, claim(model, wire, other), (torch.randn(1, 1, 4, 4),)).complete == "yes"


def test_sums_are_flat_and_shared() -> None:
    graph = ScalarGraph()
    a, b, c = (graph.leaf(k) for k in "abc")
    assert graph.total([graph.total([a, b]), c]) == graph.total([a, graph.total([c, b])])
    assert graph.total([a, graph.constant(0.0)]) == a
    assert graph.product([a, graph.constant(0.0)]) == graph.constant(0.0)
    assert graph.total([a, a, b]) != graph.total([a, b])
    assert graph.total([graph.total([a, a]), b]) == graph.total([a, b, a])
    assert graph.ordered("divide", (a, b)) != graph.ordered("divide", (b, a))


def test_unknown_operations_are_named() -> None:
    class Sorted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(2, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x).sort(dim=-1).values

    with pytest.raises(BadInputError, match="sort"):
        discrete_completeness(Sorted(), Symmetry((), ()), (torch.randn(1, 2),))


def test_missing_pynauty_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynauty", None)
    with pytest.raises(BadInputError, match="pip install pynauty"):
        discrete_completeness(mlp(2, 3, 2), Symmetry((), ()), (torch.randn(1, 2),))
