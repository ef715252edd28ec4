"""Models with shifts, and what is right for them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from parasym import find, verify
from parasym.symmetry import Symmetry

Linear = nn.Linear


class Model(nn.Module):
    """A forward in one line, on parts by name."""

    def __init__(self, run: Callable[..., Tensor], **parts: Any):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self.run = run

    def forward(self, *args: Tensor) -> Tensor:
        return self.run(self, *args)


@dataclass(frozen=True)
class Case:
    """A model and what is right for it.

    Attributes:
        name: What it is about.
        model: Makes it.
        inputs: Shapes of its inputs.
        shifts: Sizes of the translations, in any order.
        dimension: Of all factors.
        order: Of the discrete ones.
        rest: Null directions of the Jacobian that belong to no factor, and why there are any is said beside the case.
    """

    name: str
    model: Callable[[], nn.Module]
    inputs: tuple[tuple[int, ...], ...]
    shifts: tuple[int, ...]
    dimension: int
    order: int
    rest: int = 0


def matrix(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape))


def plain(n: int, m: int) -> Linear:
    return Linear(n, m, bias=False)


def found(case: Case) -> tuple[nn.Module, tuple[Tensor, ...], Symmetry]:
    torch.manual_seed(0)
    model = case.model().double()
    inputs = tuple(torch.randn(shape, dtype=torch.float64) for shape in case.inputs)
    return model, inputs, find(model, inputs)


def check(case: Case) -> None:
    """Compare what is found with the answer, the model before and after, and the rank of the Jacobian in float64."""
    model, inputs, symmetry = found(case)
    sizes = [f.dimension for f in symmetry.factors if f.group.label.startswith("shift")]
    assert (sorted(sizes), symmetry.dimension, symmetry.order) == (sorted(case.shifts), case.dimension, case.order)
    report = verify(model, symmetry, inputs)
    assert report.holds == "yes", report
    assert all(row.moved > 1e-3 for row in report.rows)
    counted = report.completeness
    assert counted is not None
    assert (counted.explained, counted.nullity - counted.explained) == (case.dimension, case.rest), report
