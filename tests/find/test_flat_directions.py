"""Flat directions that constants leave of linear wires, against the null space of the Jacobian of the function."""

import sys
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import rms_norm, scaled_dot_product_attention

from parasym.breaking import WAsymmetric, break_, trainable_masks, trainable_vector
from parasym.find import find
from parasym.symmetry import FlatDirections, Symmetry

EXAMPLES = 40


class Attention(nn.Module):
    """Heads without bias: there is all of GL on queries against keys, and on values."""

    def __init__(self, heads: int, size: int, *, bias: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(6, heads * size, bias=bias) for _ in range(3))
        self.out = nn.Linear(heads * size, 6, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.query, self.key, self.value))
        return self.out(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Normed(nn.Module):
    """Root-mean-square normalization leaves the orthogonal matrices; its epsilon keeps the scale."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 4, bias=False), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(rms_norm(self.first(x), (4,), eps=0.1))


class Adapter(nn.Module):
    """A layer that is not trained, and a low-rank update that is."""

    def __init__(self, ins: int, outs: int, rank: int) -> None:
        super().__init__()
        self.base = nn.Linear(ins, outs).requires_grad_(False)
        self.down, self.up = nn.Linear(ins, rank, bias=False), nn.Linear(rank, outs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.up(self.down(x))


class Multiplied(nn.Module):
    """Two linear layers and a number that multiplies all outputs: a parameter without axes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 5, bias=False), nn.Linear(5, 3)
        self.level = nn.Parameter(torch.tensor(0.3))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x)) * self.level


def chain(*widths: int, bias: bool = True) -> nn.Sequential:
    return nn.Sequential(*(nn.Linear(a, b, bias=bias) for a, b in pairwise(widths)))


def shared(frozen: float, std: float = 1.0) -> WAsymmetric:
    return WAsymmetric(frozen=frozen, std=std, distinct=False)


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], WAsymmetric, int]] = {
    "three linear layers": (lambda: chain(4, 5, 6, 3), (4,), WAsymmetric(frozen=2), 39),
    "without biases": (lambda: chain(4, 5, 6, 3, bias=False), (4,), WAsymmetric(frozen=2), 28),
    "zeros for constants": (lambda: chain(4, 5, 3), (4,), WAsymmetric(frozen=2, std=0.0), 8),
    "enough constants": (lambda: chain(4, 4, 3, bias=False), (4,), WAsymmetric(frozen=3), 0),
    "beside an activation": (lambda: nn.Sequential(nn.Linear(4, 5), nn.GELU(), *chain(5, 6, 3)), (4,), WAsymmetric(frozen=3), 12),
    "no linear wire": (lambda: nn.Sequential(nn.Linear(4, 5), nn.GELU(), nn.Linear(5, 3)), (4,), WAsymmetric(frozen=2), 0),
    "attention, two heads": (lambda: Attention(2, 3), (4, 6), shared(1), 12),
    "attention, one head": (lambda: Attention(1, 4), (4, 6), shared(1), 14),
    "attention, enough": (lambda: Attention(2, 3), (4, 6), WAsymmetric(frozen=2), 0),
    "attention with biases": (lambda: Attention(2, 3, bias=True), (4, 6), shared(1), 18),
    "orthogonal": (Normed, (5,), shared({"first": 0, "second": 1}), 3),  # pyright: ignore[reportArgumentType]
    "a number": (Multiplied, (4,), WAsymmetric(frozen=2), 8),
    "adapters": (lambda: nn.Sequential(Adapter(8, 7, 4), nn.GELU(), Adapter(7, 5, 4)), (8,), shared(1), 12),
}


def nullity(model: nn.Module, *shape: int) -> int:
    """Directions of the trained entries along which the function stands still, by the singular values of its Jacobian."""
    model = model.double()
    masks = trainable_masks(model)
    sizes = [int(mask.sum()) for mask in masks.values()]
    stored = {name: p.detach() for name, p in model.named_parameters()}
    x = torch.randn(EXAMPLES, *shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    vector = trainable_vector(model).requires_grad_()

    def outputs(vector: Tensor) -> Tensor:
        parts = zip(masks.items(), vector.split(sizes), strict=True)
        params = {n: stored[n].masked_scatter(mask, part) for (n, mask), part in parts}
        return torch.func.functional_call(model, params, (x,)).flatten()

    jacobian = torch.autograd.functional.jacobian(outputs, vector)
    assert isinstance(jacobian, Tensor)
    assert jacobian.shape[0] >= jacobian.shape[1]
    values = torch.linalg.svdvals(jacobian)
    rank = int((values > 1e-10 * values[0]).sum())
    assert values[rank - 1] > 1e-6 * values[0], "no gap in the spectrum"
    return len(vector) - rank


def left(symmetry: Symmetry | None) -> tuple[int, int]:
    """Flat directions, and dimensions of factors."""
    assert symmetry is not None
    assert symmetry.flat is not None
    assert symmetry.flat.exact
    return symmetry.flat.count, symmetry.dimension


@pytest.mark.parametrize("name", CASES)
def test_as_many_as_the_jacobian_has(name: str):
    build, shape, method, expected = CASES[name]
    torch.manual_seed(0)
    broken = break_(build(), method, torch.zeros(2, *shape))
    flat, dimension = left(broken.report.symmetry)
    assert flat == expected
    assert nullity(broken.model, *shape) == flat + dimension


def test_frozen_entries_that_differ_count_differently():
    """Fault: equations counted in place of their rank, or constants taken for zeros."""
    counts = []
    for frozen in (1, 2, 3):
        torch.manual_seed(0)
        broken = break_(chain(4, 5, 3, bias=False), shared(frozen), torch.zeros(2, 4))
        flat, dimension = left(broken.report.symmetry)
        assert nullity(broken.model, 4) == flat + dimension
        counts.append(flat)
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]
    torch.manual_seed(0)
    zeros = break_(chain(4, 5, 3, bias=False), shared(2, 0.0), torch.zeros(2, 4))
    flat, dimension = left(zeros.report.symmetry)
    assert nullity(zeros.model, 4) == flat + dimension
    assert flat + dimension > counts[1]


def test_it_is_printed_and_none_without_constants():
    plain = find(chain(4, 5, 3), torch.zeros(2, 4))
    assert plain.flat is None
    assert "flat directions" not in str(plain)
    broken = find(break_(chain(4, 5, 6, 3), WAsymmetric(frozen=2)).model, torch.zeros(2, 4))
    assert str(broken).splitlines()[-1] == "flat directions left: 39"
    assert "trivial" not in str(broken)
    assert Symmetry.from_json(broken.to_json()).flat == FlatDirections(39)


def test_wide_layers_have_a_lower_bound(monkeypatch: pytest.MonkeyPatch):
    """Where not all factors can be counted together every wire is looked at alone, and the number says so."""
    monkeypatch.setattr(sys.modules["parasym.find.flat_directions"], "LIMIT", 20)
    symmetry = find(break_(chain(4, 5, 6, 3), WAsymmetric(frozen=2)).model, torch.zeros(2, 4))
    assert symmetry.flat is not None
    assert not symmetry.flat.exact
    assert 0 < symmetry.flat.count <= 39
    assert str(symmetry).splitlines()[-1].startswith("flat directions left: at least ")
