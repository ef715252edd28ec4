r"""What rounding does to the outputs of a model: every operation is rounded at random, and the outputs are compared.

A right claim fails a fixed tolerance where a model is badly conditioned: a shift of size one that is taken back from activations
of size 1e-9 leaves an error of 1e-7. How large that error may be is not guessed but measured, by evaluating the model with
every result :math:`y` of an operation replaced by :math:`y (1 + \delta)`, :math:`|\delta| \le \varepsilon` drawn anew for
every entry. What changes the outputs thirty times as much is no rounding.

References:
    Parker. Monte Carlo arithmetic: exploiting randomness in floating-point arithmetic. 1997.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from parasym.core import Params, Tolerance, Verdict, tolerance_for
from parasym.functional.evaluator import Evaluator
from parasym.functional.outputs import output_error
from parasym.functional.points import Point

_MARGIN = 30.0
"""Rounding as it is does at most 1.3 times what rounding at random does in the mobilenets and mnasnets of torchvision."""
_DRAWS = 6
"""A rectifier may hide what one of them does."""


@dataclass(frozen=True)
class Change:
    """How an action on the parameters changes the outputs at a point.

    Attributes:
        error: Largest relative change of an output.
        rounding: What rounding may do there; zero where nobody needs to know, because the error is negligible or no number.
        tolerance: What counts as equal, and as different.
    """

    error: float
    rounding: float
    tolerance: Tolerance

    @property
    def holds(self) -> Verdict:
        """Whether the outputs are the same; "unsure" where nothing can be seen."""
        if math.isnan(self.error) or self.blind:
            return "unsure"
        if self.error <= max(self.tolerance.holds, self.rounding):
            return "yes"
        return "no"

    @property
    def blind(self) -> bool:
        """Whether nothing can be seen at this point, because rounding may do more than what counts as different."""
        return self.error <= self.rounding > self.tolerance.fails

    def __str__(self) -> str:
        """Return what rounding does, if it does much."""
        return f"rounding may change the outputs by {self.rounding:.0e}" if self.rounding > self.tolerance.holds else ""


def change_at(run: Evaluator, point: Point, moved: Params, act: Callable[[Params], Params], generator: torch.Generator) -> Change:
    """Return by how much an action on the parameters changes the outputs at a point.

    Args:
        run: The model.
        point: Parameters, inputs, outputs.
        moved: Where the action takes the parameters.
        act: The action, which is done again with random rounding if need be.
        generator: Source of the random rounding.

    Example:
        >>> from torch import nn
        >>> from parasym.functional import Call
        >>> from parasym.functional.evaluator import evaluator
        >>> class Cancels(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.a, self.b = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(3))
        ...     def forward(self, x):
        ...         return (x + self.a) + self.b
        >>> run, params = evaluator(Cancels(), torch.float64, 0)
        >>> x = Call((torch.tensor([1e-9, 2e-9, 3e-9], dtype=torch.float64),))
        >>> point = Point(params, x, run(params, x))
        >>> shift = torch.tensor([0.3, 0.7, 0.9], dtype=torch.float64)
        >>> generator = torch.Generator().manual_seed(0)
        >>> def found(t):
        ...     act = lambda p: {"a": p["a"] + shift, "b": p["b"] - t * shift}
        ...     return change_at(run, point, act(params), act, generator)
        >>> right, wrong = found(1), found(1 + 1e-11)
        >>> right.error > 1e-10, right.error < right.rounding, wrong.error < wrong.rounding
        (True, True, False)
    """
    tolerance = tolerance_for(run.dtype)
    with torch.no_grad():
        outputs = run(moved, point.inputs)
        error = output_error(point.outputs, outputs)
        if not tolerance.holds < error < math.inf:
            return Change(error, 0.0, tolerance)
        most = 0.0
        for _ in range(_DRAWS):
            if error <= _MARGIN * most:
                break
            with RandomRounding(generator):
                here, there = run(point.params, point.inputs), run(act(point.params), point.inputs)
            changes = (output_error(point.outputs, here), output_error(outputs, there, point.outputs))
            most = math.inf if any(map(math.isnan, changes)) else max(most, *changes)
    return Change(error, _MARGIN * most, tolerance)


class RandomRounding(TorchDispatchMode):
    """Rounds every floating-point result of an operation up or down at random, by about the last bit of its type.

    Whole numbers are exact, and so is what is only looked at in another shape.

    Args:
        generator: Source of randomness, on the CPU.
    """

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self._generator = generator

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if all(result.alias_info is None for result in func._schema.returns):
            return pytree.tree_map_only(Tensor, self._rounded, found) if _has_tensor(args) else found
        if isinstance(found, Tensor) and any(result.alias_info.is_write for result in func._schema.returns):
            found.copy_(self._rounded(found))
        return found

    def _rounded(self, x: Tensor) -> Tensor:
        if not (x.is_floating_point() or x.is_complex()) or x.numel() == 0:
            return x
        signs = torch.randint(0, 2, x.shape, generator=self._generator).mul_(2).sub_(1).to(x.device)
        rounded = x * (1 + signs.to(x.dtype) * torch.finfo(x.dtype).eps)
        return rounded if x.is_complex() else torch.where(x == x.round(), x, rounded)


def _has_tensor(args: tuple[Any, ...]) -> bool:
    return any(isinstance(leaf, Tensor) for leaf in pytree.tree_leaves(args))
