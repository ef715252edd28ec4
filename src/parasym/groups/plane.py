"""Rotations (and scalings) of fixed planes: what commutes with rotary embeddings."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from parasym.groups.abstract import AbstractGroup, along
from parasym.groups.least_norm import balancing_log, best_log


@dataclass(frozen=True)
class PlaneRotation(AbstractGroup):
    r"""The group :math:`U(1)^n`, or :math:`(\mathbb{C}^*)^n` with ``scale``, one factor per plane.

    Rotary embeddings rotate plane ``i`` of a query or key by an angle that depends on the position.
    What commutes with all rotations of a plane is multiplication by a complex number:

    .. math:: (z_i q_i)\,\overline{(\bar z_i^{-1} k_i)} = q_i\,\bar k_i.

    Elements are complex tensors of shape ``[n]``. The axis has length ``2n``: the ``n`` real parts,
    then the ``n`` imaginary parts. The dual action is by :math:`\bar z^{-1}`.

    Attributes:
        size: Number of planes ``n``.
        scale: Whether moduli other than 1 are allowed.

    Example:
        >>> group = PlaneRotation(1)
        >>> z = torch.tensor([0.0 + 2.0j])
        >>> q, k = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
        >>> q @ k, group.act(z, q, 0) @ group.act(z, k, 0, dual=True), group.act(z, q, 0)
        (tensor(11.), tensor(11.), tensor([-4.,  2.]))

    References:
        Su et al. RoFormer. 2021, https://arxiv.org/abs/2104.09864
    """

    scale: bool = True

    symbol = "planes"
    word = "planes"
    continuous = True
    element_ndim = 1

    @property
    def contains(self) -> tuple[str, ...]:  # noqa: D102
        return ("scale",) if self.scale else ()

    @property
    def isometric(self) -> bool:  # noqa: D102
        return not self.scale

    @property
    def length(self) -> int:  # noqa: D102
        return 2 * self.size

    @property
    def dimension(self) -> int:  # noqa: D102
        return self.size * (2 if self.scale else 1)

    @property
    def algebra_shape(self) -> tuple[int, ...]:  # noqa: D102
        return (self.dimension,)

    def identity(self, batch: tuple[int, ...] = (), *, dtype: torch.dtype, device: torch.device | str = "cpu") -> Tensor:  # noqa: D102
        return torch.ones(*batch, self.size, dtype=_complex(dtype), device=device)

    def sample(  # noqa: D102
        self,
        batch: tuple[int, ...] = (),
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        angle = torch.rand(*batch, self.size, generator=generator, dtype=torch.float64) * (2 * torch.pi)
        log = torch.rand(*batch, self.size, generator=generator, dtype=torch.float64) * 1.4 - 0.7
        modulus = log.exp() if self.scale else torch.ones_like(log)
        return torch.polar(modulus, angle).to(dtype=_complex(dtype), device=device)

    def compose(self, g: Tensor, h: Tensor) -> Tensor:  # noqa: D102
        return g * h

    def inverse(self, g: Tensor) -> Tensor:  # noqa: D102
        return 1 / g

    def exp(self, xi: Tensor) -> Tensor:  # noqa: D102
        angle = xi[..., : self.size]
        log = xi[..., self.size :] if self.scale else torch.zeros_like(angle)
        return torch.complex(log, angle).exp()

    def act(self, g: Tensor, x: Tensor, axis: int, *, dual: bool = False) -> Tensor:  # noqa: D102
        self.check(x, axis)
        axis = axis % x.ndim
        z = g / (g.real.square() + g.imag.square()) if dual else g  # the inverse, conjugated
        real, imag = (along(part, g.ndim - 1, x, axis).to(x) for part in (z.real, z.imag))
        a, b = x.split(self.size, dim=axis)
        return torch.cat((real * a - imag * b, imag * a + real * b), dim=axis)

    def align(self, products: Tensor) -> Tensor:  # noqa: D102
        return _unit(_plane_products(products))

    def attained(self, products: Tensor) -> Tensor:  # noqa: D102
        return _plane_products(products).abs().sum(-1)

    def balance(self, squares: Mapping[Fraction, Tensor]) -> Tensor:  # noqa: D102
        return _real(balancing_log({p: self._of_planes(x) for p, x in squares.items()}).exp())

    def fit(  # noqa: D102
        self, own: Mapping[Fraction, Tensor], products: Mapping[Fraction, Tensor], other: Mapping[Fraction, Tensor]
    ) -> Tensor:
        alpha, beta = ({p: self._of_planes(x) for p, x in side.items()} for side in (other, products))
        return _real(best_log(alpha, beta).exp())

    def orient(self, vector: Tensor) -> Tensor:  # noqa: D102
        real, imag = vector.chunk(2, dim=-1)
        return _unit(torch.complex(real.contiguous(), imag.contiguous())).conj()

    def conjugate(self, g: Tensor, p: Tensor) -> Tensor:  # noqa: D102
        return torch.take_along_dim(g, p, dim=-1)

    def _of_planes(self, x: Tensor) -> Tensor:
        """Return what counts for both axes of every plane."""
        return x.unflatten(-1, (2, self.size)).sum(-2)


def _plane_products(c: Tensor) -> Tensor:
    r"""Return :math:`\langle a_i, b_i \rangle` of every plane as a complex number."""
    n = c.shape[-1] // 2
    real = (c[..., :n, :n] + c[..., n:, n:]).diagonal(dim1=-2, dim2=-1)
    imag = (c[..., n:, :n] - c[..., :n, n:]).diagonal(dim1=-2, dim2=-1)
    return torch.complex(real.contiguous(), imag.contiguous())


def _unit(z: Tensor) -> Tensor:
    size = z.abs()
    return torch.where(size > 0, z / size.clamp_min(torch.finfo(size.dtype).tiny), torch.ones_like(z))


def _real(x: Tensor) -> Tensor:
    return torch.complex(x, torch.zeros_like(x))


def _complex(dtype: torch.dtype) -> torch.dtype:
    return torch.complex128 if dtype == torch.float64 else torch.complex64
