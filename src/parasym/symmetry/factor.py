"""One factor of a symmetry: a group, the wire it acts on, and where that wire sits."""

from collections import ChainMap
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

import torch
from torch import Tensor

from parasym.core import Params, ShapeError
from parasym.groups import AbstractGroup
from parasym.symmetry.binding import Binding
from parasym.symmetry.encode import digest, encode_factor
from parasym.symmetry.flat import Flat
from parasym.symmetry.shift import Shift, Via
from parasym.symmetry.swap import Swap

_TRIES = 30
_NOTHING = 1e-6


@dataclass(frozen=True)
class Wire:
    """A bundle of channels that can only be transformed together.

    Attributes:
        name: A label: the first parameter axis that bears it, as in ``fc1.weight[0]``.
        size: Number of channels.
    """

    name: str
    size: int


@dataclass(frozen=True)
class Factor:
    """A group acting on one wire, with its own element in every slice of the outer wires.

    Attributes:
        group: The group of one slice.
        wire: The wire.
        over: The outer wires, outermost first; empty for one element in all.
        bindings: Where the wire sits: :class:`Binding` for linear actions, :class:`Shift` for translations,
            :class:`Swap` for whole parts of tensors that change places, :class:`Flat` for tensors joined into one axis.
    """

    group: AbstractGroup
    wire: Wire
    over: tuple[Wire, ...]
    bindings: tuple[Binding, ...] | tuple[Shift, ...] | tuple[Swap, ...] | tuple[Flat, ...]

    @cached_property
    def id(self) -> str:
        """The name of the factor: a digest of group, wire, outer wires and bindings, the same in every process."""
        return digest(encode_factor(self.group, self.wire, self.over, self.bindings))

    @property
    def label(self) -> str:
        """The group as it is printed, such as ``S(5)`` or ``GL(3)^2`` for one element in each of two slices."""
        count = prod(self.batch)
        return self.group.label if count == 1 else f"{self.group.label}^{count}"

    @property
    def batch(self) -> tuple[int, ...]:
        """Sizes of the outer wires: the leading axes of an element."""
        return tuple(wire.size for wire in self.over)

    @property
    def linear(self) -> bool:
        """Whether the group itself acts on axes of tensors; translations and exchanges are carried out by their bindings."""
        return any(isinstance(binding, Binding) for binding in self.bindings)

    @property
    def steps(self) -> tuple[Via, ...]:
        """The weights that translations pass through."""
        return tuple(step for binding in self.bindings if isinstance(binding, Shift) for step in binding.through)

    @property
    def order(self) -> int:
        """Order of the discrete part, over all slices."""
        return self.group.order ** prod(self.batch)

    @property
    def dimension(self) -> int:
        """Dimension of the continuous part, over all slices."""
        return self.group.dimension * prod(self.batch)

    def is_identity(self, value: Tensor) -> bool:
        """Return whether an element of the group, one for every slice, moves nothing.

        Args:
            value: The element, of shape ``[*batch, *element]``.
        """
        neutral = self.group.identity(self.batch, dtype=torch.float64, device=value.device)
        return not bool(((value - neutral).abs() > _NOTHING).any())

    def nontrivial(self, *, generator: torch.Generator | None, dtype: torch.dtype, device: torch.device | str) -> Tensor:
        """Return a random element of the group for every slice that is not the identity, if there is one.

        Args:
            generator: Source of randomness, on the CPU.
            dtype: Its precision.
            device: Its device.
        """
        draws = (self.group.sample(self.batch, generator=generator, dtype=dtype, device=device) for _ in range(_TRIES))
        found = next(draws)
        return found if not self.is_identity(found) else next((x for x in draws if not self.is_identity(x)), found)

    @cached_property
    def tensors(self) -> tuple[str, ...]:
        """Names of the tensors that the factor moves, in order."""
        return tuple(dict.fromkeys(name for binding in self.bindings for name in binding.tensors))

    def act(self, g: Tensor, params: Params) -> Params:
        """Return ``params`` moved by ``g``; tensors that no binding names are shared.

        Args:
            g: An element of shape ``[*batch, *element]``.
            params: Parameters by name. Not modified.

        Raises:
            ShapeError: If a named tensor is missing or has another shape.
        """
        for name in self.tensors:
            if name not in params:
                raise ShapeError(f"The symmetry acts on `{name}`, which is missing from the parameters.")
        return params | self.moved(g, params, self.tensors)

    def moved(self, g: Tensor, params: Mapping[str, Tensor], names: Collection[str]) -> Params:
        """Return only some tensors, moved by ``g``.

        Args:
            g: An element of shape ``[*batch, *element]``.
            params: At least what :meth:`reads` names. Not modified.
            names: Which tensors; those that the factor does not move are ignored.

        Raises:
            ShapeError: If a tensor has another shape.
        """
        out: Params = {}
        wanted, current = frozenset(names), ChainMap(out, params)  # pyright: ignore[reportArgumentType]
        for binding in self.bindings:
            out |= binding.moved(self.group, g, wanted, current, params)
        return out

    def reads(self, g: Tensor, names: Collection[str]) -> tuple[str, ...]:
        """Return the names of the tensors that must be known to move some of :attr:`tensors`.

        Args:
            g: An element of shape ``[*batch, *element]``.
            names: Which tensors are to be moved.
        """
        return tuple(dict.fromkeys(name for binding in self.bindings for name in binding.reads(g, names)))
