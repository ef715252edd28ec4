"""The verb: a model without the symmetries of its architecture."""

import time
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from parasym.breaking._table import METHODS
from parasym.breaking.count import trainable_count
from parasym.breaking.drawing import DRAWING
from parasym.breaking.loading import write_recipe_
from parasym.breaking.method import AbstractBreaking
from parasym.breaking.recipe import Recipe, Step, digest
from parasym.breaking.report import BreakReport
from parasym.breaking.w_asymmetric import WAsymmetric
from parasym.core import BadInputError
from parasym.core.arguments import as_module, described
from parasym.functional import example_call


@dataclass(frozen=True, eq=False)
class BrokenModel:
    """A model whose architecture has fewer symmetries, and what was done to it.

    Attributes:
        model: The module.
        report: What was broken, what was left and why, and the cost.
    """

    model: nn.Module
    report: BreakReport

    def __str__(self) -> str:
        """Return the report as text."""
        return str(self.report)


def break_(
    model: nn.Module,
    method: AbstractBreaking | Recipe | None = None,
    inputs: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    generator: torch.Generator | None = None,
) -> BrokenModel:
    r"""Return a copy of ``model`` whose architecture has fewer parameter symmetries, or none, with a report.

    :class:`WAsymmetric` replaces some entries of every weight by constants, :class:`SigmaAsymmetric` replaces every
    activation by one that mixes channels. Either way two hidden units are no longer interchangeable. The report says what is
    left: neither method can reach freedoms that no weight of theirs bears.

    Two models that are to be compared, averaged or trained in one population must be broken by the *same* method with the
    *same* seed: what is frozen is part of the architecture. The recipe travels in the state of the model, and the state of a
    model that was broken otherwise is refused. The function of the new model is another one than that of the
    given model, so break first and train then.

    Args:
        model: Any module. It is neither modified nor shared with the result.
        method: How to break; ``WAsymmetric()`` if ``None``. A recipe from `recipe_of` breaks as that model was broken.
        inputs: Example inputs, as ``find`` takes them. With them weights are told by the graph of the model rather than by the
            types of its modules, and the report knows what is left.
        kwargs: Example keyword inputs.
        generator: Source of new initial weights, on the CPU, where the method asks for them; torch's own if ``None``.

    Returns:
        The new module with the same inputs and outputs, as ``.model``, and the report, as ``.report``.

    Raises:
        BadInputError: If the model has nothing to break, or cannot be broken as asked.

    Example:
        >>> from torch import nn
        >>> from parasym.find import find
        >>> model, x = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)), torch.zeros(2, 4)
        >>> broken = break_(model, WAsymmetric(frozen=2, seed=0), x)
        >>> [find(m, x).order for m in (model, broken.model)]
        [120, 1]
        >>> [find(m, x).dimension for m in (model, broken.model)]
        [5, 0]
        >>> broken.report.trained, broken.report.parameters, broken.report.left[0].names
        (27, 43, ('0.bias', '2.bias'))

        Zeros pin no scale: frozen entries of standard deviation 0 leave the five scales of the ReLU.

        >>> break_(model, WAsymmetric(frozen=2, std=0.0), x).report.symmetry.dimension
        5

    References:
        Lim, Putterman, Walters, Maron, Jegelka. The empirical impact of neural parameter symmetries, or lack
        thereof. NeurIPS 2024, https://arxiv.org/abs/2405.20231
    """
    model = as_module(model, "model", "break_(model, method, inputs)")
    method = WAsymmetric() if method is None else method
    if not isinstance(method, AbstractBreaking | Recipe):
        raise BadInputError(
            "Argument `method` must be a way to break, such as WAsymmetric() or SigmaAsymmetric(), but is "
            f"{described(method)}. The call is break_(model, method, inputs)."
        )
    start, broken = time.perf_counter(), _copied(model)
    call = None if inputs is None and kwargs is None else example_call(inputs, kwargs, model=model)
    if isinstance(method, Recipe):
        report = _replayed(broken, method)
    else:
        report, plan = method.apply(broken, call, generator=generator)
        name = next((name for name, kind in METHODS.items() if kind is type(method)), type(method).__name__)
        write_recipe_(broken, Step(name, method.options(), plan))
    return BrokenModel(broken, report.of(broken, trainable_count(model), seconds=time.perf_counter() - start))


def _replayed(model: nn.Module, recipe: Recipe) -> BreakReport:
    """Break a model as another one was, in place."""
    unknown = [step.method for step in recipe.steps if step.method not in METHODS]
    if unknown or recipe.drawing != DRAWING or not recipe.steps:
        why = f"its method {unknown[0]} is not known" if unknown else f"its constants are of drawing {recipe.drawing}"
        raise BadInputError(
            f"The recipe cannot be followed: {why}. Break the model by the same method, which is {recipe}, and load the "
            "state that the recipe is from."
        )
    reports = []
    for step in recipe.steps:
        reports.append(METHODS[step.method].replay(model, step.options, step.plan))
        write_recipe_(model, step)
    if digest(model) != recipe.digest:
        raise BadInputError(
            "The recipe makes other constants here than where it was written: another version of torch or another processor "
            "draws other numbers. Break the model by the recipe's method and keep to constants of one machine."
        )
    broken = [one for report in reports for one in report.broken]
    return BreakReport(str(recipe), tuple(broken), reports[-1].left)


def _copied(model: nn.Module) -> nn.Module:
    """Return a copy, also of a module that keeps a result of autograd, as the old ``spectral_norm`` does."""
    results = {id(x): x for m in model.modules() for x in vars(m).values() if isinstance(x, Tensor) and x.grad_fn is not None}
    return deepcopy(model, {key: x.detach().clone() for key, x in results.items()})
