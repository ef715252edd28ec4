"""How a translation reaches the parameters: added to one, absorbed by another."""

from dataclasses import dataclass

from torch import Tensor

from parasym.core import Params
from parasym.symmetry.binding import Slot, replace, select, unfold


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

    def apply(self, t: Tensor, params: Params) -> Tensor:
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

    def apply(self, t: Tensor, params: Params) -> Tensor:
        """Return the product, of shape ``[n]``."""
        vector = params[self.weight].reshape(-1).to(t)
        return t * (vector + self.offset) ** self.power


@dataclass(frozen=True)
class Shift:
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

    def delta(self, t: Tensor, params: Params) -> Tensor:
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


def apply_shifts(shifts: tuple[Shift, ...], t: Tensor, params: Params) -> Params:
    """Return ``params`` translated by ``t``; every shift reads the parameters as they were before."""
    out = dict(params)
    for shift in shifts:
        out[shift.tensor] = out[shift.tensor] + shift.delta(t, params).to(out[shift.tensor])
    return out
