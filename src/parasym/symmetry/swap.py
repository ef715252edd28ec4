"""Parts of tensors that change places as wholes: experts, parallel branches, heads of their own modules."""

from dataclasses import dataclass

from torch import Tensor

from parasym.core import Params
from parasym.symmetry.binding import Slot, replace, select, unfold


@dataclass(frozen=True)
class Part:
    """A tensor, or the part of it that its slots leave.

    Attributes:
        tensor: Name of the parameter or buffer.
        slots: How axes are restricted; other axes are whole.
    """

    tensor: str
    slots: tuple[Slot, ...] = ()

    def index(self, params: Params) -> tuple[tuple[int, Tensor], ...]:
        """Return the positions of the part, axis by axis."""
        return unfold({slot.axis: slot for slot in self.slots}, tuple(params[self.tensor].shape))[0]


@dataclass(frozen=True)
class Swap:
    r"""Exchangeable members, each made of the same number of parts of the same shapes.

    If :math:`f = \sum_e g_e(x)\, E(x; \theta_e)`, then the experts may be permuted together with their gates.
    A permutation ``p`` puts member ``p[i]`` where member ``i`` was.

    Attributes:
        members: For every member its parts, in the same order.
    """

    members: tuple[tuple[Part, ...], ...]

    @property
    def tensors(self) -> tuple[str, ...]:
        """The tensors of all members."""
        return tuple(dict.fromkeys(part.tensor for member in self.members for part in member))

    def apply(self, p: Tensor, params: Params) -> Params:
        """Return ``params`` with the members permuted.

        Args:
            p: A permutation of the members.
            params: Parameters by name. Not modified.
        """
        out = dict(params)
        for member, other in zip(self.members, p.tolist(), strict=True):
            for part, source in zip(member, self.members[other], strict=True):
                content = select(params[source.tensor], source.index(params))
                out[part.tensor] = replace(out[part.tensor], part.index(params), content)
        return out
