"""What of a parameter the outputs do not depend on: told from the program, and compared with what gradients say."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from parasym import WAsymmetric, break_, model_params
from parasym.find import find
from parasym.symmetry import Symmetry

MASK = torch.tensor([[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 0], [0, 0, 1, 1]])


class Net(nn.Module):
    """A weight that is read in some way."""

    mask: Tensor
    holds: Tensor
    rows: Tensor
    constants: Tensor

    def __init__(self, read: Callable[["Net", Tensor], Tensor]) -> None:
        super().__init__()
        self.weight, self.out, self.read = nn.Parameter(torch.randn(5, 4)), nn.Linear(5, 2), read
        self.register_buffer("mask", MASK.float())
        self.register_buffer("holds", MASK.bool())
        self.register_buffer("rows", torch.tensor([1.0, 0.0, 1.0, 1.0, 1.0])[:, None])
        self.register_buffer("constants", torch.randn(5, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.sigmoid(functional.linear(x, self.read(self, self.weight))))


READINGS: dict[str, tuple[Callable[[Net, Tensor], Tensor], int]] = {
    "times a mask": (lambda m, w: w * m.mask, 6),
    "times a mask of twos": (lambda m, w: (2 * m.mask) * w, 6),
    "times a mask of rows": (lambda m, w: w * m.rows, 4),
    "times two masks": (lambda m, w: w * m.mask * m.rows, 9),
    "a mask and constants": (lambda m, w: w * m.mask + m.constants * (1 - m.mask), 6),
    "where": (lambda m, w: torch.where(m.holds, w, m.constants), 6),
    "where not": (lambda m, w: torch.where(~m.holds, m.constants, w), 6),
    "where zero": (lambda m, w: torch.where(m.holds, w, 0.0), 6),
    "filled with zeros": (lambda m, w: w.masked_fill(~m.holds, 0.0), 6),
    "filled with numbers": (lambda m, w: w.masked_fill(~m.holds, 0.7), 6),
    "lower triangle": (lambda _, w: w.tril(), 6),
    "between": (lambda m, w: torch.lerp(m.constants, w, m.mask), 6),
    "transposed": (lambda m, w: (w.mT * m.mask.mT).mT, 6),
    "three rows": (lambda _, w: torch.cat([w[:3], w[:2]]), 8),
    "as it is": (lambda _, w: w, 0),
    "with a mask and without": (lambda m, w: w * m.mask + w.sin(), 0),
    "a mask that is not zero": (lambda m, w: w * (m.mask + 1), 0),
}


@pytest.mark.parametrize("name", READINGS)
def test_what_is_not_read_is_told(name):
    read, count = READINGS[name]
    torch.manual_seed(0)
    model = Net(read).double()
    x = torch.randn(7, 4, dtype=torch.float64)
    symmetry = find(model, (x,))
    (gradient,) = torch.autograd.grad(model(x).square().sum(), model.weight)
    found = {one.tensor: one for one in symmetry.frozen}
    assert {name for name, one in found.items() if not one.read} == ({"weight"} if count else set())
    if count:
        assert found["weight"].count == count
        assert torch.equal(found["weight"].mask, gradient == 0)
    assert Symmetry.from_json(symmetry.to_json()).frozen == symmetry.frozen


def test_frozen_entries_of_a_broken_model():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    x = torch.randn(9, 6)
    broken = break_(net, WAsymmetric(leftover="freeze"), inputs=x).model
    symmetry = find(broken, x)
    outputs = broken(x)
    params = model_params(broken)
    assert sum(one.count for one in symmetry.frozen) > 30
    for one in symmetry.frozen:
        other = torch.where(one.mask, params[one.tensor] + 3.0, params[one.tensor])
        moved = torch.func.functional_call(broken, params | {one.tensor: other}, (x,))
        assert torch.equal(moved, outputs), one.tensor


def test_padding_rows_count_where_something_else_reads_the_table():
    class Tied(nn.Module):
        def __init__(self, tied: bool) -> None:
            super().__init__()
            self.table, self.tied = nn.Embedding(9, 4, padding_idx=2), tied

        def forward(self, x: Tensor) -> Tensor:
            h = torch.tanh(self.table(x))
            return functional.linear(h, self.table.weight) if self.tied else h

    x = torch.zeros(3, 5, dtype=torch.int64)
    (row,) = find(Tied(False), (x,)).frozen
    assert row.read
    assert row.mask.any(1).tolist() == [k == 2 for k in range(9)]
    assert find(Tied(True), (x,)).frozen == ()
