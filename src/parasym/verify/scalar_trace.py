"""From a model to its scalar graph, by way of torch.export and independent of the rules of `find`."""

import operator
import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.export.graph_signature import InputKind
from torch.fx import Node
from torch.utils import _pytree as pytree

from parasym.core import BadInputError
from parasym.verify.scalar_graph import ScalarGraph
from parasym.verify.scalar_operations import COMMUTATIVE, COPIES, MOVES, OPERATIONS, plus, reduced, times, zipped

aten = torch.ops.aten


class Nodes:
    """A tensor of node numbers, as opposed to a tensor of known numbers."""

    def __init__(self, index: Tensor) -> None:
        self.index = index


def trace(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], free: set[str]
) -> tuple[ScalarGraph, dict[str, Tensor], list[int]]:
    """Return the scalar graph of a model, the leaves of its free parameters by name, and the output nodes.

    Numbers that depend on no free parameter and no floating-point input are constants.

    Args:
        model: A small module.
        args: Positional inputs.
        kwargs: Keyword inputs.
        free: Names of the parameters and buffers whose entries may be exchanged.

    Raises:
        BadInputError: If an operation has no scalar form here; the message names it.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`isinstance", FutureWarning)  # torch.export uses what it deprecates
        program = torch.export.export(model, args, kwargs).run_decompositions()
    graph, parameters, env = ScalarGraph(), {}, {}
    stored = {**program.state_dict, **program.constants, **dict(program.named_buffers())}
    inputs = iter(pytree.tree_leaves((args, kwargs)))
    for spec in program.graph_signature.input_specs:
        name = getattr(spec.arg, "name", "")
        if spec.kind == InputKind.USER_INPUT:
            value = next(inputs)
            known = not isinstance(value, Tensor) or not value.is_floating_point()
            env[name] = value if known else Nodes(graph.leaves(value.shape, lambda k, name=name: ("input", name, k)))
            continue
        target = str(spec.target)
        if target in free:
            parameters[target] = graph.leaves(stored[target].shape, lambda _: "parameter")
            env[name] = Nodes(parameters[target])
        else:
            env[name] = stored[target].detach()
    outputs: list[int] = []
    for node in program.graph.nodes:
        if node.op == "call_function":
            env[node.name] = _call(graph, node, env)
        elif node.op == "output":
            wanted = set(program.graph_signature.user_outputs)
            found = [env[n.name] for n in node.args[0] if isinstance(n, Node) and n.name in wanted]
            outputs = [k for value in found if isinstance(value, Nodes) for k in value.index.reshape(-1).tolist()]
    return graph, parameters, outputs


def _call(graph: ScalarGraph, node: Node, env: dict[str, Any]) -> Any:
    args, kwargs = pytree.tree_map(lambda a: env[a.name] if isinstance(a, Node) else a, (tuple(node.args), dict(node.kwargs)))
    target: Any = node.target
    if target is operator.getitem:
        return args[0][args[1]]
    if not any(isinstance(leaf, Nodes) for leaf in pytree.tree_leaves((args, kwargs))):
        return target(*args, **kwargs)
    packet = getattr(target, "overloadpacket", target)
    if packet in COPIES:
        return (args[0], None) if packet is aten.native_dropout else args[0]
    if packet in MOVES or packet in OPERATIONS:
        args, kwargs = _lifted(graph, packet, args), {k: v for k, v in kwargs.items() if k not in {"dtype", "memory_format"}}
        try:
            out = target(*args, **kwargs) if packet in MOVES else OPERATIONS[packet](graph, *args, **kwargs)
        except NotImplementedError as error:
            raise BadInputError(f"The scalar graph has no form for {error} ({node.target}).") from error
        return pytree.tree_map(lambda x: Nodes(x) if isinstance(x, Tensor) else x, out)
    if torch.Tag.pointwise in target.tags:
        return Nodes(_pointwise(graph, packet, args, kwargs))
    if packet in {aten.var, aten.std, aten.linalg_vector_norm}:
        dims = next((a for a in args[1:] if isinstance(a, list)), None)
        keep = bool(kwargs.get("keepdim", args[-1] is True))
        return Nodes(reduced(lambda s: graph.node(str(packet), s), args[0].index, dims, keepdim=keep))
    raise BadInputError(f"The scalar graph has no form for {node.target}. Compare a model without it.")


def _lifted(graph: ScalarGraph, packet: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return arguments with node numbers unwrapped, and known numbers turned into nodes where both may stand."""
    both = packet in OPERATIONS or packet in {aten.cat, aten.stack, aten.where}

    def lift(x: Any) -> Any:
        if isinstance(x, Nodes):
            return x.index.contiguous()  # node numbers have no strides of their own
        return graph.constants(x) if both and isinstance(x, Tensor) and x.dtype != torch.bool else x

    args = pytree.tree_map(lift, args)
    if packet is aten.constant_pad_nd:
        return (*args[:2], graph.constant(args[2] if len(args) > 2 else 0.0))
    return args


def _pointwise(graph: ScalarGraph, packet: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    options = tuple(sorted((k, str(v)) for k, v in kwargs.items() if k not in {"dtype", "memory_format"}))
    if packet in COMMUTATIVE or packet in {aten.sub, aten.div}:
        args = tuple(torch.tensor(float(a)) if isinstance(a, (int, float)) else a for a in args)
    values = [a.index if isinstance(a, Nodes) else graph.constants(a) for a in args if isinstance(a, (Nodes, Tensor))]
    rest = tuple(str(a) for a in args if not isinstance(a, (Nodes, Tensor)))
    if packet is aten.add and not options:
        return plus(graph, values[0], values[1])
    if packet is aten.sub and not options:
        return plus(graph, values[0], zipped(lambda b: graph.product([graph.constant(-1.0), b]), values[1]))
    if packet is aten.mul:
        return times(graph, values[0], values[1])
    color = (str(packet), rest, options)
    make = graph.node if packet in COMMUTATIVE else graph.ordered
    return zipped(lambda *xs: make(color, xs), *values)
