"""How a translation reaches the parameters: added to one, absorbed by another."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from torch import Tensor

from parasym.core import Params
from parasym.groups import AbstractGroup
from parasym.symmetry.binding import AbstractBinding, Slot, replace, select, unfold


@dataclass(frozen=True)
class Through:
    r"""A weight that carries a translation on: :math:`t \mapsto W t`, summed over all axes but one.

    Attributes:
        weight: Name of the parameter.
        slot: The part of an axis along which ``t`` meets it.
        axis: The axis along which the result lies.
    """

    weight: str
    slot: Slot
    axis: int

    def apply(self, t: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Return ``W t`` of shape ``[W.shape[axis]]``."""
        weight = params[self.weight]
        index, sizes, at = unfold({self.slot.axis: self.slot}, tuple(weight.shape))
        part = select(weight, index).reshape(sizes)
        spread = [1] * len(sizes)
        first = at[self.slot.axis] + 1
        spread[first : first + len(self.slot.sizes)] = self.slot.sizes
        product = (part * t.to(part).reshape(spread)).reshape(
            [-1 if k == self.slot.axis else n for k, n in enumerate(weight.shape)]
        )
        return product.sum(dim=[k for k in range(product.ndim) if k != self.axis])


@dataclass(frozen=True)
class Along:
    r"""A vector that carries a translation on channel by channel: :math:`t \mapsto (v + o)^{p} \odot t`.

    Attributes:
        weight: Name of the parameter or buffer ``v`` of shape ``[n]``.
        power: The exponent ``p``.
        offset: The number ``o``.
    """

    weight: str
    power: float = 1.0
    offset: float = 0.0

    def apply(self, t: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Return the product, of shape ``[n]``."""
        vector = params[self.weight].reshape(-1).to(t)
        return t * (vector + self.offset) ** self.power


@dataclass(frozen=True)
class Shift(AbstractBinding):
    r"""One parameter that a translation moves: ``tensor += sign * W_k ... W_1 t``.

    The element ``t`` is read as a tensor of shape ``shape``. Its axis ``dims[k]`` runs along unflattened axis
    ``k`` of the parameter; where ``dims[k]`` is ``None`` the shift is constant.

    Attributes:
        tensor: Name of the parameter or buffer.
        shape: Shape as which ``t`` is read once it went through.
        dims: For every unflattened axis of the parameter, the axis of ``t`` or ``None``.
        sign: 1 or -1.
        slots: How axes are unflattened or restricted; other axes are whole.
        through: Weights on the way, first to last.
    """

    tensor: str
    shape: tuple[int, ...]
    dims: tuple[int | None, ...]
    sign: int = 1
    slots: tuple[Slot, ...] = ()
    through: tuple[Through | Along, ...] = ()

    @property
    def tensors(self) -> tuple[str, ...]:
        """The one tensor it moves."""
        return (self.tensor,)

    def reads(self, g: Tensor, names: Collection[str]) -> tuple[str, ...]:  # noqa: D102
        return (self.tensor, *(step.weight for step in self.through)) if self.tensor in names else ()

    def moved(  # noqa: D102
        self, group: AbstractGroup, g: Tensor, names: Collection[str], current: Mapping[str, Tensor], before: Mapping[str, Tensor]
    ) -> Params:
        # All shifts of a factor read the parameters as they were before it.
        if self.tensor not in names:
            return {}
        x = current[self.tensor]
        return {self.tensor: x + self.delta(g, before).to(x)}

    def delta(self, t: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Return the full shift of the parameter, zero outside the region.

        Args:
            t: The translation, of shape ``[n]``.
            params: Parameters by name; the weights on the way are read.
        """
        x = params[self.tensor]
        for step in self.through:
            t = step.apply(t, params)
        t = t.reshape(self.shape) * self.sign
        index, sizes, _ = unfold({slot.axis: slot for slot in self.slots}, tuple(x.shape))
        order = [d for d in self.dims if d is not None]
        t = t.permute(order).reshape([n if d is not None else 1 for n, d in zip(sizes, self.dims, strict=True)])
        shape = list(x.shape)
        for axis, positions in index:
            shape[axis] = len(positions)
        return replace(x.new_zeros(x.shape).to(t), index, t.expand(sizes).reshape(shape))
