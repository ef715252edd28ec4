"""From a model to a graph of ATen operations, with the numbers of its constants."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from parasym.core import is_state
from parasym.find.where import failed, let_go
from parasym.functional import Call
from parasym.functional.outputs import leaves
from parasym.functional.tensors import map_tensors, tensors_in

_TALKATIVE = [logging.getLogger(f"torch.{name}") for name in ("_subclasses.fake_tensor", "fx.experimental.symbolic_shapes")]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Run a model without gradients and fused kernels, and say nothing of what fails in between: the error says it."""
    disabled = [logger.disabled for logger in _TALKATIVE]
    fast = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        for logger in _TALKATIVE:
            logger.disabled = True
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for logger, was in zip(_TALKATIVE, disabled, strict=True):
            logger.disabled = was


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
        shown: Names of parameters whose memory a constant looks at, by the names of these constants.
    """

    graph: fx.Graph
    named: Named
    parameters: dict[str, str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    constants: dict[str, Tensor | None] = field(default_factory=dict)
    updates: frozenset[str] = frozenset()
    shown: dict[str, str] = field(default_factory=dict)


def export(
    model: nn.Module | ExportedProgram, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None, *, level: str = "as written"
) -> Capture:
    """Return a model as the graph that ``torch.export`` makes, without running it on numbers.

    Args:
        model: A module or an exported program.
        args: Example inputs; only their shapes and types matter.
        kwargs: Example keyword inputs.
        level: As :func:`described` takes it.

    Raises:
        CaptureError: If ``torch.export`` cannot trace the model.
    """
    owner = model if isinstance(model, nn.Module) else None
    return described(exported_program(model, args, dict(kwargs or {})), owner, level=level)


def exported_program(model: nn.Module | ExportedProgram, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ExportedProgram:
    """Return what ``torch.export`` makes of a model; a program is returned as it is.

    Args:
        model: A module or an exported program.
        args: Example inputs.
        kwargs: Example keyword inputs.

    Raises:
        CaptureError: If ``torch.export`` cannot trace the model.
    """
    if isinstance(model, ExportedProgram):
        return model
    try:
        with quiet(), contextlib.redirect_stderr(io.StringIO()):
            return _exported(model, args, kwargs)
    except Exception as error:
        failure = failed(error, model, Call(args, kwargs))
        let_go(error)
        raise failure from error


def _exported(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ExportedProgram:
    """Export a model; where it takes or returns objects that export does not know, as a function from tensors to tensors."""
    try:
        return torch.export.export(model, args, kwargs, strict=False)
    except Exception as error:
        if not any(words in str(error) for words in ("is not a known type", "Unsupported input type")):
            raise
        let_go(error)
    forward = model.forward

    def of_tensors(*tensors: Tensor) -> list[Tensor]:
        left = iter(tensors)
        inner_args, inner_kwargs = map_tensors(lambda _: next(left), (args, kwargs))
        return leaves(forward(*inner_args, **inner_kwargs))

    cast(Any, model).forward = of_tensors
    try:
        return torch.export.export(model, tuple(tensors_in((args, kwargs))), strict=False)
    finally:
        cast(Any, model).forward = forward


def described(program: ExportedProgram, owner: nn.Module | None, *, level: str = "as written") -> Capture:
    """Return a capture of an exported program.

    Args:
        program: The program.
        owner: The module it was made from, if known: it tells which names are tied and what is a buffer.
        level: ``as written`` keeps the operations that the model calls, ``functional`` rewrites those that write into
            their arguments, ``core`` decomposes everything to core ATen.

    Raises:
        CaptureError: If it cannot be rewritten.
    """
    if level != "as written":
        try:
            with quiet():
                program = program.run_decompositions({} if level == "functional" else None)
        except Exception as error:
            failure = failed(error, owner, None)
            let_go(error)
            raise failure from error
    return _described(program, owner)


def _described(program: ExportedProgram, owner: nn.Module | None) -> Capture:
    tensors: dict[str, Tensor] = dict(program.state_dict) | {k: v for k, v in program.constants.items() if isinstance(v, Tensor)}
    named = dict(tensors) if owner is None else named_tensors(owner)
    first, tied = aliases(named)
    every = (program.state_dict | named).items()
    shapes = {name: tuple(t.shape) for name, t in every if name not in program.constants or owner}
    updates = frozenset(spec.arg.name for spec in program.graph_signature.output_specs if spec.target is not None)
    out = Capture(program.graph_module.graph, Named(shapes, tied), updates=updates)
    held: dict[str, Tensor | None] = {}
    used = {node.name for node in program.graph_module.graph.nodes if node.users}
    for node in program.graph_module.graph.nodes:
        if node.op == "get_attr":
            held[node.name] = out.constants[node.name] = getattr(program.graph_module, str(node.target), None)
    for spec in program.graph_signature.input_specs:
        name, target = spec.arg.name, spec.target
        if spec.kind is InputKind.PARAMETER and target is not None:
            out.parameters[name] = first.get(target, target)
        elif spec.kind is InputKind.BUFFER and target is not None and is_state(target):
            out.states[name] = first.get(target, target)
        elif spec.kind in (InputKind.BUFFER, InputKind.CONSTANT_TENSOR) and target is not None:
            held[name] = tensors.get(target)
            out.constants[name] = numbers(held[name])
            if name in used and target in shapes:
                out.named.read.add(target)
    out.named.moving = set(out.parameters.values()) | set(out.states.values())
    where = {memory(x): name for name, x in tensors.items() if name in out.named.moving}
    for name, x in held.items():
        if x is not None and memory(x) in where and memory(x) is not None:
            out.constants[name], out.shown[name] = None, where[memory(x)]
    return out


def numbers(x: Tensor | None) -> Tensor | None:
    """Return the numbers of a tensor, ``None`` if it has none.

    Args:
        x: A tensor, which may be on the meta device.
    """
    if x is None or x.is_meta or type(x).__name__ == "FakeTensor" or x.layout is not torch.strided:
        return None
    return x.detach().resolve_conj().resolve_neg()


def named_tensors(model: nn.Module) -> dict[str, Tensor]:
    """Return every parameter and buffer under each of its names.

    Args:
        model: Any module.
    """
    parameters: dict[str, Tensor] = {}
    buffers: dict[str, Tensor] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        lead = f"{path}." if path else ""
        for found, table in ((parameters, module._parameters), (buffers, module._buffers)):
            for name, x in table.items():
                if x is not None:
                    found[lead + name] = x
    return parameters | buffers


def aliases(named: dict[str, Tensor]) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    """Return the first name of every tensor, and the pairs ``(name, first name)`` of tied ones.

    Args:
        named: Tensors by name.
    """
    seen: dict[Any, str] = {}
    first = {name: seen.setdefault(_identity(x), name) for name, x in named.items()}
    return first, tuple((name, one) for name, one in first.items() if name != one)


def _identity(x: Tensor) -> Any:
    if x.is_meta or type(x).__name__ == "FakeTensor" or x.layout is not torch.strided or x.numel() == 0:
        return id(x)
    return (x.data_ptr(), tuple(x.shape), x.stride(), x.dtype)


def memory(x: Tensor) -> int | None:
    """Return the memory that a tensor looks at, ``None`` if it has none of its own.

    Args:
        x: Any tensor.
    """
    if x.layout is not torch.strided:
        return None
    try:
        return x.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError):
        return None
