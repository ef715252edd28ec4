"""Writes down a pass over a model: a program of the operations that depend on inputs or parameters.

What depends on neither is a constant. Constants are real tensors and are computed as they always are: their numbers tell
channels apart, Python may ask for them, and code that remembers one remembers what it would have made anyway. On the meta
device, where tensors have no numbers, those on the CPU go along in the program. Constants that are too large to compute,
and those that something unknown is written into, have a shape only, as everything that is not constant has.
"""

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from parasym.core import is_state
from parasym.find.capture import Named, numbers
from parasym.find.constants import Constants
from parasym.find.lower import Call, Lowering, facts_of, may_alias, writes
from parasym.find.numberless import Numberless, results, size_of_results, without_numbers
from parasym.find.untraceable import Untraceable
from parasym.find.where import Running
from parasym.rules.program import Kind, Value

_LARGEST = 1 << 24
"""A constant of more entries is not computed."""
_DETACH, _NUMBER = torch.ops.aten.detach.default, torch.ops.aten._local_scalar_dense.default


class Recorder(TorchDispatchMode):
    """Writes every operation of a pass into a program.

    Args:
        model: The model, which tells where in it an operation is called.
        unknown: Constants that have no numbers, since something unknown is written into them: numbers of operations, names
            of buffers.
    """

    def __init__(self, model: nn.Module, unknown: frozenset[int | str] = frozenset()) -> None:
        super().__init__()
        self.lowering = Lowering(Running(model))
        self.constants = Constants(self.lowering)
        self._unknown = unknown
        self._operations = 0
        self._values: dict[int, Any] = {}
        self._alive: list[Tensor] = []  # tensors are known by their addresses, so none may go
        self.read: set[str] = set()
        """The names of the constants of the model that an operation reads, or that are returned."""
        self._named: dict[int, str] = {}
        self.originals: dict[int, Tensor] = {}
        """What tensors without numbers stand for, by their addresses."""
        self._moving: set[int] = set()
        """Real tensors that are not constant: parameters, inputs, what is written into."""
        self._shares: set[int] = set()
        """Tensors without numbers that may share memory with another one: views, and what views were taken of."""

    def tensor(self, x: Tensor, name: str, named: Named) -> Tensor:
        """Return what stands for a parameter or a buffer during the pass: a tensor without numbers, or the constant itself.

        Args:
            x: The tensor.
            name: Its first name.
            named: Takes note of the names that move.
        """
        moves = isinstance(x, nn.Parameter) or is_state(name)
        if moves:
            named.moving.add(name)
        elif type(x) in (Tensor, nn.Buffer) and name not in self._unknown:
            self.constants.names[id(x)] = self._named[id(x)] = name
            return x
        bare = without_numbers(x)
        if moves and (x.is_floating_point() or x.is_complex()):
            kind = Kind.PARAMETER if isinstance(x, nn.Parameter) else Kind.STATE
            value = self.lowering.leaf(bare, kind, name)
        else:
            value = self.lowering.constant(None if moves else numbers(x), bare, name)
            self._named[id(bare)] = name
        self._remember(bare, value)
        self._stand_for(x, bare, value)
        return bare

    def input(self, x: Tensor) -> Numberless:
        """Return an input without its numbers.

        Args:
            x: The input.
        """
        bare = without_numbers(x)
        value = self.lowering.leaf(bare, Kind.INPUT, f"input_{len(self._alive)}")
        self._remember(bare, value)
        self._stand_for(x, bare, value)
        return bare

    def _stand_for(self, x: Tensor, bare: Numberless, value: Value) -> None:
        """Know a real tensor again that code may hold in another place, such as a list of parameters."""
        if x is not bare:
            self.originals[id(bare)] = x
            self._remember(x, value)
            self._moving.add(id(x))
            self.constants.moves(x)

    def output(self, x: Tensor) -> None:
        """Say that the model returns a tensor.

        Args:
            x: Any tensor of the pass.
        """
        self._note([x])
        self.lowering.output(self.value(x))

    def _note(self, operands: Iterable[Tensor]) -> None:
        """Note which constants of the model are read: a counter that is only written to is none of the function."""
        if self._named:
            self.read.update([self._named[id(x)] for x in operands if id(x) in self._named])

    def value(self, x: Tensor) -> Any:
        """Return what a tensor is in the program.

        Args:
            x: Any tensor of the pass.
        """
        known = self._values.get(id(x))
        return self.constants.value(x) if known is None else known

    def survivors(self) -> list[Tensor]:
        """Return the tensors without numbers that something else still holds, and let go of them."""
        known = [weakref.ref(x) for x in self._alive if isinstance(x, Numberless)]
        self._alive.clear()
        return [x for ref in known if (x := ref()) is not None]

    def _remember(self, x: Tensor, value: Any) -> None:
        self._values[id(x)] = value
        self._alive.append(x)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        self._operations += 1
        if not types:
            operands = _tensors((args, kwargs))
            if self._is_constant(func, operands):
                return self._constant(func, args, kwargs, operands)
        if func is _DETACH and not args[0].requires_grad:
            return args[0]  # the same memory under another name, and so the same tensor
        if func is _NUMBER:
            return self._number(args[0])
        return self._record(func, args, kwargs)

    def _is_constant(self, func: Any, operands: list[Tensor]) -> bool:
        if torch.Tag.nondeterministic_seeded in func.tags or self._operations in self._unknown:
            return False
        return all([id(x) not in self._moving for x in operands])

    def _constant(self, func: Any, args: Any, kwargs: Any, operands: list[Tensor]) -> Any:
        """Return the result of an operation on constants alone."""
        if any([x.is_meta for x in operands]) or str(kwargs.get("device")) == "meta":
            return self._number(args[0]) if func is _NUMBER else self._record(func, args, kwargs, on_meta=True)
        if torch.Tag.inplace_view in func.tags:
            raise Untraceable(f"{func} changes a shape in place.")
        if not facts_of(func).view and size_of_results(func, args, kwargs) > _LARGEST:
            return self._record(func, args, kwargs)
        self._note(operands[1:] if writes(func)[0] else operands)
        return self.constants.compute(func, args, kwargs, operands, self._operations)

    def _record(self, func: Any, args: Any, kwargs: Any, *, on_meta: bool = False) -> Any:
        """Write an operation into the program and return its result without numbers."""
        out = results(func, args, kwargs, on_meta=on_meta)
        made = _tensors(out)
        if not made:
            return out
        self._watch(func, args, made, on_meta=on_meta)
        if self._named:
            self._note(_tensors((args[1:] if writes(func)[0] else args, kwargs)))
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

    def _read(self, x: Any) -> Any:
        """Return arguments with values in the place of tensors."""
        if isinstance(x, Tensor):
            return self.value(x)
        return type(x)([self._read(part) for part in x]) if isinstance(x, (tuple, list)) else x

    def _watch(self, func: Any, args: Any, made: list[Tensor], *, on_meta: bool) -> None:
        """Refuse to write into a tensor that shares memory with another one: the program would not know of it."""
        in_place, elsewhere = writes(func)
        if elsewhere or (in_place and (not isinstance(args[0], Tensor) or id(args[0]) in self._shares)):
            raise Untraceable
        if in_place and not on_meta and not isinstance(args[0], Numberless) and id(args[0]) not in self._moving:
            self.constants.moves(args[0])
            self._moving.add(id(args[0]))
        if may_alias(func):
            self._shares.update([id(x) for x in (*made, *_tensors(args))])


def _tensors(x: Any) -> list[Tensor]:
    """Return the tensors among arguments."""
    if isinstance(x, Tensor):
        return [x]
    if isinstance(x, dict):
        x = x.values()
    elif not isinstance(x, (tuple, list)):
        return []
    found = []
    for part in x:
        if isinstance(part, Tensor):
            found.append(part)
        elif isinstance(part, (tuple, list, dict)):
            found += _tensors(part)
    return found
