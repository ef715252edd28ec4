"""The points of an orbit by coordinates, and their costs."""

from collections.abc import Callable
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parasym.core import BadInputError, ShapeError
from parasym.groups import SignedShift
from parasym.symmetry import Element, Flat, Move, Symmetry

Cost = Callable[[Tensor], Any]


class OrbitPoints:
    r"""The points :math:`g\theta` of an orbit of angles. Coordinates are bits: which generators take part in :math:`g`.

    Args:
        symmetry: A symmetry of angles with generators; its elements are the candidates.
        cost: Returns the cost of a vector of angles; if it has ``shots`` it takes batches ``[K, M]`` too.
        angles: The point to start from, of shape ``[M]``.
        whole: The symmetry whose elements :meth:`element` returns, of which the first is a part; the first itself if ``None``.

    Raises:
        BadInputError: If the symmetry is not one of angles, or no part of the whole.
        ShapeError: If there are more or fewer angles.

    Attributes:
        seen: Pairs of coordinates and a cost, in the order of evaluation.
    """

    def __init__(self, symmetry: Symmetry, cost: Cost, angles: Tensor, *, whole: Symmetry | None = None) -> None:
        self.symmetry, self.cost, self.angles = symmetry, cost, angles.detach().to(torch.float64)
        size = sum(prod(shape) for _, shape in symmetry.shapes)
        if angles.shape != (size,):
            raise ShapeError(
                f"Argument `angles` must be a vector of {size} angles, those of "
                f"{', '.join(n for n, _ in symmetry.shapes)} flattened "
                f"and joined, but has shape {tuple(angles.shape)}."
            )
        if len(symmetry.factors) > 1 or len(symmetry.groups(SignedShift)) < len(symmetry.factors):
            raise BadInputError("Argument `symmetry` must be that of a circuit: sign flips and half turns of angles.")
        self.whole = symmetry if whole is None else whole
        if symmetry is not self.whole and symmetry.factors:
            self.whole.cosets(symmetry)  # refuses what is no part of it
        self.seen: list[tuple[tuple[int, ...], float]] = []

    @property
    def rank(self) -> int:
        """Number of generators; there are ``2**rank`` points."""
        return self._group.rank if self._group else 0

    @property
    def start(self) -> Tensor:
        """The coordinates of the start: no generator, of shape ``[rank]``."""
        return torch.zeros(self.rank, dtype=torch.int64)

    def costs(self, coordinates: Tensor) -> Tensor:
        """Return costs, of shape ``[k]``; every call evaluates anew.

        Args:
            coordinates: Bits of shape ``[k, rank]``.

        Raises:
            BadInputError: If a cost is not finite.
        """
        points = self.at(coordinates)
        if getattr(self.cost, "batched", False):
            values = torch.as_tensor(self.cost(points), dtype=torch.float64).detach()
        else:
            values = torch.tensor([float(self.cost(point)) for point in points], dtype=torch.float64)
        if not bool(values.isfinite().all()):
            raise BadInputError("Argument `cost` must return finite numbers, but returned NaN or infinity on the orbit.")
        self.seen += list(zip(map(tuple, coordinates.tolist()), values.tolist(), strict=True))
        return values

    def at(self, coordinates: Tensor) -> Tensor:
        """Return angles, of shape ``[k, M]``.

        Args:
            coordinates: Bits of shape ``[k, rank]``.
        """
        out = self.angles.repeat(len(coordinates), 1)
        if self._group is not None:
            moved = self._group.act(self.bits(coordinates), out[:, self._places], 1)
            out[:, self._places] = moved
        return out

    def signs(self, coordinates: Tensor) -> Tensor:
        """Return the factors by which derivatives and momenta of the angles are multiplied, of shape ``[k, M]``.

        Args:
            coordinates: Bits of shape ``[k, rank]``.
        """
        out = torch.ones(len(coordinates), len(self.angles), dtype=torch.float64)
        if self._group is not None:
            out[:, self._places] = 1.0 - 2.0 * self.bits(coordinates)[:, 0].to(torch.float64)
        return out

    def element(self, coordinates: Tensor) -> Element:
        """Return the element of a point.

        Args:
            coordinates: Bits of shape ``[rank]``.
        """
        factors = self.whole.only(SignedShift).factors if self._group is not None else ()
        return Element(self.whole, tuple(Move(f.id, self.bits(coordinates[None])[0]) for f in factors))

    def bits(self, coordinates: Tensor) -> Tensor:
        """Return elements of the group, of shape ``[k, 2, moved]``.

        Args:
            coordinates: Bits of shape ``[k, rank]``.
        """
        return (coordinates.to(torch.int64) @ self._generators % 2).reshape(len(coordinates), 2, -1)

    def actions(self) -> list[int]:
        """Return what every generator does, as a number: bit ``j`` flips angle ``j``, bit ``M + j`` shifts it."""
        size = len(self.angles)
        where = [*self._places.tolist(), *(size + j for j in self._places.tolist())]
        return [sum(1 << where[j] for j in row.nonzero().flatten().tolist()) for row in self._generators]

    @property
    def _group(self) -> SignedShift | None:
        return next(iter(self.symmetry.groups(SignedShift)), None)

    @cached_property
    def _generators(self) -> Tensor:
        group = self._group
        if group is None:
            return torch.zeros(0, 0, dtype=torch.int64)
        bits = np.unpackbits(group.packed, axis=1, bitorder="little")[:, : 2 * group.size]
        return torch.from_numpy(bits.astype(np.int64))

    @cached_property
    def _places(self) -> Tensor:
        """Where the angles that the group moves are in the whole vector."""
        if self._group is None:
            return torch.zeros(0, dtype=torch.int64)
        start, where = 0, {}
        for name, shape in self.symmetry.shapes:
            where[name] = range(start, start + prod(shape))
            start += prod(shape)
        bindings = self.symmetry.factors[0].bindings
        return torch.tensor([j for b in bindings if isinstance(b, Flat) for name, _ in b.parts for j in where[name]])
