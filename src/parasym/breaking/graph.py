"""What the graph of a model says of its weights: which are linear maps, and which freedoms there are."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from parasym.core import CaptureError
from parasym.find import LinearMap, linear_maps, lowered_model, solve
from parasym.functional import Call
from parasym.symmetry import Symmetry


@dataclass(frozen=True)
class Graph:
    """A model as `find` reads it.

    Attributes:
        call: The inputs it was read with.
        maps: Its linear maps, by the name of the parameter.
        symmetry: Its symmetry.
    """

    call: Call
    maps: Mapping[str, LinearMap]
    symmetry: Symmetry


def read_graph(model: nn.Module, call: Call | None) -> tuple[Graph | None, str]:
    """Return the graph of a model, or why there is none.

    Args:
        model: Any module.
        call: Example inputs, ``None`` if there are none.
    """
    if call is None:
        return None, "without `inputs` its use is not known"
    try:
        named, lowered = lowered_model(model, call.args, call.kwargs)
    except CaptureError as error:
        return None, f"its use is not known, because the graph cannot be read: {str(error).partition('. ')[0]}"
    return Graph(call, linear_maps(lowered.program), solve(named, lowered)), ""
