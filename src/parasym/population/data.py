"""What networks are trained on: tensors cut into batches, tuples of tensors, or one full batch such as a graph."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from parasym.core import BadInputError
from parasym.functional import Call


@dataclass(frozen=True)
class FullBatch:
    """Inputs that a model takes whole at every step, as a graph network takes a graph.

    Every epoch is one step on everything, and nothing is shuffled.

    Attributes:
        inputs: The arguments of the model, for instance node features and edges.
        rows: Which rows of the output the labels belong to, for instance the training nodes; all by default.

    Example:
        >>> features, edges = torch.eye(3), torch.tensor([[0, 1], [1, 2]])
        >>> len(FullBatch((features, edges), rows=torch.tensor([0, 2])))
        2
    """

    inputs: tuple[Tensor, ...]
    rows: Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs[0]) if self.rows is None else len(self.rows)


Inputs = Tensor | tuple[Tensor, ...] | FullBatch
Room = dict[int, tuple[Tensor, ...]]
"""Memory for batches, by their number of examples: new memory for each is fetched from the system again and again."""


@dataclass(frozen=True)
class Data:
    """Inputs and labels.

    Attributes:
        x: A tensor or tensors of shape ``[n, ...]``, or a full batch.
        y: Labels, of shape ``[n, ...]``.
    """

    x: Inputs
    y: Tensor

    def __post_init__(self) -> None:
        if not self.parts or any(t.ndim == 0 for t in (*self.parts, self.y)):
            raise BadInputError("Arguments `x` and `y` must hold examples along their first axis, but one of them has no axis.")
        lengths = {len(t) for t in (self.parts if not isinstance(self.x, FullBatch) else (self.x,))}
        if lengths != {len(self.y)} or len(self.y) == 0:
            raise BadInputError(
                f"Arguments `x` and `y` must hold equally many examples, at least one, but hold {sorted(lengths)} "
                f"and {len(self.y)}."
            )
        devices = {t.device for t in (*self.parts, self.y)}
        if len(devices) > 1:
            raise BadInputError(f"Arguments `x` and `y` must be on one device, but are on {sorted(map(str, devices))}.")

    @property
    def parts(self) -> tuple[Tensor, ...]:
        """The tensors of ``x``."""
        if isinstance(self.x, FullBatch):
            return self.x.inputs
        return (self.x,) if isinstance(self.x, Tensor) else self.x

    @property
    def full(self) -> bool:
        """Whether every step takes everything."""
        return isinstance(self.x, FullBatch)

    @property
    def rows(self) -> Tensor | None:
        """Which rows of the output count; ``None`` for all."""
        return self.x.rows if isinstance(self.x, FullBatch) else None

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.y.device

    def to(self, device: torch.device | str) -> "Data":
        """Return the same on another device.

        Args:
            device: The device.
        """
        if isinstance(self.x, FullBatch):
            rows = None if self.x.rows is None else self.x.rows.to(device)
            return Data(FullBatch(tuple(t.to(device) for t in self.x.inputs), rows), self.y.to(device))
        x = self.x.to(device) if isinstance(self.x, Tensor) else tuple(t.to(device) for t in self.x)
        return Data(x, self.y.to(device))

    def steps(self, batch: int) -> int:
        """Return the number of steps per epoch.

        Args:
            batch: Examples per step.
        """
        return 1 if self.full else math.ceil(len(self.y) / batch)

    def take(self, index: Tensor, room: Room | None = None) -> tuple[tuple[Tensor, ...], Tensor]:
        """Return inputs and labels at an index; everything for a full batch.

        Args:
            index: Of any shape, which the result gets in place of the axis of examples.
            room: Where to put them, so that what was taken before is overwritten; new memory if ``None``. Empty at first.
        """
        if self.full:
            return self.parts, self.y
        flat = index.flatten()  # index_select copies whole rows, several times as fast as an index of two axes
        tensors = (*self.parts, self.y)
        room = {} if room is None else room
        if len(flat) not in room:
            room[len(flat)] = tuple(t.new_empty(len(flat), *t.shape[1:]) for t in tensors)
        with torch.no_grad():
            found = [torch.index_select(t, 0, flat, out=out) for t, out in zip(tensors, room[len(flat)], strict=True)]
        *inputs, labels = (t.view(*index.shape, *t.shape[1:]) for t in found)
        return tuple(inputs), labels

    def calls(self, batch: int) -> Iterator[Call]:
        """Yield everything as calls of the model, in order, without labels.

        Args:
            batch: Examples per call; a full batch is one call.
        """
        every = torch.arange(len(self.y), device=self.device)
        for index in [every] if self.full else every.split(batch):
            inputs, labels = self.take(index)
            yield Call(inputs, labels=(labels,))

    def digest(self) -> str:
        """Return a SHA-256 of all numbers, shapes and types."""
        found = hashlib.sha256()
        for t in (*self.parts, self.y, *(() if self.rows is None else (self.rows,))):
            found.update(f"{tuple(t.shape)} {t.dtype};".encode())
            found.update(t.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        return found.hexdigest()
