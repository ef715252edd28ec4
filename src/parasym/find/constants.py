"""The real tensors of a pass: what it may compute with, what it must put back, and what they are in the program.

Operations on constants run as they always do, views and writes included. Three things follow. A tensor that was there
before the pass, such as the counter of a BatchNorm, is put back if it is written into. Numbers that the program already
has are copied before they are written into: the program means those of before. And memory that holds parameters, inputs or
something unknown is not constant, whatever tensor looks at it.
"""

from typing import Any

import torch
from torch import Tensor

from parasym.find.capture import memory, numbers
from parasym.find.lower import Lowering
from parasym.find.untraceable import Untraceable, WrittenInto
from parasym.rules.program import Value


class Constants:
    """The constants of one pass.

    Args:
        lowering: Where the program is written.

    Attributes:
        names: Which buffers are constants: their names by their addresses.
    """

    def __init__(self, lowering: Lowering) -> None:
        self.names: dict[int, str] = {}
        self._lowering = lowering
        self._values: dict[int, tuple[Tensor, Value]] = {}  # the tensors too: they are known by their addresses
        self._moving: set[int] = set()
        self._made_by: dict[int, int] = {}
        self._shown: dict[int, list[int]] = {}
        self._before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}

    def value(self, x: Tensor) -> Value:
        """Return what a constant is in the program.

        Args:
            x: A real tensor.

        Raises:
            Untraceable: If its memory holds something that is not constant.
        """
        key = self._checked(x)
        if id(x) not in self._values:
            value = self._lowering.constant(numbers(x), x, self.names.get(id(x), ""))
            self._values[id(x)] = x, value
            if key is not None:
                self._shown.setdefault(key, []).append(id(x))
        return self._values[id(x)][1]

    def _checked(self, x: Tensor) -> int | None:
        key = memory(x)
        if key in self._moving:
            raise Untraceable("A tensor looks at the memory of one that is not constant.")
        return key

    def compute(self, func: Any, args: Any, kwargs: Any, operands: list[Tensor], number: int) -> Any:
        """Return the result of an operation on constants.

        Args:
            func: An ATen operation.
            args: Its arguments.
            kwargs: Its keyword arguments.
            operands: The tensors among them.
            number: The number of the operation in this pass.

        Raises:
            Untraceable: If an operand is not constant.
        """
        theirs = {self._checked(x) for x in operands}
        if func._schema.is_mutable:
            self._will_write(func, args, kwargs)
        out = func(*args, **kwargs)
        for x in (out,) if isinstance(out, Tensor) else out if isinstance(out, (tuple, list)) else ():
            if isinstance(x, Tensor) and (key := memory(x)) is not None and key not in theirs:
                self._made_by[key] = number
        return out

    def _will_write(self, func: Any, args: Any, kwargs: Any) -> None:
        """Copy what the program shows of the memory that an operation writes into, and what was there before the pass."""
        for k, argument in enumerate(func._schema.arguments):
            if argument.alias_info is None or not argument.alias_info.is_write:
                continue
            target = args[k] if k < len(args) else kwargs.get(argument.name)
            for x in target if isinstance(target, (tuple, list)) else (target,):
                if isinstance(x, Tensor):
                    self._copy(x)

    def _copy(self, x: Tensor) -> None:
        key = memory(x)
        if key is None:
            raise Untraceable("A tensor without memory of its own is written into.")
        if key in self._shown:
            for address in self._shown.pop(key):
                del self._values[address]
            for value in self._lowering.builder.program.values:
                if value.data is not None and memory(value.data) == key:
                    value.data = value.data.clone()
        if key not in self._made_by and key not in self._before:
            storage = x.untyped_storage()
            self._before[key] = storage, storage.clone()

    def moves(self, x: Tensor) -> None:
        """Say that the memory of a tensor holds something that is not constant.

        Args:
            x: A real tensor: a parameter, an input, or what something unknown is written into.

        Raises:
            Untraceable: If it has no memory of its own.
            WrittenInto: If the pass has made it, with numbers that are no longer right; or if it is a buffer.
        """
        key = memory(x)
        if key is None:
            raise Untraceable("A tensor without memory of its own is written into.")
        if not x.is_meta and key in self._made_by:
            raise WrittenInto(self._made_by[key])
        if id(x) in self.names:
            raise WrittenInto(self.names[id(x)])
        self._moving.add(key)

    def restore(self) -> None:
        """Put back what was written into."""
        for storage, before in self._before.values():
            storage.copy_(before)
