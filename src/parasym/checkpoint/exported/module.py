"""A program as a module: the parameters under their names, and the graph as its forward."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from parasym.checkpoint.exported.argument import Values, value_of
from parasym.checkpoint.exported.graph import Graph
from parasym.checkpoint.exported.tree import Tree


@dataclass(frozen=True)
class Form:
    """How a program is called.

    Attributes:
        arguments: The nest of arguments and keyword arguments.
        results: The nest of the results.
        names: Names of all arguments, in order, if known.
        inputs: For every input of the graph its kind (``parameter``, ``buffer``, ``tensor_constant``, ``user_input`` or
            ``constant_input``) and its name in the module, or the constant.
        outputs: For every output of the graph its kind, and the name of what is written to.
        sizes: For every user input the sizes of its axes; ``None`` where any size will do, and for a whole that is no tensor.
    """

    arguments: Tree
    results: Tree
    names: tuple[str, ...]
    inputs: tuple[tuple[str, Any], ...]
    outputs: tuple[tuple[str, Any], ...]
    sizes: tuple[tuple[int | None, ...] | None, ...]


class ExportedModule(nn.Module):
    """A program of ``torch.export`` as a module.

    Args:
        graph: Its operations.
        form: How it is called.
        tensors: Parameters, buffers and constants by name.
        buffers: Names of the buffers, and whether a state dict holds them.
    """

    def __init__(self, graph: Graph, form: Form, tensors: Mapping[str, Tensor], buffers: Mapping[str, bool]) -> None:
        super().__init__()
        self.exported_graph, self.exported_form = graph, form
        for name, value in tensors.items():
            owner = self._owner(name)
            last = name.rpartition(".")[2]
            if isinstance(value, nn.Parameter):
                owner.register_parameter(last, value)
            elif name in buffers:
                owner.register_buffer(last, value, persistent=buffers[name])
            else:
                setattr(owner, last, value)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the program computes.

        Args:
            *args: As the module that was exported takes them.
            **kwargs: As the module that was exported takes them.

        Raises:
            ValueError: If they are of another form or shape.
        """
        form = self.exported_form
        leaves = iter(self._leaves(args, kwargs))
        given, users = [], []
        for kind, name in form.inputs:
            if kind == "user_input":
                users.append(next(leaves))
                given.append(users[-1])
            elif kind == "constant_input":
                self._demand(next(leaves), name)
                given.append(None)
            else:
                given.append(self._tensor(name))
        self._check_sizes(users)
        results = self.exported_graph(*given)
        shown = []
        for (kind, name), result in zip(form.outputs, results if isinstance(results, tuple) else (results,), strict=True):
            if kind == "user_output":
                shown.append(result)
            elif kind in {"buffer_mutation", "parameter_mutation"}:
                self._tensor(name).copy_(result)
            elif kind == "user_input_mutation":
                users[name].copy_(result)
        return form.results.nested(iter(shown))

    def _leaves(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        form = self.exported_form
        assert form.arguments.children is not None
        places, named = form.arguments.children
        count = len(places.children or ())
        # What was given by place when it was exported may be given by name, and the other way round.
        by_name = dict(zip(form.names, args, strict=False)) | kwargs if len(args) != count else kwargs
        if len(args) != count and all(name in by_name for name in form.names[:count]):
            args = tuple(by_name.pop(name) for name in form.names[:count])
        try:
            return form.arguments.flat((args, by_name if len(args) == count else kwargs))
        except ValueError as error:
            told = f"{count} by place" + (f" and {', '.join(map(str, named.keys))} by name" if named.keys else "")
            raise ValueError(f"the program takes {told}: {error}") from error

    def _check_sizes(self, users: list[Any]) -> None:
        for place, (value, sizes) in enumerate(zip(users, self.exported_form.sizes, strict=True), start=1):
            if sizes is None:
                continue
            shape = tuple(value.shape) if isinstance(value, Tensor) else None
            if (
                shape is None
                or len(shape) != len(sizes)
                or any(n is not None and n != m for n, m in zip(sizes, shape, strict=True))
            ):
                wanted = "x".join("?" if n is None else str(n) for n in sizes)
                raise ValueError(f"input {place} must have the shape {wanted} that it was exported for, but has {shape}")

    def _demand(self, value: Any, constant: Any) -> None:
        wanted = value_of(constant, Values())
        if value != wanted:
            raise ValueError(f"an argument must be {wanted!r}, for which it was exported, but is {value!r}")

    def _owner(self, name: str) -> nn.Module:
        owner: nn.Module = self
        for part in name.split(".")[:-1]:
            if part not in owner._modules:
                owner.add_module(part, nn.Module())
            owner = owner.get_submodule(part)
        return owner

    def _tensor(self, name: str) -> torch.Tensor:
        return getattr(self._owner(name), name.rpartition(".")[2])
