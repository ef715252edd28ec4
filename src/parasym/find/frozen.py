"""Entries of parameters that the outputs do not depend on, or that are not trained.

Backwards from what reads a parameter: a product with a constant mask does not read what the mask makes zero, a slice reads
its part, what constants replace is not read, and everything else reads all. The rows that an embedding keeps for padding get no
gradient: if embeddings alone read the table, such a row is what it was made to be. Counterexample: a weight that is read once
with a mask and once without is read as a whole.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from parasym.rules.program import Fixed, Fn, Instruction, Kind, Permute, Pin, Pointwise, Program, Reshape, Slice, Value, operands
from parasym.symmetry import FrozenEntries


def frozen_entries(program: Program) -> tuple[FrozenEntries, ...]:
    """Return the entries of every parameter that are not read, and those that are read but not trained.

    Args:
        program: A lowered model.

    Example:
        >>> from torch import nn
        >>> from parasym.find.search import lowered_model
        >>> model = nn.Sequential(nn.Embedding(5, 2, padding_idx=1), nn.Linear(2, 3))
        >>> _, lowered = lowered_model(model, (torch.zeros(4, dtype=torch.int64),), {})
        >>> [(x.tensor, x.mask.any(1).tolist(), x.read) for x in frozen_entries(lowered.program)]
        [('0.weight', [False, True, False, False, False], True)]
    """
    readers: dict[int, list[Instruction]] = {}
    for step in program.code:
        for x in operands(step):
            readers.setdefault(x.index, []).append(step)
    tables: dict[str, list[Value]] = {}
    for x in program.values:
        if x.kind is Kind.PARAMETER and x.index in readers:
            tables.setdefault(x.name, []).append(x)
    reading = _Reading(program, readers)
    found = []
    for name, values in tables.items():
        read = reading.of_all(values)
        shape = values[0].shape
        if read is not None and not bool(read.all()):
            found.append(FrozenEntries.of(name, ~read.expand(shape)))
        padding = reading.padding(values)
        if padding is not None:
            found.append(FrozenEntries.of(name, padding, read=True))
    return tuple(found)


class _Reading:
    """What of every value is read: booleans that broadcast to its shape, or ``None`` for all of it."""

    def __init__(self, program: Program, readers: dict[int, list[Instruction]]) -> None:
        self.program, self.readers = program, readers
        self.outputs = {x.index for x in program.outputs} | program.loops

    def of_all(self, values: Iterable[Value]) -> Tensor | None:
        """Return what is read of values that are one tensor."""
        return _either(self._of(x) for x in values)

    def _of(self, x: Value) -> Tensor | None:
        known = x.index in self.readers and x.index not in self.outputs
        return _either(self._by(step, x) for step in self.readers[x.index]) if known else None

    def _by(self, step: Instruction, x: Value) -> Tensor | None:
        if isinstance(step, Pin):
            return torch.zeros([1] * len(x.shape)).bool() if step.replaced else None
        if isinstance(step, Slice):
            read, length = self._of(step.out), step.out.shape[step.dim]
            shape = [1] * len(x.shape) if read is None else list(read.shape)
            shape[step.dim] = x.shape[step.dim]
            whole = torch.zeros(shape, dtype=torch.bool)
            whole.narrow(step.dim, step.start, length).copy_(torch.ones(()) if read is None else read)
            return whole
        if isinstance(step, (Permute, Reshape)):
            read = self._of(step.out)
            if read is None:
                return None
            back = [step.order.index(k) for k in range(len(step.order))] if isinstance(step, Permute) else None
            return read.permute(back) if back is not None else read.expand(step.out.shape).reshape(x.shape)
        mask = _mask(step, x)
        after = None if mask is None else self._of(step.out)
        return mask if mask is None or after is None else mask & after

    def padding(self, values: Sequence[Value]) -> Tensor | None:
        """Return the rows of a table that embeddings keep for padding, if nothing else reads it."""
        rows = set()
        for x in values:
            for step in self.readers[x.index]:
                row = self._padding_row(step, x)
                if row is None or x.index in self.outputs:
                    return None
                rows.add(row)
        if len(rows) != 1:
            return None
        mask = torch.zeros(values[0].shape, dtype=torch.bool)
        mask[rows.pop()] = True
        return mask

    def _padding_row(self, step: Instruction, x: Value) -> int | None:
        tag = self.program.tags.get(step.out.index, ((), 0))[0] if isinstance(step, Fixed) else ()
        if len(tag) < 3 or tag[0] != "embedding":
            return None
        row = tag[1][2] if len(tag[1]) > 2 else tag[2].get("padding_idx", -1)
        return row % x.shape[0] if isinstance(row, int) and row >= 0 else None


def _either(parts: Iterable[Tensor | None]) -> Tensor | None:
    """Return what at least one of some readers reads; it is looked at no further than the first that reads all."""
    read = None
    for part in parts:
        if part is None:
            return None
        read = part if read is None else read | part
    return read


def _mask(step: Instruction, x: Value) -> Tensor | None:
    """Return where a product with a constant is not zero whatever the parameter is, if it is one."""
    if not isinstance(step, Pointwise) or step.fn is not Fn.MUL or len(step.xs) != 2 or step.out.shape != x.shape:
        return None
    other = step.xs[1] if step.xs[0] is x else step.xs[0]
    if other is x or other.kind is not Kind.CONSTANT or other.data is None or other.data.is_meta:
        return None
    if step.degrees[step.xs.index(other)] <= 0 or step.letters[step.xs.index(x)] != tuple(range(len(x.shape))):
        return None
    axes = step.letters[step.xs.index(other)]
    shape = [1] * len(x.shape)
    for k, axis in enumerate(axes):
        if axis is not None:
            shape[axis] = other.shape[k]
    return (other.data.reshape(other.shape) != 0).reshape(shape).cpu()
