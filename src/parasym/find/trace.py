"""A fast capture: one forward pass on tensors without numbers, written down as a program operation by operation.

``torch.export`` does the same with many checks and takes several times as long. The program made here is used only if
rules cover all of it; in every other case (an uncovered operation, writes into views, Python that needs numbers) the
model is exported, and what export says holds.
"""

import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from parasym.core import is_state
from parasym.find.capture import Named, aliases, named_tensors, numbers
from parasym.find.lower import Call, Lowered, Lowering, may_alias, writes
from parasym.find.numberless import Numberless, results, without_numbers
from parasym.functional.tensors import map_tensors
from parasym.rules.program import Kind, Value


class Untraceable(Exception):
    """The model must be exported instead."""


def trace(model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> tuple[Named, Lowered]:
    """Return the tensors of a model and its program, from one pass on tensors without numbers; the model is left as it was.

    Args:
        model: Any module.
        args: Example inputs; only their shapes and types matter.
        kwargs: Example keyword inputs.

    Raises:
        Untraceable: If the pass fails or does something that only ``torch.export`` can handle.
    """
    if any(isinstance(module, nn.RNNBase) for module in model.modules()):
        raise Untraceable  # a pass unrolls a recurrence, which export keeps as one operation
    tensors = named_tensors(model)
    first, tied = aliases(tensors)
    named = Named({k: tuple(v.shape) for k, v in tensors.items()}, tied)
    recorder = _Recorder()
    try:
        with _untouched(model), warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            bare = {name: recorder.tensor(tensors[name], name, named) for name in dict.fromkeys(first.values())}
            inputs = map_tensors(recorder.input, (args, dict(kwargs or {})))
            _put(model, {name: bare[one] for name, one in first.items()})
            with recorder:
                result = model(*inputs[0], **inputs[1])
    except Exception as error:
        traceback.clear_frames(error.__traceback__)  # they may hold guards of torch that are in force until they go
        raise Untraceable from error
    leaves = pytree.tree_leaves(result)
    if any(not isinstance(x, Tensor | int | float | bool | str | type(None)) for x in leaves):
        raise Untraceable
    for x in leaves:
        if isinstance(x, Tensor):
            recorder.note(x)
            recorder.lowering.output(recorder.value(x))
    named.read = recorder.read - named.moving
    return named, recorder.lowering.finish()


def _put(model: nn.Module, tensors: dict[str, Numberless]) -> None:
    """Put tensors without numbers in the place of the parameters and buffers of a model."""
    for path, module in model.named_modules(remove_duplicate=False):
        for table in (module._parameters, module._buffers):
            for name, x in table.items():
                if x is not None:
                    cast(dict[str, Any], table)[name] = tensors[f"{path}.{name}" if path else name]


@contextmanager
def _untouched(model: nn.Module) -> Iterator[None]:
    """Keep attributes that ``forward`` sets, such as caches, from outliving the pass, and use no fused kernels."""
    # Lists are copied because recurrent layers keep their weights in one.
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
    """Writes every operation into a program."""

    def __init__(self) -> None:
        super().__init__()
        self.lowering = Lowering()
        self._values: dict[int, Any] = {}
        self._alive: list[Any] = []  # tensors are known by their addresses, so none may go
        self._constants: dict[int, str] = {}
        self.read: set[str] = set()
        self._shares: set[int] = set()
        """Tensors that may share memory with another one: views, and what views were taken of."""

    def tensor(self, x: Tensor, name: str, named: Named) -> Numberless:
        """Return a tensor of the model without its numbers."""
        bare = without_numbers(x)
        moves = isinstance(x, nn.Parameter) or is_state(name)
        if moves:
            named.moving.add(name)
        if moves and (x.is_floating_point() or x.is_complex()):
            kind = Kind.PARAMETER if isinstance(x, nn.Parameter) else Kind.STATE
            self._remember(bare, self.lowering.leaf(bare, kind, name))
        else:
            self._remember(bare, self.lowering.constant(None if moves else numbers(x), bare, name))
            self._constants[id(bare)] = name
        return bare

    def input(self, x: Tensor) -> Numberless:
        """Return an input without its numbers."""
        bare = without_numbers(x)
        self._remember(bare, self.lowering.leaf(bare, Kind.INPUT, f"input_{len(self._alive)}"))
        return bare

    def value(self, x: Tensor) -> Any:
        """Return what a tensor is in the program; one that no operation has made is a constant."""
        if id(x) not in self._values:
            self._remember(x, self.lowering.known(x))
        return self._values[id(x)]

    def _remember(self, x: Tensor, value: Any) -> None:
        self._values[id(x)] = value
        self._alive.append(x)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.ops.aten.detach.default and not args[0].requires_grad:
            return args[0]  # the same memory under another name, and so the same tensor
        if func is torch.ops.aten._local_scalar_dense.default:
            return self._number(args[0])
        out = results(func, args, kwargs)
        made = [out] if isinstance(out, Tensor) else [x for x in pytree.tree_leaves(out) if isinstance(x, Tensor)]
        if not made:
            return out
        self._watch(func, args, made)
        self.note(args[1:] if writes(func)[0] else args, kwargs)
        call = Call(func, self._read(args), {k: self._read(v) for k, v in kwargs.items()}, out)
        values = self.lowering.call(call)
        if self.lowering.uncovered:
            raise Untraceable(str(self.lowering.uncovered[-1]))
        if isinstance(out, Tensor):
            self._remember(out, values)
        else:
            for k, part in enumerate(out):
                if isinstance(part, Tensor):
                    self._remember(part, values[k] if isinstance(values, (tuple, list)) else values)
        return out

    def _number(self, x: Tensor) -> bool | int | float | complex:
        """Return the number that Python asks a tensor for, which is known if it is made of constants alone."""
        value = self.value(x)
        if not isinstance(value, Value) or value.kind is not Kind.CONSTANT or value.data is None:
            raise Untraceable
        return value.data.item()

    def note(self, *arguments: Any) -> None:
        """Note which constants of the model an operation reads: a counter that is only written to is none of the function."""
        if self._constants:
            self.read.update(self._constants[id(x)] for x in pytree.tree_leaves(arguments) if id(x) in self._constants)

    def _read(self, x: Any) -> Any:
        """Return arguments with values in the place of tensors."""
        if isinstance(x, Tensor):
            return self._values[id(x)] if id(x) in self._values else self.value(x)
        return type(x)([self._read(part) for part in x]) if isinstance(x, (tuple, list)) else x

    def _watch(self, func: Any, args: Any, made: list[Tensor]) -> None:
        """Refuse to write into a tensor that shares memory with another one: the program would not know of it."""
        in_place, elsewhere = writes(func)
        if elsewhere or (in_place and (not isinstance(args[0], Tensor) or id(args[0]) in self._shares)):
            raise Untraceable
        if may_alias(func):
            self._shares.update(id(x) for x in (*made, *pytree.tree_leaves(args)) if isinstance(x, Tensor))
