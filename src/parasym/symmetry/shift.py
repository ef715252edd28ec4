"""How a translation reaches the parameters: added to one, absorbed by another."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from parasym.core import Params
from parasym.groups import AbstractGroup
from parasym.symmetry.binding import AbstractBinding, Slot, replace, select, unfold


@dataclass(frozen=True)
class Through:
    r"""A weight that carries a translation on: :math:`t \mapsto W t`, a contraction with some axes of ``t``.

    The axes of the result are those of ``t`` that did not meet the weight, in order, and then those of the weight along which the
    result lies, such as the groups of a convolution, which both have. All other axes of the weight are summed over.

    Attributes:
        weight: Name of the parameter.
        shape: Shape as which ``t`` is read.
        dims: For every unflattened axis of the weight, the axis of ``t`` that it meets, or ``None``.
        out: Unflattened axes of the weight along which the result lies.
        slots: How axes of the weight are unflattened or restricted; other axes are whole.
    """

    weight: str
    shape: tuple[int, ...]
    dims: tuple[int | None, ...]
    out: tuple[int, ...]
    slots: tuple[Slot, ...] = ()

    def apply(self, t: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Return the contraction, flattened.

        Args:
            t: The translation, of as many entries as :attr:`shape`.
            params: Parameters by name.
        """
        weight = params[self.weight]
        index, sizes, _ = unfold({slot.axis: slot for slot in self.slots}, tuple(weight.shape))
        part = select(weight, index).reshape(sizes)
        mine = [d if d is not None else len(self.shape) + k for k, d in enumerate(self.dims)]
        left = [d for d in range(len(self.shape)) if d not in self.dims]
        t = t.to(part).reshape(self.shape)
        return torch.einsum(t, [*range(len(self.shape))], part, mine, [*left, *(mine[k] for k in self.out)]).reshape(-1)


@dataclass(frozen=True)
class Along:
    r"""A vector that carries a translation on channel by channel: :math:`t \mapsto (v + o)^{p} \odot t`.

    Attributes:
        weight: Name of the parameter or buffer ``v`` of shape ``[n]``, or of a single number.
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
class Inverse:
    r"""A gain that carries a translation on by its inverse: :math:`t \mapsto t \otimes u` with ``u`` along :math:`1 / (g + o)`.

    If :math:`\sum_c n_c = 0`, then :math:`\sum_c u_c\,((g + o)_c n_c + \beta_c) = \sum_c u_c \beta_c` does not depend on ``n``:
    rows of a weight behind a LayerNorm may move along ``u``, and the bias behind the weight takes what ``β`` leaves of it.

    The length of ``u`` is one, so that a row moves as far as ``t`` says, however small the gain is. An entry that is zero has no
    inverse; as it goes to zero ``u`` becomes the direction of that entry alone. So where entries are zero ``u`` is the same at
    all of them and zero elsewhere, which is exact too, since nothing of ``n`` comes through there.

    Attributes:
        gain: Name of the parameter ``g``.
        offset: The number ``o``.

    Example:
        >>> gain, n, w = torch.tensor([2.0, 1.0, 1.0]), torch.tensor([1.0, 2.0, -3.0]), torch.tensor([4.0, 5.0, 6.0])
        >>> u = Inverse("g").apply(torch.tensor([3.0]), {"g": gain})
        >>> u, w @ (gain * n), (w + u) @ (gain * n)
        (tensor([1., 2., 2.]), tensor(0.), tensor(0.))
        >>> w @ (gain * n.abs()), (w + u) @ (gain * n.abs())  # which does not sum to zero
        (tensor(36.), tensor(48.))
        >>> Inverse("g").apply(torch.ones(1), {"g": torch.tensor([2.0, 0.0, 1.0])})
        tensor([0., 1., 0.])
    """

    gain: str
    offset: float = 0.0

    @property
    def weight(self) -> str:
        """The parameter that is read, as of the other ways to carry a translation on."""
        return self.gain

    def apply(self, t: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Return the product of every entry of ``t`` with every entry of ``u``, flattened."""
        gain = params[self.gain].reshape(-1).to(t) + self.offset
        zero = gain == 0
        u = torch.where(zero, 1.0, gain.abs().min() / torch.where(zero, 1.0, gain))  # no entry is larger than one
        return (t.reshape(-1, 1) * (u / u.norm())).reshape(-1)


Via = Through | Along | Inverse
"""A way to carry a translation on."""


@dataclass(frozen=True)
class Shift(AbstractBinding):
    r"""One parameter that a translation moves: ``tensor += times * W_k ... W_1 t``.

    The element ``t`` is read as a tensor of shape ``shape``. Its axis ``dims[k]`` runs along unflattened axis
    ``k`` of the parameter; where ``dims[k]`` is ``None`` the shift is constant.

    Attributes:
        tensor: Name of the parameter or buffer.
        shape: Shape as which ``t`` is read once it went through.
        dims: For every unflattened axis of the parameter, the axis of ``t`` or ``None``.
        times: A number, mostly 1 or -1.
        slots: How axes are unflattened or restricted; other axes are whole.
        through: Weights on the way, first to last.
    """

    tensor: str
    shape: tuple[int, ...]
    dims: tuple[int | None, ...]
    times: float = 1.0
    slots: tuple[Slot, ...] = ()
    through: tuple[Via, ...] = ()

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
        t = t.reshape(self.shape) * self.times
        index, sizes, _ = unfold({slot.axis: slot for slot in self.slots}, tuple(x.shape))
        order = [d for d in self.dims if d is not None]
        t = t.permute(order).reshape([n if d is not None else 1 for n, d in zip(sizes, self.dims, strict=True)])
        shape = list(x.shape)
        for axis, positions in index:
            shape[axis] = len(positions)
        return replace(x.new_zeros(x.shape).to(t), index, t.expand(sizes).reshape(shape))
