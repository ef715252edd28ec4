"""Where a wire sits in the parameters, and how an element of its group moves them there."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import torch
from torch import Tensor

from parasym.core import Params, ShapeError
from parasym.groups import AbstractGroup


@dataclass(frozen=True)
class Slot:
    r"""The positions of one wire along one axis of a tensor.

    Position :math:`(i_1, \dots, i_k)` of the product of wires that fills this part of the axis is
    ``start + sum(i * stride)``; the wire itself is factor number ``place`` of that product.

    Attributes:
        axis: The axis of the tensor.
        starts: Offsets along the axis; one, or two for the real and imaginary parts of planes.
        sizes: Sizes of the wires of the product, outermost first.
        strides: Their strides along the axis.
        place: Which of them is the wire; -1 if the slot only restricts the axis.
    """

    axis: int
    starts: tuple[int, ...]
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    place: int

    @classmethod
    def whole(cls, axis: int, length: int) -> "Slot":
        """Return a lone wire on the whole of an axis.

        Args:
            axis: The axis.
            length: Of the axis, and of the wire.

        Example:
            >>> Slot.whole(1, 3).positions()
            tensor([[0, 1, 2]])
        """
        return cls(axis, (0,), (length,), (1,), 0)

    def positions(self) -> Tensor:
        """Return the positions along the axis, of shape ``[len(starts), *sizes]``."""
        grid = torch.tensor(self.starts).reshape(-1, *[1] * len(self.sizes))
        for k, (size, stride) in enumerate(zip(self.sizes, self.strides, strict=True)):
            grid = grid + (torch.arange(size) * stride).reshape(-1, *[1] * (len(self.sizes) - k - 1))
        return grid

    def covers(self, length: int) -> bool:
        """Return whether the slot is a lone wire on the whole of an axis of this length."""
        return self.starts == (0,) and self.sizes == (length,)


class AbstractBinding(ABC):
    """One way in which a factor moves parameters: what it moves, what it reads for that, and how."""

    @property
    @abstractmethod
    def tensors(self) -> tuple[str, ...]:
        """Names of the tensors it moves."""

    @abstractmethod
    def reads(self, g: Tensor, names: Collection[str]) -> tuple[str, ...]:
        """Return the names of the tensors that must be known to move some of :attr:`tensors`.

        Args:
            g: An element of the factor.
            names: Which tensors are to be moved; others are ignored.
        """

    @abstractmethod
    def moved(
        self, group: AbstractGroup, g: Tensor, names: Collection[str], current: Mapping[str, Tensor], before: Mapping[str, Tensor]
    ) -> Params:
        """Return some of :attr:`tensors` moved by ``g``.

        Args:
            group: The factor's group.
            g: An element of shape ``[*over, *element]``.
            names: Which tensors to move; others are ignored.
            current: What the earlier bindings of the factor made of them.
            before: All that :meth:`reads` names, as it was before the factor moved anything.
        """


@dataclass(frozen=True)
class Binding(AbstractBinding):
    r"""One place where a parameter bears a wire.

    An element ``g`` moves the tensor to ``act(g, tensor + offset) - offset`` along the slot. The power
    says how: 1 is the group itself, -1 its dual, 2 the square of a scaling.

    Attributes:
        tensor: Name of the parameter or buffer.
        slot: Where the wire sits; ``None`` if the factor scales the whole region.
        over: Slots of the outer wires of the factor, in their order.
        region: Further slots that restrict other axes.
        power: Signed exponent.
        offset: Constant added before and removed after, as in ``running_var + eps``.
    """

    tensor: str
    slot: Slot | None
    over: tuple[Slot, ...] = ()
    region: tuple[Slot, ...] = ()
    power: Fraction = Fraction(1)
    offset: float = 0.0

    @property
    def tensors(self) -> tuple[str, ...]:
        """The one tensor it moves."""
        return (self.tensor,)

    def reads(self, g: Tensor, names: Collection[str]) -> tuple[str, ...]:  # noqa: D102
        return (self.tensor,) if self.tensor in names else ()

    def moved(  # noqa: D102
        self, group: AbstractGroup, g: Tensor, names: Collection[str], current: Mapping[str, Tensor], before: Mapping[str, Tensor]
    ) -> Params:
        return {self.tensor: self.apply(group, g, current[self.tensor])} if self.tensor in names else {}

    @property
    def axis(self) -> int | None:
        """The axis that bears the wire."""
        return None if self.slot is None else self.slot.axis

    @property
    def dual(self) -> bool:
        """Whether the axis is fed by the wire, and so carries the dual action."""
        return self.power < 0

    def apply(self, group: AbstractGroup, g: Tensor, x: Tensor) -> Tensor:
        """Return ``x`` moved by ``g``.

        Args:
            group: The factor's group.
            g: An element of shape ``[*over, *element]``.
            x: The tensor named :attr:`tensor`. Not modified.

        Raises:
            ShapeError: If ``x`` does not have the axes of the slots.
        """
        if self.power == 0:
            return x
        g = group.power(g, float(abs(self.power)))
        if self.slot is not None and not self.over and not self.region and self.slot.covers(_length(x, self.slot)):
            return group.act(g, x + self.offset, self.slot.axis, dual=self.dual) - self.offset
        layout = _layout(self, tuple(x.shape))
        moved = group.act(g, layout.gather(x) + self.offset, -1, dual=self.dual) - self.offset
        return layout.scatter(x, moved)

    def gather(self, x: Tensor) -> Tensor:
        """Return the region of ``x`` as ``[*over, rest, length]``, the wire last.

        Args:
            x: The tensor named :attr:`tensor`, or another of its shape.
        """
        if self.slot is not None:
            _length(x, self.slot)
        return _layout(self, tuple(x.shape)).gather(x)


def _length(x: Tensor, slot: Slot) -> int:
    if slot.axis >= x.ndim:
        raise ShapeError(f"The symmetry acts on axis {slot.axis}, but the tensor has shape {tuple(x.shape)}.")
    return x.shape[slot.axis]


@dataclass(frozen=True)
class _Layout:
    """How the region of a binding is laid out as ``[*over, *rest, wire]``."""

    index: tuple[tuple[int, Tensor], ...]
    sizes: tuple[int, ...]
    order: tuple[int, ...]
    over: int
    length: int

    def gather(self, x: Tensor) -> Tensor:
        part = select(x, self.index).reshape(self.sizes).permute(self.order)
        return part.reshape(*part.shape[: self.over], -1, self.length)

    def scatter(self, x: Tensor, moved: Tensor) -> Tensor:
        inverse = sorted(range(len(self.order)), key=self.order.__getitem__)
        part = moved.reshape([self.sizes[k] for k in self.order]).permute(inverse)
        shape = list(x.shape)
        for axis, index in self.index:
            shape[axis] = len(index)
        return replace(x, self.index, part.reshape(shape))


def select(x: Tensor, index: tuple[tuple[int, Tensor], ...]) -> Tensor:
    """Return the sub-tensor of ``x`` at the given positions of the given axes."""
    for axis, positions in index:
        x = x.index_select(axis, positions.to(x.device))
    return x


def replace(x: Tensor, index: tuple[tuple[int, Tensor], ...], part: Tensor) -> Tensor:
    """Return ``x`` with the sub-tensor at the given positions replaced by ``part``."""
    if not index:
        return part
    (axis, positions), *rest = index
    positions = positions.to(x.device)
    inner = replace(x.index_select(axis, positions), tuple(rest), part) if rest else part
    return x.index_copy(axis, positions, inner)


def unfold(
    slots: dict[int, Slot], shape: tuple[int, ...]
) -> tuple[tuple[tuple[int, Tensor], ...], tuple[int, ...], dict[int, int]]:
    """Return the positions to select, the unflattened sizes, and where each slot's sizes begin.

    Every axis with a slot contributes ``len(starts), *sizes``; every other axis its length. An axis
    whose slot runs through it in order needs no selection.
    """
    index, sizes, at = [], [], {}
    for axis, length in enumerate(shape):
        slot = slots.get(axis)
        if slot is None:
            sizes.append(length)
            continue
        positions = slot.positions()
        at[axis] = len(sizes)
        sizes.extend(positions.shape)
        flat = positions.reshape(-1)
        if len(flat) != length or not torch.equal(flat, torch.arange(length)):
            index.append((axis, flat))
    return tuple(index), tuple(sizes), at


def _layout(binding: Binding, shape: tuple[int, ...]) -> _Layout:
    own = binding.slot
    slots = {slot.axis: slot for slot in (*binding.region, *binding.over, *(() if own is None else (own,)))}
    index, sizes, at = unfold(slots, shape)
    over = [at[slot.axis] + 1 + slot.place for slot in binding.over]
    tail = [] if own is None else [at[own.axis], at[own.axis] + 1 + own.place]
    rest = [k for k in range(len(sizes)) if k not in over and k not in tail]
    return _Layout(index, sizes, (*over, *rest, *tail), len(over), prod(sizes[k] for k in tail))
