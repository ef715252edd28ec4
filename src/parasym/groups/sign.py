"""Sign flips of single channels."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from parasym.groups.abstract import AbstractGroup, along


@dataclass(frozen=True)
class SignFlip(AbstractGroup):
    r"""The group :math:`\{\pm 1\}^n` flipping each channel on its own.

    If :math:`\sigma(-z) = -\sigma(z)`, then for :math:`s \in \{\pm 1\}^n`

    .. math:: W_2\,\sigma(W_1 x + b_1) = (W_2 \operatorname{diag}(s))\,\sigma(\operatorname{diag}(s)(W_1 x + b_1)).

    With the permutations of the same wire it forms the hyperoctahedral group.

    Example:
        >>> group = SignFlip(2)
        >>> s, W1, W2 = torch.tensor([1.0, -1.0]), torch.tensor([[1.0], [2.0]]), torch.tensor([[3.0, 1.0]])
        >>> V1, V2 = group.act(s, W1, 0), group.act(s, W2, 1, dual=True)
        >>> W2 @ W1.tanh(), V2 @ V1.tanh()  # odd: equal
        (tensor([[3.2488]]), tensor([[3.2488]]))
        >>> W2 @ W1.relu(), V2 @ V1.relu()  # not odd: different
        (tensor([[5.]]), tensor([[3.]]))

    References:
        Chen, Lu, Hecht-Nielsen. On the geometry of feedforward neural network error surfaces. 1993.
    """

    symbol = "signs"
    word = "sign"
    flips = True
    continuous = False
    element_ndim = 1

    @property
    def order(self) -> int:  # noqa: D102
        return 2**self.size

    def identity(self, batch: tuple[int, ...] = (), *, dtype: torch.dtype, device: torch.device | str = "cpu") -> Tensor:  # noqa: D102
        return torch.ones(*batch, self.size, dtype=dtype, device=device)

    def sample(  # noqa: D102
        self,
        batch: tuple[int, ...] = (),
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        bits = torch.randint(0, 2, (*batch, self.size), generator=generator)
        return (1 - 2 * bits).to(dtype=dtype, device=device)

    def compose(self, g: Tensor, h: Tensor) -> Tensor:  # noqa: D102
        return g * h

    def inverse(self, g: Tensor) -> Tensor:  # noqa: D102
        return g.clone()

    def act(self, g: Tensor, x: Tensor, axis: int, *, dual: bool = False) -> Tensor:  # noqa: D102
        self.check(x, axis)
        return x * along(g, g.ndim - 1, x, axis).to(x)

    def align(self, products: Tensor) -> Tensor:  # noqa: D102
        return torch.where(products.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0).to(products)

    def product(self, g: Tensor, products: Tensor) -> Tensor:  # noqa: D102
        return (g * products.diagonal(dim1=-2, dim2=-1)).double().sum(-1)

    def orient(self, vector: Tensor) -> Tensor:  # noqa: D102
        return torch.where(vector < 0, -1.0, 1.0).to(vector)

    def conjugate(self, g: Tensor, p: Tensor) -> Tensor:  # noqa: D102
        return torch.take_along_dim(g, p, dim=-1)

    def elements(self) -> Iterator[Tensor]:  # noqa: D102
        for signs in product((1.0, -1.0), repeat=self.size):
            yield torch.tensor(signs, dtype=torch.float64)
