"""What the graph of a model says of its weights: which are linear maps, and which freedoms there are."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn

from parasym.core import CaptureError
from parasym.find import LinearMap, find, linear_maps, lowered_model, solve
from parasym.functional import Call
from parasym.symmetry import Symmetry


@dataclass(frozen=True)
class Graph:
    """A model as `find` reads it.

    Attributes:
        call: The inputs it was read with.
        maps: Its linear maps, by the name of the parameter.
        symmetry: Its symmetry, as `symmetry_of` says it.
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
    trained = all(x.requires_grad for x in model.parameters())
    return Graph(call, linear_maps(lowered.program), solve(named, lowered) if trained else symmetry_of(model, call)), ""


def symmetry_of(model: nn.Module, call: Call) -> Symmetry:
    """Return the symmetry of what is trained: parameters that are not are constants, whose numbers tell channels apart.

    Args:
        model: Any module.
        call: Example inputs.
    """
    with _untrained_as_constants(model):
        return find(model, call)


@contextmanager
def _untrained_as_constants(model: nn.Module) -> Iterator[None]:
    """Let parameters that are not trained be buffers for a while."""
    before = [(module, dict(module._parameters), dict(module._buffers)) for module in model.modules()]
    constants = {id(x): x.detach() for x in model.parameters() if not x.requires_grad}  # a tied one stays tied
    try:
        for module, parameters, _ in before:
            for name, x in parameters.items():
                if id(x) in constants:
                    del module._parameters[name]
                    module._buffers[name] = constants[id(x)]
        yield
    finally:
        for module, parameters, buffers in before:
            for table, kept in ((module._parameters, parameters), (module._buffers, buffers)):
                table.clear()
                table.update(kept)  # pyright: ignore[reportArgumentType, reportCallIssue]
