"""Permutations, all of them or those that keep given cells."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import torch
from torch import Tensor

from parasym.core import ShapeError
from parasym.groups.abstract import AbstractGroup, along
from parasym.groups.assignment import assign


@dataclass(frozen=True)
class Permutation(AbstractGroup):
    r"""The symmetric group :math:`S_n`, or the Young subgroup that keeps every cell.

    An element is an integer tensor ``p`` of shape ``[n]`` and acts by ``y[i] = x[p[i]]``. For
    every element-wise :math:`\sigma`

    .. math:: W_2\,\sigma(W_1 x + b_1) = (W_2 P^\top)\,\sigma(P W_1 x + P b_1).

    A permutation matrix is orthogonal, so the dual action is the same action.

    Attributes:
        size: Number of channels ``n``.
        cells: Partition of ``range(n)`` into tuples of exchangeable channels; empty means one cell.

    Example:
        >>> group = Permutation(3)
        >>> p = torch.tensor([2, 0, 1])
        >>> group.act(p, torch.tensor([10.0, 20.0, 30.0]), 0)
        tensor([30., 10., 20.])
        >>> Permutation(4, cells=((0, 1), (2, 3))).order, Permutation(4).order
        (4, 24)

    References:
        Hecht-Nielsen. On the algebraic structure of feedforward network weight spaces. 1990.
    """

    cells: tuple[tuple[int, ...], ...] = ()

    symbol = "S"
    word = "permutation"
    permutes = True
    continuous = False
    element_ndim = 1

    @property
    def order(self) -> int:  # noqa: D102
        return math.prod(math.factorial(len(cell)) for cell in self.partition)

    @property
    def label(self) -> str:  # noqa: D102
        return " x ".join(f"S({len(cell)})" for cell in self.partition if len(cell) > 1) or "S(1)"

    @property
    def partition(self) -> tuple[tuple[int, ...], ...]:
        """The cells, or the one cell of all channels."""
        return self.cells or (tuple(range(self.size)),)

    def identity(self, batch: tuple[int, ...] = (), *, dtype: torch.dtype, device: torch.device | str = "cpu") -> Tensor:  # noqa: D102
        return torch.arange(self.size, device=device).expand(*batch, self.size).clone()

    def sample(  # noqa: D102
        self,
        batch: tuple[int, ...] = (),
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        g = self.identity(batch, dtype=dtype)
        flat = g.view(-1, self.size)
        for cell in self.partition:
            if len(cell) > 1:
                index = torch.tensor(cell)
                order = torch.rand(flat.shape[0], len(cell), generator=generator).argsort(dim=1)
                flat[:, index] = index[order]
        return g.to(device)

    def compose(self, g: Tensor, h: Tensor) -> Tensor:  # noqa: D102
        shape = torch.broadcast_shapes(g.shape, h.shape)
        return torch.gather(h.expand(shape), -1, g.expand(shape))

    def inverse(self, g: Tensor) -> Tensor:  # noqa: D102
        return torch.argsort(g, dim=-1)

    def act(self, g: Tensor, x: Tensor, axis: int, *, dual: bool = False) -> Tensor:  # noqa: D102
        self.check(x, axis)
        if g.shape[-1] != self.size:
            raise ShapeError(f"Argument `g` must have length {self.size}, but has shape {tuple(g.shape)}.")
        g = g.to(x.device)
        if g.ndim == 1:
            return x.index_select(axis, g)
        return torch.take_along_dim(x, along(g, g.ndim - 1, x, axis), dim=axis)

    def align(self, products: Tensor) -> Tensor:  # noqa: D102
        return self.realign(products, [])

    def realign(self, products: Tensor, memory: list[Any]) -> Tensor:  # noqa: D102
        flat = products.reshape(-1, self.size, self.size)
        solved = [assign(c, self.cells, prices) for c, prices in zip(flat, memory or [None] * len(flat), strict=True)]
        memory[:] = [prices for _, prices in solved]
        return torch.stack([p for p, _ in solved]).to(products.device).reshape(products.shape[:-1])

    def product(self, g: Tensor, products: Tensor) -> Tensor:  # noqa: D102
        return products.gather(-1, g.to(products.device).unsqueeze(-1)).squeeze(-1).double().sum(-1)

    def sort(self, keys: Tensor) -> Tensor:  # noqa: D102
        p = self.identity(tuple(keys.shape[:-1]), dtype=keys.dtype, device=keys.device)
        for cell in self.partition:
            index = torch.tensor(cell, device=keys.device)
            p[..., index] = index[keys[..., index].argsort(dim=-1)]
        return p

    def elements(self) -> Iterator[Tensor]:  # noqa: D102
        for images in product(*(permutations(cell) for cell in self.partition)):
            p = torch.arange(self.size)
            for cell, image in zip(self.partition, images, strict=True):
                p[list(cell)] = torch.tensor(image)
            yield p
