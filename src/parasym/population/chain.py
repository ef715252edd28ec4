"""Models that call layers one after the other, read from their forward by ``torch.fx``."""

import copy
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

_FUNCTIONS: dict[Any, type[nn.Module]] = {
    **dict.fromkeys((torch.relu, functional.relu, "relu"), nn.ReLU),
    **dict.fromkeys((torch.tanh, functional.tanh, "tanh"), nn.Tanh),
    **dict.fromkeys((torch.sigmoid, functional.sigmoid, "sigmoid"), nn.Sigmoid),
    **dict.fromkeys((torch.flatten, "flatten"), nn.Flatten),
    functional.gelu: nn.GELU,
    functional.silu: nn.SiLU,
}
"""Functions and methods that are layers without parameters, with the arguments of the layer."""
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def chain_of(model: nn.Module) -> list[nn.Module]:
    """Return the layers that a model calls one after the other, each on what the one before returns; nothing if it does more.

    What a trace does not show is not seen: a forward that writes into a buffer, or that counts.

    Args:
        model: Any module. It is left as it was.

    Example:
        >>> class Net(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.up, self.down = nn.Linear(4, 5), nn.Linear(5, 3)
        ...     def forward(self, x):
        ...         return self.down(self.up(x.flatten(1)).relu())
        >>> [type(layer).__name__ for layer in chain_of(Net())]
        ['Flatten', 'Linear', 'ReLU', 'Linear']
    """
    if any("forward" in vars(m) or any(len(getattr(m, kind)) for kind in _HOOKS) for m in model.modules()):
        return []
    if not list(model.children()):
        return [model]
    try:
        graph = fx.Tracer().trace(copy.deepcopy(model))
    except Exception:  # it asks for numbers, or is made of more than fx knows: not a chain
        return []
    return _layers(graph, model)


def _layers(graph: fx.Graph, model: nn.Module) -> list[nn.Module]:
    found: list[nn.Module] = []
    current: fx.Node | None = None
    for node in graph.nodes:
        if node.op == "placeholder" and (current is None or not node.users):
            current = current or node
        elif node.op == "output":
            return found if node.args == (current,) else []
        else:
            layer = _layer(node, model)
            if current is None or layer is None or node.all_input_nodes != [current]:
                return []
            found += [] if isinstance(layer, nn.Identity) else [layer]
            current = node
    return []


def _layer(node: fx.Node, model: nn.Module) -> nn.Module | None:
    """Return the layer that an operation is, ``None`` if it is none."""
    arguments = node.args[1:]
    if node.op == "call_module":
        return None if arguments or node.kwargs else model.get_submodule(str(node.target))
    kind = _FUNCTIONS.get(node.target)
    if kind is None or not node.args:
        return None
    options: dict[str, Any] = {key: value for key, value in node.kwargs.items() if key != "inplace"}
    if kind is nn.Flatten:  # the function flattens all axes, the layer all but the first
        options = dict(zip(("start_dim", "end_dim"), arguments, strict=False)) | options
        return nn.Flatten(**{"start_dim": 0} | options)
    return kind(**options) if not arguments and set(options) <= {"approximate"} else None
