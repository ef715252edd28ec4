"""Parts of tensors that change places as wholes: experts, parallel branches, heads of their own modules."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from parasym.core import Params
from parasym.groups import AbstractGroup
from parasym.symmetry.binding import AbstractBinding, Slot, replace, select, unfold


@dataclass(frozen=True)
class Part:
    """A tensor, or the part of it that its slots leave.

    Attributes:
        tensor: Name of the parameter or buffer.
        slots: How axes are restricted; other axes are whole.
    """

    tensor: str
    slots: tuple[Slot, ...] = ()

    def index(self, x: Tensor) -> tuple[tuple[int, Tensor], ...]:
        """Return the positions of the part in its tensor, axis by axis."""
        return unfold({slot.axis: slot for slot in self.slots}, tuple(x.shape))[0]


@dataclass(frozen=True)
class Swap(AbstractBinding):
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

    def reads(self, g: Tensor, names: Collection[str]) -> tuple[str, ...]:
        """Return the names of the tensors whose parts come, and of those that are replaced only in part."""
        out: dict[str, None] = {}
        for part, source in self._arrivals(g, names):
            # A tensor that comes as a whole needs nothing of the one it replaces.
            out |= {source.tensor: None} if not part.slots else {part.tensor: None, source.tensor: None}
        return tuple(out)

    def moved(  # noqa: D102
        self, group: AbstractGroup, g: Tensor, names: Collection[str], current: Mapping[str, Tensor], before: Mapping[str, Tensor]
    ) -> Params:
        out: Params = {}
        for part, source in self._arrivals(g, names):
            content = select(before[source.tensor], source.index(before[source.tensor]))
            if part.slots:
                x = out[part.tensor] if part.tensor in out else current[part.tensor]
                content = replace(x, part.index(x), content)
            out[part.tensor] = content
        return out

    @cached_property
    def _places(self) -> dict[str, list[tuple[int, int]]]:
        """For every tensor the numbers of the members and parts that lie in it."""
        out: dict[str, list[tuple[int, int]]] = {}
        for i, member in enumerate(self.members):
            for j, part in enumerate(member):
                out.setdefault(part.tensor, []).append((i, j))
        return out

    def _arrivals(self, g: Tensor, names: Collection[str]) -> Iterator[tuple[Part, Part]]:
        """Yield the parts in some tensors, each with the part that comes to it."""
        order = g.tolist()
        for name, places in self._places.items():
            for i, j in places if name in names else ():
                yield self.members[i][j], self.members[order[i]][j]
