"""Translations by a vector, carried by the parameters that absorb it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from parasym.groups.abstract import AbstractGroup, along


@dataclass(frozen=True)
class Translation(AbstractGroup):
    r"""The additive group :math:`\mathbb{R}^n`.

    Softmax does not see a constant along its axis, so a key bias moves freely:

    .. math:: \operatorname{softmax}_s\bigl(q\cdot(k_s + t)\bigr) = \operatorname{softmax}_s(q\cdot k_s).

    A translation adds; the dual adds the opposite. Where it is added, and where it is
    absorbed, is said by the bindings of the factor.

    Example:
        >>> group = Translation(2)
        >>> t = torch.tensor([1.0, -1.0])
        >>> group.act(t, torch.tensor([5.0, 5.0]), 0), group.act(t, torch.tensor([5.0, 5.0]), 0, dual=True)
        (tensor([6., 4.]), tensor([4., 6.]))

    References:
        Kunin et al. Neural mechanics. ICLR 2021, https://arxiv.org/abs/2012.04728
    """

    symbol = "shift"
    word = "shift"
    continuous = True
    element_ndim = 1

    @property
    def dimension(self) -> int:  # noqa: D102
        return self.size

    @property
    def algebra_shape(self) -> tuple[int, ...]:  # noqa: D102
        return (self.size,)

    def identity(self, batch: tuple[int, ...] = (), *, dtype: torch.dtype, device: torch.device | str = "cpu") -> Tensor:  # noqa: D102
        return torch.zeros(*batch, self.size, dtype=dtype, device=device)

    def sample(  # noqa: D102
        self,
        batch: tuple[int, ...] = (),
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        return torch.randn(*batch, self.size, generator=generator, dtype=torch.float64).to(dtype=dtype, device=device)

    def compose(self, g: Tensor, h: Tensor) -> Tensor:  # noqa: D102
        return g + h

    def inverse(self, g: Tensor) -> Tensor:  # noqa: D102
        return -g

    def exp(self, xi: Tensor) -> Tensor:  # noqa: D102
        return xi

    def act(self, g: Tensor, x: Tensor, axis: int, *, dual: bool = False) -> Tensor:  # noqa: D102
        self.check(x, axis)
        return x + along(-g if dual else g, g.ndim - 1, x, axis).to(x)
