"""Translations along fixed directions."""

from dataclasses import dataclass

import torch
from torch import Tensor

from parasym.core import BadInputError
from parasym.groups.abstract import AbstractGroup, along


@dataclass(frozen=True)
class Drift(AbstractGroup):
    r"""The additive group :math:`\mathbb{R}^d` moving channels along fixed directions.

    .. math:: x \mapsto x + \sum_i t_i v_i.

    Two rotations about the same Pauli word with nothing in between that tells them apart only see the sum of their angles:

    .. math:: R_P(a + t)\,R_P(b - t) = R_P(a)\,R_P(b).

    Elements are the coordinates ``t`` of shape ``[d]``. The dual moves the other way.

    Attributes:
        size: Number of channels ``n``.
        directions: Independent directions, each of ``n`` numbers; all unit vectors if ``None``.

    Example:
        >>> group = Drift(2, ((1.0, -1.0),))
        >>> a, t = torch.tensor([0.5, 0.2]), torch.tensor([2.0])
        >>> b = group.act(t, a, 0)
        >>> b, (a.sum().cos(), b.sum().cos()), (a.cos().prod(), b.cos().prod())  # of the sum: equal; of another: different
        (tensor([ 2.5000, -1.8000]), (tensor(0.7648), tensor(0.7648)), (tensor(0.8601), tensor(0.1820)))
    """

    directions: tuple[tuple[float, ...], ...] | None = None

    symbol = "drift"
    continuous = True
    element_ndim = 1

    def __post_init__(self) -> None:
        if any(len(v) != self.size for v in self.directions or ()):
            raise BadInputError(f"Argument `directions` must have {self.size} numbers each.")

    @property
    def label(self) -> str:  # noqa: D102
        return f"{self.symbol}({self.dimension})"

    @property
    def dimension(self) -> int:  # noqa: D102
        return self.size if self.directions is None else len(self.directions)

    @property
    def algebra_shape(self) -> tuple[int, ...]:  # noqa: D102
        return (self.dimension,)

    def identity(self, batch: tuple[int, ...] = (), *, dtype: torch.dtype, device: torch.device | str = "cpu") -> Tensor:  # noqa: D102
        return torch.zeros(*batch, self.dimension, dtype=dtype, device=device)

    def sample(  # noqa: D102
        self,
        batch: tuple[int, ...] = (),
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        return torch.randn(*batch, self.dimension, generator=generator, dtype=torch.float64).to(dtype=dtype, device=device)

    def compose(self, g: Tensor, h: Tensor) -> Tensor:  # noqa: D102
        return g + h

    def inverse(self, g: Tensor) -> Tensor:  # noqa: D102
        return -g

    def exp(self, xi: Tensor) -> Tensor:  # noqa: D102
        return xi

    def act(self, g: Tensor, x: Tensor, axis: int, *, dual: bool = False) -> Tensor:  # noqa: D102
        self.check(x, axis)
        step = g.to(x)
        if self.directions is not None:
            step = step @ torch.tensor(self.directions, dtype=torch.float64).reshape(-1, self.size).to(x)
        return x + along(-step if dual else step, g.ndim - 1, x, axis)
