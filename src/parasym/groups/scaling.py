"""Positive scalings of single channels."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from parasym.groups.abstract import AbstractGroup, along
from parasym.groups.least_norm import balancing_log, best_log


@dataclass(frozen=True)
class PositiveScaling(AbstractGroup):
    r"""The group :math:`\mathbb{R}_{>0}^n` rescaling each channel on its own.

    If :math:`\sigma(cz) = c\,\sigma(z)` for all :math:`c > 0`, then for any :math:`s \in \mathbb{R}_{>0}^n`

    .. math::
        W_2\,\sigma(W_1 x + b_1) = \bigl(W_2 \operatorname{diag}(s)^{-1}\bigr)\,
        \sigma\bigl(\operatorname{diag}(s)\,(W_1 x + b_1)\bigr).

    ReLU and LeakyReLU are positively homogeneous; GELU and tanh are not, and ``act`` does not
    check this: ``parasym.verify`` does.

    Example:
        >>> group = PositiveScaling(2)
        >>> W1, W2 = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 1.0]])
        >>> s, x = torch.tensor([2.0, 0.5]), torch.tensor([1.0, 1.0])
        >>> V1, V2 = group.act(s, W1, 0), group.act(s, W2, 1, dual=True)
        >>> W2 @ (W1 @ x).relu(), V2 @ (V1 @ x).relu()  # homogeneous: equal
        (tensor([10.]), tensor([10.]))
        >>> W2 @ (W1 @ x).tanh(), V2 @ (V1 @ x).tanh()  # not homogeneous: different
        (tensor([1.9951]), tensor([2.4963]))

    References:
        Neyshabur, Salakhutdinov, Srebro. Path-SGD. NeurIPS 2015, https://arxiv.org/abs/1506.02617
    """

    symbol = "scale"
    word = "scale"
    scales = True
    continuous = True
    element_ndim = 1

    @property
    def dimension(self) -> int:  # noqa: D102
        return self.size

    @property
    def algebra_shape(self) -> tuple[int, ...]:  # noqa: D102
        return (self.size,)

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
        log = torch.rand(*batch, self.size, generator=generator, dtype=torch.float64) * 1.4 - 0.7
        return log.exp().to(dtype=dtype, device=device)

    def compose(self, g: Tensor, h: Tensor) -> Tensor:  # noqa: D102
        return g * h

    def inverse(self, g: Tensor) -> Tensor:  # noqa: D102
        return 1 / g

    def power(self, g: Tensor, exponent: float) -> Tensor:  # noqa: D102
        return g if exponent == 1 else g**exponent

    def exp(self, xi: Tensor) -> Tensor:  # noqa: D102
        return xi.exp()

    def act(self, g: Tensor, x: Tensor, axis: int, *, dual: bool = False) -> Tensor:  # noqa: D102
        self.check(x, axis)
        return x * along(self.inverse(g) if dual else g, g.ndim - 1, x, axis).to(x)

    def balance(self, squares: Mapping[Fraction, Tensor]) -> Tensor:  # noqa: D102
        return balancing_log(squares).exp()

    def fit(  # noqa: D102
        self, own: Mapping[Fraction, Tensor], products: Mapping[Fraction, Tensor], other: Mapping[Fraction, Tensor]
    ) -> Tensor:
        return best_log(other, products).exp()

    def conjugate(self, g: Tensor, p: Tensor) -> Tensor:  # noqa: D102
        return torch.take_along_dim(g, p, dim=-1)
