"""The graph of a program: operations one after the other, each looked up in a list before anything runs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from parasym.checkpoint.exported.argument import Values, names_in, only, value_of
from parasym.checkpoint.exported.operators import CHECKS, PREFIX, find_operator
from parasym.checkpoint.exported.refused import Refused

NESTING = "torch.ops.higher_order."


@dataclass(frozen=True)
class Step:
    """One operation.

    Attributes:
        call: What is called.
        inputs: Arguments as ``(name, keyword, data)``.
        graphs: Graphs among the arguments, by their place.
        outputs: Names that the results get; a list for one that is a list.
    """

    call: Callable[..., Any]
    inputs: tuple[tuple[str, bool, Any], ...]
    graphs: "Mapping[int, Graph]"
    outputs: tuple[Any, ...]

    def run(self, values: Values) -> None:
        """Call it and keep its results.

        Args:
            values: What names stand for; gets the results.
        """
        args, kwargs = [], {}
        for place, (name, keyword, data) in enumerate(self.inputs):
            value = self.graphs[place] if place in self.graphs else value_of(data, values)
            if keyword:
                kwargs[name] = value
            else:
                args.append(value)
        result = self.call(*args, **kwargs)
        if len(self.outputs) == 1:
            single = isinstance(result, (tuple, list)) and not isinstance(self.outputs[0], list) and len(result) == 1
            _keep(values, self.outputs[0], result[0] if single else result)
        elif self.outputs:
            for names, part in zip(self.outputs, result, strict=True):
                _keep(values, names, part)


@dataclass(frozen=True)
class Graph:
    """Operations, with what goes in and what comes out.

    Attributes:
        inputs: Names of the inputs; ``None`` for a constant.
        steps: The operations.
        outputs: What comes out, as data.
        single: Whether the only output comes out as it is, and not in a tuple.
    """

    inputs: tuple[str | None, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Any, ...]
    single: bool

    def __call__(self, *inputs: Any) -> Any:
        """Return what the graph computes.

        Args:
            *inputs: One per input.
        """
        values: Values = {name: value for name, value in zip(self.inputs, inputs, strict=True) if name is not None}
        for step in self.steps:
            step.run(values)
        results = tuple(value_of(data, values) for data in self.outputs)
        return results[0] if self.single else results


def read_graph(data: Any) -> Graph:
    """Return a graph, after looking up every operation in it.

    Args:
        data: JSON.

    Raises:
        Refused: If it calls anything but operations of tensors.
    """
    steps = tuple(_step(node) for node in data["nodes"] if not _is_check(node["target"]))
    inputs = tuple(names_in(each)[0] for each in data["inputs"])
    return Graph(inputs, steps, tuple(data["outputs"]), bool(data.get("is_single_tensor_return")))


def _is_check(target: Any) -> bool:
    # Checks of precisions and devices, which are others here; wrong shapes are noticed by the operations.
    return isinstance(target, str) and target.removeprefix(PREFIX).startswith(CHECKS)


def _step(node: Any) -> Step:
    inputs = tuple((each["name"], each.get("kind") == 2, each["arg"]) for each in node["inputs"])
    nested = {place: only(data)[1] for place, (_, _, data) in enumerate(inputs) if only(data)[0] == "as_graph"}
    graphs = {place: read_graph(data["graph"]) for place, data in nested.items()}
    target = node["target"]
    if not isinstance(target, str):
        raise Refused("it calls something without a name")
    if target.startswith(NESTING):
        call = NESTED.get(target.removeprefix(NESTING))
        if call is None:
            raise Refused(f"it calls `{target}`, which runs graphs in a way that is not read")
    else:
        if graphs:
            raise Refused(f"it hands a graph to `{target}`")
        call = find_operator(target)
    return Step(call, inputs, graphs, tuple(_output(each) for each in node["outputs"]))


def _output(data: Any) -> Any:
    names = names_in(data)
    return names if only(data)[0].endswith("s") else names[0]


def _keep(values: Values, names: Any, result: Any) -> None:
    if isinstance(names, list):
        for name, part in zip(names, result, strict=True):
            _keep(values, name, part)
    elif names is not None:
        values[names] = result


def _with_gradients(enabled: bool, graph: Graph, *inputs: Any) -> Any:
    with torch.set_grad_enabled(enabled and torch.is_grad_enabled()):
        return graph(*inputs)


def _with_autocast(_device: str, dtype: Any, enabled: bool, cache: Any, graph: Graph, *inputs: Any) -> Any:
    with torch.autocast("cpu", dtype=dtype, enabled=enabled, cache_enabled=cache):
        return graph(*inputs)


def _condition(condition: Any, yes: Graph, no: Graph, inputs: Sequence[Any] = ()) -> Any:
    return torch.ops.higher_order.cond(condition, yes.__call__, no.__call__, tuple(inputs))


NESTED: Mapping[str, Callable[..., Any]] = {
    "wrap_with_set_grad_enabled": _with_gradients,
    "wrap_with_autocast": _with_autocast,
    "cond": _condition,
}
"""Operations that run graphs, and how each is done here."""
