"""Reads the graph that ``torch.export`` makes, node by node."""

from typing import Any

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree

from parasym.find.capture import Capture
from parasym.find.lower import VIEWS, Call, Lowered, Lowering, facts_of, hint, is_real, may_alias
from parasym.rules import Value
from parasym.rules.program import Kind
from parasym.symmetry import Uncovered


def needs_functionalization(graph: fx.Graph) -> bool:
    """Return whether an operation writes into a tensor of which views exist, so that the graph must be rewritten first.

    Args:
        graph: A graph of ATen operations.
    """
    for node in graph.nodes:
        if node.op == "call_function" and _writes_elsewhere(node):
            return True
        if node.op == "call_function" and _in_place(node):
            target = node.args[0]
            if not isinstance(target, fx.Node):
                return True
            written_view = target.op == "call_function" and _is_view(target)
            viewed = any(user is not node and user.op == "call_function" and _is_view(user) for user in target.users)
            if written_view or viewed:
                return True
    return False


def _writes_elsewhere(node: fx.Node) -> bool:
    """Return whether an operation writes into an argument that is not its first, as ``out=`` does; statistics are known."""
    target = node.target
    return isinstance(target, torch._ops.OpOverload) and facts_of(target).elsewhere


def _is_view(node: fx.Node) -> bool:
    """Return whether the result of an operation may share memory with its operand."""
    if _name(node) == "getitem":
        many = node.args[0]
        return not isinstance(many, fx.Node) or _is_view(many)
    return may_alias(node.target) if isinstance(node.target, torch._ops.OpOverload) else _name(node) in VIEWS


def read(capture: Capture) -> Lowered:
    """Return the program of a captured model.

    Args:
        capture: A model as a graph.
    """
    run = _Reader(capture)
    for node in capture.graph.nodes:
        run.node(node)
    run.pin_shown()
    return run.lowering.finish()


class _Reader:
    """Reads a graph of ATen operations node by node."""

    def __init__(self, capture: Capture) -> None:
        self.capture = capture
        self.lowering = Lowering()
        self.env: dict[fx.Node, Any] = {}
        self.by_name: dict[str, Value] = {}

    def node(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            self.env[node] = self._input(node)
        elif node.op == "get_attr":
            data = self.capture.constants.get(node.name)
            self.env[node] = self.lowering.known(data) if isinstance(data, Tensor) else data
        elif node.op == "output":
            fx.map_arg(node.args, self._output)
        elif node.op == "call_function":
            self.env[node] = self._call(node)
            if _in_place(node) and isinstance(node.args[0], fx.Node):
                self.env[node.args[0]] = self.env[node]

    def pin_shown(self) -> None:
        """Pin the parameters that a constant shows: moving them would change it too."""
        for constant, name in self.capture.shown.items():
            if name in self.by_name:
                self.lowering.builder.pin(self.by_name[name])
            reason = f"a constant looks at the memory of {name}, which is pinned: let `forward` use the parameter itself"
            self.lowering.uncovered.append(Uncovered(constant, reason=reason))

    def _output(self, node: fx.Node) -> None:
        if node.name not in self.capture.updates:
            self.lowering.output(self.env.get(node))

    def _input(self, node: fx.Node) -> Any:
        c, lowering = self.capture, self.lowering
        example = node.meta.get("val")
        if not isinstance(example, Tensor):
            return example
        for names, kind in ((c.parameters, Kind.PARAMETER), (c.states, Kind.STATE)):
            if node.name in names and is_real(example):
                name = names[node.name]
                if name not in self.by_name:
                    self.by_name[name] = lowering.leaf(example, kind, name)
                return self.by_name[name]
        if node.name in c.constants or node.name in c.parameters or node.name in c.states:
            return lowering.constant(c.constants.get(node.name), example, node.name)
        return lowering.leaf(example, Kind.INPUT, node.name)

    def _call(self, node: fx.Node) -> Any:
        args: Any
        kwargs: Any
        args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: self.env[n])
        example = node.meta.get("val")
        if _name(node) == "getitem":
            return args[0][args[1]] if isinstance(args[0], (tuple, list)) else args[0]
        if not isinstance(node.target, torch._ops.OpOverload):
            if not any(isinstance(x, Tensor) for x in pytree.tree_leaves(example)):
                return hint(example)  # arithmetic of shapes
            # A loop, a branch, a region without gradients, a transformation such as vmap.
            return self.lowering.opaque(Call(node.target, args, kwargs, example, node), "no rule covers this operation")
        return self.lowering.call(Call(node.target, args, kwargs, example, node))


def _name(node: fx.Node) -> str:
    target = node.target
    if isinstance(target, torch._ops.OpOverload):
        return facts_of(target).name
    return getattr(target, "__name__", str(target))


def _in_place(node: fx.Node) -> bool:
    target = node.target
    return isinstance(target, torch._ops.OpOverload) and facts_of(target).in_place
