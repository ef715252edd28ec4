"""A fast capture: one forward pass on tensors without numbers, written down operation by operation.

``torch.export`` does the same with many checks and takes several times as long. The graph made here is used only if
rules cover all of it; in every other case (an uncovered operation, writes into views, Python that needs numbers) the
model is exported, and what export says holds.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from parasym.find.capture import Capture, aliases, is_state, named_tensors, numbers
from parasym.find.numberless import Numberless, results, without_numbers


class Untraceable(Exception):
    """The model must be exported instead."""


def trace(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> Capture:
    """Return a model as a graph, from one pass on tensors without numbers; the model is left as it was.

    Args:
        model: Any module.
        args: Example inputs; only their shapes and types matter.
        kwargs: Example keyword inputs.

    Raises:
        Untraceable: If the pass fails or does something that only ``torch.export`` can handle.
    """
    if any(isinstance(module, nn.RNNBase) for module in model.modules()):
        raise Untraceable  # a pass unrolls a recurrence, which export keeps as one operation
    named = named_tensors(model)
    first, tied = aliases(named)
    recorder = _Recorder()
    out = Capture(recorder.graph, shapes={k: tuple(v.shape) for k, v in named.items()}, tied=tied)
    try:
        with _untouched(model), warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            bare = {name: recorder.placeholder(named[name]) for name in dict.fromkeys(first.values())}
            for name, x in bare.items():
                _name_placeholder(out, recorder.node(x), name, named[name])
            bare_input = lambda x: recorder.placeholder(x) if isinstance(x, Tensor) else x  # noqa: E731
            inputs = pytree.tree_map(bare_input, (args, dict(kwargs or {})))
            every: dict[str, Tensor] = {name: bare[one] for name, one in first.items()}
            with recorder:
                result = torch.func.functional_call(model, every, *inputs, tie_weights=False)
    except Exception as error:
        raise Untraceable from error
    leaves = pytree.tree_leaves(result)
    if any(not isinstance(x, Tensor | int | float | bool | str | type(None)) for x in leaves):
        raise Untraceable
    recorder.graph.output(tuple(recorder.node(x) for x in leaves if isinstance(x, Tensor)))
    out.constants |= recorder.constants
    return out


def _name_placeholder(out: Capture, node: fx.Node, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, nn.Parameter):
        out.parameters[node.name] = name
    elif is_state(name):
        out.states[node.name] = name
    else:
        out.constants[node.name] = numbers(tensor)


@contextmanager
def _untouched(model: nn.Module) -> Iterator[None]:
    """Keep attributes that ``forward`` sets, such as caches, from outliving the pass, and use no fused kernels."""
    # Lists are copied because recurrent layers keep their weights in one, and every table of tensors because a module
    # that is reached by two names is not restored by functional_call.
    before = [
        (
            module,
            {k: list(v) if type(v) is list else v for k, v in module.__dict__.items()},
            dict(module._parameters),
            dict(module._buffers),
        )
        for module in model.modules()
    ]
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, attributes, parameters, buffers in before:
            module.__dict__.clear()
            module.__dict__.update(attributes)
            _refill(module._parameters, parameters)
            _refill(module._buffers, buffers)


def _refill(table: dict[str, Any], contents: dict[str, Any]) -> None:
    table.clear()
    table.update(contents)


class _Recorder(TorchDispatchMode):
    """Writes every operation into a graph."""

    def __init__(self) -> None:
        super().__init__()
        self.graph = fx.Graph()
        self.constants: dict[str, Tensor | None] = {}
        self._nodes: dict[int, fx.Node] = {}
        self._alive: list[Any] = []

    def placeholder(self, x: Tensor) -> Numberless:
        """Return ``x`` without its numbers, known to the graph."""
        bare = without_numbers(x)
        self._remember(self.graph.placeholder(f"input_{len(self._alive)}"), bare)
        return bare

    def node(self, x: Tensor) -> fx.Node:
        """Return the node of a tensor; one that no operation has made is a constant."""
        if id(x) in self._nodes:
            return self._nodes[id(x)]
        node = self.graph.get_attr(f"constant_{len(self._alive)}")
        self.constants[node.name] = numbers(x)
        self._remember(node, x)
        return node

    def _remember(self, node: fx.Node, x: Any) -> None:
        node.meta["val"] = x
        if isinstance(x, Tensor):
            self._nodes[id(x)] = node
        self._alive.append(x)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = results(func, args, kwargs)
        if not isinstance(out, Tensor) and not any(isinstance(x, Tensor) for x in pytree.tree_leaves(out)):
            return out
        as_node = lambda x: self.node(x) if isinstance(x, Tensor) else x  # noqa: E731
        node = self.graph.call_function(func, _map(as_node, args), {k: _map(as_node, v) for k, v in kwargs.items()})
        if isinstance(out, Tensor):
            self._remember(node, out)
            return out
        node.meta["val"] = out
        self._alive.append(out)
        for k, part in enumerate(out):
            if isinstance(part, Tensor):
                self._remember(self.graph.call_function(_getitem, (node, k)), part)
        return out


def _map(fn: Callable[[Any], Any], x: Any) -> Any:
    return type(x)([_map(fn, part) for part in x]) if isinstance(x, tuple | list) else fn(x)


def _getitem(values: Any, index: int) -> Any:
    return values[index]


_getitem.__name__ = "getitem"
