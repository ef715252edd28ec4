"""A small model whose symmetry was derived by hand, and what is checked of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from parasym.core import Params
from parasym.find import find
from parasym.symmetry import Symmetry, group_name
from parasym.zoo import generic_params
from parasym.zoo.inputs import Inputs, normal
from tests.zoo.acting import factor_errors
from tests.zoo.jacobian import jacobian, moving, nullity


class Model(nn.Module):
    """Named parts and a function of them.

    Args:
        run: Called with the model and the inputs.
        parts: Modules, parameters, and buffers (tensors).
    """

    def __init__(self, run: Callable[..., Any], **parts: nn.Module | nn.Parameter | Tensor) -> None:
        super().__init__()
        for name, part in parts.items():
            if isinstance(part, nn.Module | nn.Parameter):
                setattr(self, name, part)
            else:
                self.register_buffer(name, part)
        self._run = run

    def __getattr__(self, name: str) -> Any:
        return super().__getattr__(name)  # whose result is not called a tensor or a module

    def forward(self, *args: Tensor) -> Any:
        return self._run(self, *args)


_SEVEN = normal((7, 3))


@dataclass(frozen=True)
class Derived:
    """A model and its answer.

    Attributes:
        name: The test's name.
        build: Returns the model; its weights are drawn from the global generator.
        expected: The factors, as ``parasym.symmetry.group_name`` writes them, in any order.
        why: The derivation.
        inputs: Returns the inputs.
        rest: Null directions of the Jacobian beyond those of the group; the derivation says which.
        seed: Seed of the weights: a small network with kinks may be linear at a point.
        draws: How many times inputs are drawn for the Jacobian.
    """

    name: str
    build: Callable[[], nn.Module]
    expected: tuple[str, ...]
    why: str
    inputs: Inputs = _SEVEN
    rest: int = 0
    seed: int = 0
    draws: int = 3


def check(case: Derived) -> Symmetry:
    """Return what ``find`` says, after asserting that it is true, and all of the derived answer.

    Args:
        case: The model and its answer.
    """
    torch.manual_seed(case.seed)
    model = case.build().double().eval()
    generator = torch.Generator().manual_seed(case.seed)
    args = case.inputs(generator)
    symmetry = find(model, args)
    assert not symmetry.uncovered, symmetry.uncovered
    params = generic_params(model, generator=generator)
    for factor, error, way in factor_errors(model, symmetry, params, args, generator=generator):
        assert error < 1e-10, f"{group_name(factor)} on {factor.tensors}: {error:.1e}"
        assert way > 1e-3
    found = sorted(group_name(factor) for factor in symmetry.factors)
    assert found == sorted(case.expected), found
    left = _unexplained(model, symmetry, params, [args, *(case.inputs(generator) for _ in range(case.draws - 1))])
    assert left == case.rest, f"{left} null directions are left"
    return symmetry


def _unexplained(model: nn.Module, symmetry: Symmetry, params: Params, draws: list[tuple[Tensor, ...]]) -> int:
    """Return how many directions in which the outputs stand still are not tangent to the orbit."""
    names = moving(model, train=False)
    matrix = jacobian(model, names, params, draws)
    still, above, below = nullity(matrix)
    assert above > 1e-9
    assert below < 1e-13
    rows = [
        torch.cat([(tangent[n] if n in tangent else torch.zeros_like(params[n])).flatten() for n in names])
        for _, tangent in symmetry.generators(params)
    ]
    if not rows:
        return still
    span = torch.stack(rows)
    assert float((matrix @ span.T).abs().max()) < 1e-9
    return still - int(torch.linalg.matrix_rank(span, rtol=1e-10))
