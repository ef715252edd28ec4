"""From a model to a graph of ATen operations, with the numbers of its constants."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from parasym.core import CaptureError

STATE_PATTERNS = (
    "*running_mean",
    "*running_var",
    "*parametrizations.*._u",
    "*parametrizations.*._v",
    "*weight_u",
    "*weight_v",
)


@dataclass
class Capture:
    """A model as a graph.

    Attributes:
        program: The exported program.
        parameters: Graph input to parameter name (the first name of a tied tensor).
        states: Graph input to the name of a buffer that moves with the parameters.
        constants: Graph input to the numbers of a constant, ``None`` where they are not known.
        shapes: Shape of every parameter and buffer.
        tied: ``(name, first name)`` of tied tensors.
    """

    program: ExportedProgram
    parameters: dict[str, str] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    constants: dict[str, Tensor | None] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    tied: tuple[tuple[str, str], ...] = ()

    @property
    def graph(self) -> fx.Graph:
        """The graph of ATen operations."""
        return self.program.graph_module.graph


def capture(model: nn.Module | ExportedProgram, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> Capture:
    """Return a model as a graph, without running it on numbers.

    Args:
        model: A module or an exported program.
        args: Example inputs; only their shapes and types matter.
        kwargs: Example keyword inputs.

    Raises:
        CaptureError: If ``torch.export`` cannot trace the model.
    """
    program = model if isinstance(model, ExportedProgram) else _export(model, args, kwargs)
    owner = model if isinstance(model, nn.Module) else None
    return describe(program, owner)


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


def describe(program: ExportedProgram, owner: nn.Module | None) -> Capture:
    """Return a capture of an exported program.

    Args:
        program: The program.
        owner: The module it was made from, if known: it tells which names are tied and what is a buffer.
    """
    tensors: dict[str, Tensor] = dict(program.state_dict) | {k: v for k, v in program.constants.items() if isinstance(v, Tensor)}
    first, tied = _aliases(owner, tensors)
    out = Capture(program, tied=tied, shapes={name: tuple(t.shape) for name, t in program.state_dict.items()})
    if owner is not None:
        out.shapes |= {name: tuple(t.shape) for name, t in owner.named_parameters(remove_duplicate=False)}
        out.shapes |= {name: tuple(t.shape) for name, t in owner.named_buffers(remove_duplicate=False)}
    for spec in program.graph_signature.input_specs:
        name, target = spec.arg.name, spec.target
        if spec.kind is InputKind.PARAMETER and target is not None:
            out.parameters[name] = first.get(target, target)
        elif spec.kind is InputKind.BUFFER and target is not None and is_state(target):
            out.states[name] = first.get(target, target)
        elif spec.kind in (InputKind.BUFFER, InputKind.CONSTANT_TENSOR) and target is not None:
            out.constants[name] = _numbers(tensors.get(target))
    return out


def is_state(name: str) -> bool:
    """Whether a buffer is a statistic that moves with the parameters, not a constant of the architecture.

    Args:
        name: Buffer name.
    """
    return any(fnmatch(name, pattern) for pattern in STATE_PATTERNS)


def _numbers(x: Tensor | None) -> Tensor | None:
    if x is None or x.is_meta or type(x).__name__ == "FakeTensor":
        return None
    return x.detach()


def _aliases(owner: nn.Module | None, tensors: dict[str, Tensor]) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    named = dict(tensors)
    if owner is not None:
        named = dict(owner.named_parameters(remove_duplicate=False)) | dict(owner.named_buffers(remove_duplicate=False))
    seen: dict[Any, str] = {}
    first: dict[str, str] = {}
    for name, x in named.items():
        first[name] = seen.setdefault(_identity(x), name)
    return first, tuple((name, one) for name, one in first.items() if name != one)


def _identity(x: Tensor) -> Any:
    if x.is_meta or type(x).__name__ == "FakeTensor" or x.numel() == 0:
        return id(x)
    return (x.data_ptr(), tuple(x.shape), x.stride(), x.dtype)
