"""From a model to a graph of ATen operations, with the numbers of its constants."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from parasym.core import CaptureError, is_state


@dataclass
class Named:
    """The tensors of a model.

    Attributes:
        shapes: Shape of every parameter and buffer.
        tied: ``(name, first name)`` of tied tensors.
        moving: Names of the parameters, and of the buffers that move with them.
        read: Names of the constants that the function depends on.
    """

    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    tied: tuple[tuple[str, str], ...] = ()
    moving: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)


@dataclass
class Capture:
    """A model as a graph.

    Attributes:
        graph: The graph of ATen operations; its placeholders are named by the dictionaries below.
        named: The tensors of the model.
        parameters: Placeholder to parameter name (the first name of a tied tensor).
        states: Placeholder to the name of a buffer that moves with the parameters.
        constants: Placeholder or attribute to the numbers of a constant, ``None`` where they are not known.
        updates: Names of the outputs that are new values of buffers rather than results.
    """

    graph: fx.Graph
    named: Named
    parameters: dict[str, str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    constants: dict[str, Tensor | None] = field(default_factory=dict)
    updates: frozenset[str] = frozenset()


def export(
    model: nn.Module | ExportedProgram, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None, *, level: str = "as written"
) -> Capture:
    """Return a model as the graph that ``torch.export`` makes, without running it on numbers.

    Args:
        model: A module or an exported program.
        args: Example inputs; only their shapes and types matter.
        kwargs: Example keyword inputs.
        level: ``as written`` keeps the operations that the model calls, ``functional`` rewrites those that write into
            their arguments, ``core`` decomposes everything to core ATen.

    Raises:
        CaptureError: If ``torch.export`` cannot trace the model.
    """
    program = model if isinstance(model, ExportedProgram) else _export(model, args, kwargs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if level == "functional":
            program = program.run_decompositions({})
        elif level == "core":
            program = program.run_decompositions()
    return _described(program, model if isinstance(model, nn.Module) else None)


def _export(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> ExportedProgram:
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            return torch.export.export(model, args, dict(kwargs or {}), strict=False)
    except Exception as error:
        first = str(error).strip().split("\n")[0]
        raise CaptureError(
            f"{type(model).__name__} cannot be exported: {type(error).__name__}: {first}. "
            "parasym reads the graph that torch.export makes, so `forward` must not branch on the values of "
            "tensors (use torch.where), and the inputs must have the shapes and types that it expects. "
            "If `torch.export.export(model, args)` works for you with other arguments, pass its result instead."
        ) from error


def _described(program: ExportedProgram, owner: nn.Module | None) -> Capture:
    """Return a capture of an exported program.

    Args:
        program: The program.
        owner: The module it was made from, if known: it tells which names are tied and what is a buffer.
    """
    tensors: dict[str, Tensor] = dict(program.state_dict) | {k: v for k, v in program.constants.items() if isinstance(v, Tensor)}
    named = dict(tensors) if owner is None else named_tensors(owner)
    first, tied = aliases(named)
    every = (program.state_dict | named).items()
    shapes = {name: tuple(t.shape) for name, t in every if name not in program.constants or owner}
    updates = frozenset(spec.arg.name for spec in program.graph_signature.output_specs if spec.target is not None)
    out = Capture(program.graph_module.graph, Named(shapes, tied), updates=updates)
    used = {node.name for node in program.graph_module.graph.nodes if node.users}
    for node in program.graph_module.graph.nodes:
        if node.op == "get_attr":
            out.constants[node.name] = getattr(program.graph_module, str(node.target), None)
    for spec in program.graph_signature.input_specs:
        name, target = spec.arg.name, spec.target
        if spec.kind is InputKind.PARAMETER and target is not None:
            out.parameters[name] = first.get(target, target)
        elif spec.kind is InputKind.BUFFER and target is not None and is_state(target):
            out.states[name] = first.get(target, target)
        elif spec.kind in (InputKind.BUFFER, InputKind.CONSTANT_TENSOR) and target is not None:
            out.constants[name] = numbers(tensors.get(target))
            if name in used and target in shapes:
                out.named.read.add(target)
    out.named.moving = set(out.parameters.values()) | set(out.states.values())
    return out


def numbers(x: Tensor | None) -> Tensor | None:
    """Return the numbers of a tensor, ``None`` if it has none.

    Args:
        x: A tensor, which may be on the meta device.
    """
    if x is None or x.is_meta or type(x).__name__ == "FakeTensor" or x.layout is not torch.strided:
        return None
    return x.detach()


def named_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return every parameter and buffer under each of its names.

    Args:
        model: Any module.
    """
    buffers = dict(model.named_buffers(remove_duplicate=False))
    return dict(model.named_parameters(remove_duplicate=False)) | buffers


def aliases(named: dict[str, Tensor]) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    """Return the first name of every tensor, and the pairs ``(name, first name)`` of tied ones.

    Args:
        named: Tensors by name.
    """
    seen: dict[Any, str] = {}
    first = {name: seen.setdefault(_identity(x), name) for name, x in named.items()}
    return first, tuple((name, one) for name, one in first.items() if name != one)


def _identity(x: Tensor) -> Any:
    if x.is_meta or type(x).__name__ == "FakeTensor" or x.numel() == 0:
        return id(x)
    return (x.data_ptr(), tuple(x.shape), x.stride(), x.dtype)
