"""Whether one element leaves one model's function unchanged."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from parasym.core import Params, Verdict
from parasym.functional import example_call
from parasym.functional.call import cast
from parasym.functional.evaluator import evaluator
from parasym.functional.points import Point
from parasym.functional.rounding import change_at
from parasym.symmetry import Element


@dataclass(frozen=True)
class Sameness:
    """How far an element moves the function of a model.

    Attributes:
        holds: Whether it is the same, at the tolerance of float64, or up to what rounding may do there.
        error: Largest difference of outputs, relative to the largest output.
    """

    holds: Verdict
    error: float


def same_function(
    model: nn.Module | ExportedProgram,
    element: Element,
    params: Params,
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
) -> Sameness:
    """Compare a model at ``params`` and at ``element(params)``, in float64.

    :func:`verify` proves a whole symmetry; this looks at one element and one point, such as what ``match`` returned.

    Args:
        model: The model.
        element: What moves the parameters.
        params: Parameters and buffers by name.
        args: Inputs to compare at, as :func:`verify` takes them.
        kwargs: Further keyword arguments.

    Returns:
        Whether the function is the same there, and by how much it is not.

    Example:
        >>> from torch import nn
        >>> from parasym.core import model_params
        >>> from parasym.find import find
        >>> relu, tanh = (nn.Sequential(nn.Linear(4, 5), a, nn.Linear(5, 3)) for a in (nn.ReLU(), nn.Tanh()))
        >>> x = torch.randn(8, 4)
        >>> g = find(relu, (x,)).sample(generator=torch.Generator().manual_seed(0))
        >>> [same_function(net, g, model_params(net), (x,)).holds for net in (relu, tanh)]
        ['yes', 'no']
    """
    run, _ = evaluator(model, torch.float64, 0)
    before = {name: cast(value, torch.float64) for name, value in params.items()}
    call = example_call(args, kwargs, model=model if isinstance(model, nn.Module) else None)
    inputs = call.to(dtype=torch.float64)
    with torch.no_grad():
        point = Point(before, inputs, run(before, inputs))
    act = element.to(torch.float64)
    change = change_at(run, point, act(before), act, torch.Generator().manual_seed(0))
    return Sameness(change.holds, change.error)
