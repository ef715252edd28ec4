"""Invertible and orthogonal matrices acting on a whole wire."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from parasym.groups.abstract import AbstractGroup
from parasym.groups.least_norm import balancing_matrix, fitted_matrix


@dataclass(frozen=True)
class AbstractMatrices(AbstractGroup):
    r"""Matrices ``g`` of shape ``[n, n]``, acting by ``g`` and dually by :math:`g^{-\top}`."""

    mixes = True
    continuous = True
    element_ndim = 2

    def identity(self, batch: tuple[int, ...] = (), *, dtype: torch.dtype, device: torch.device | str = "cpu") -> Tensor:  # noqa: D102
        return torch.eye(self.size, dtype=dtype, device=device).expand(*batch, self.size, self.size).clone()

    def compose(self, g: Tensor, h: Tensor) -> Tensor:  # noqa: D102
        return g @ h

    def act(self, g: Tensor, x: Tensor, axis: int, *, dual: bool = False) -> Tensor:  # noqa: D102
        self.check(x, axis)
        matrix = self.inverse(g).mT if dual else g
        return apply_matrix(matrix.to(x), x, axis)

    def align(self, products: Tensor) -> Tensor:
        r"""Return the rotation :math:`U V^\top` of the singular value decomposition :math:`C = U S V^\top`.

        Args:
            products: Matrices ``C`` of shape ``[*batch, n, n]``.

        Example:
            >>> Orthogonal(2).align(torch.tensor([[0.0, -2.0], [1.0, 0.0]])).round()
            tensor([[ 0., -1.],
                    [ 1.,  0.]])

        References:
            Schönemann. A generalized solution of the orthogonal Procrustes problem. 1966.
        """
        u, _, vh = torch.linalg.svd(products.double())
        return (u @ vh).to(products)

    def product(self, g: Tensor, products: Tensor) -> Tensor:  # noqa: D102
        return (g * products).sum((-2, -1), dtype=torch.float64)

    def attained(self, products: Tensor) -> Tensor:
        """Return the sum of the singular values.

        Args:
            products: Matrices of shape ``[*batch, n, n]``.
        """
        return torch.linalg.svdvals(products.double()).sum(-1).to(products)

    def diagonalize(self, gram: Tensor) -> Tensor:  # noqa: D102
        return torch.linalg.eigh(gram)[1].mT

    def orient(self, vector: Tensor) -> Tensor:  # noqa: D102
        return torch.diag_embed(torch.where(vector < 0, -1.0, 1.0).to(vector))


@dataclass(frozen=True)
class GeneralLinear(AbstractMatrices):
    r"""The group :math:`GL(n)` of invertible matrices.

    A wire touched only by linear maps, additions and contractions with its dual can be re-based:

    .. math:: W_2 (W_1 x) = (W_2 g^{-1})(g W_1 x), \qquad (g q)\cdot(g^{-\top} k) = q \cdot k.

    The dual action is by :math:`g^{-\top}`.

    Example:
        >>> group = GeneralLinear(2)
        >>> g = torch.tensor([[2.0, 1.0], [0.0, 1.0]])
        >>> q, k = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
        >>> q @ k, group.act(g, q, 0) @ group.act(g, k, 0, dual=True)
        (tensor(11.), tensor(11.))
        >>> group.act(g, q, 0) @ group.act(g, k, 0)  # the dual forgotten: different
        tensor(48.)

    References:
        Ziyin. Symmetry induces structure and constraint of learning. ICML 2024.
    """

    symbol = "GL"
    word = "linear"

    @property
    def contains(self) -> tuple[str, ...]:  # noqa: D102
        return ("permutation", "sign", "scale", "rotation")

    @property
    def dimension(self) -> int:  # noqa: D102
        return self.size**2

    @property
    def algebra_shape(self) -> tuple[int, ...]:  # noqa: D102
        return (self.size, self.size)

    def sample(  # noqa: D102
        self,
        batch: tuple[int, ...] = (),
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        shape = (*batch, self.size, self.size)
        q, _ = torch.linalg.qr(torch.randn(shape, generator=generator, dtype=torch.float64))
        r, _ = torch.linalg.qr(torch.randn(shape, generator=generator, dtype=torch.float64))
        log = torch.rand(*batch, self.size, 1, generator=generator, dtype=torch.float64) * 1.4 - 0.7
        return (q @ (log.exp() * r)).to(dtype=dtype, device=device)

    def inverse(self, g: Tensor) -> Tensor:  # noqa: D102
        return torch.linalg.inv(g)

    def exp(self, xi: Tensor) -> Tensor:  # noqa: D102
        return torch.eye(self.size, dtype=xi.dtype, device=xi.device) + xi

    def balance(self, squares: Mapping[Fraction, Tensor]) -> Tensor:  # noqa: D102
        return balancing_matrix(*_sides(squares))

    def fit(  # noqa: D102
        self, own: Mapping[Fraction, Tensor], products: Mapping[Fraction, Tensor], other: Mapping[Fraction, Tensor]
    ) -> Tensor:
        target = torch.stack(list(products.values())).sum(0)
        return fitted_matrix(_sides(own)[1], _sides(other)[0], target)


@dataclass(frozen=True)
class Orthogonal(AbstractMatrices):
    r"""The group :math:`O(n)` of rotations and reflections.

    Root-mean-square normalization without a gain commutes with it, and so does a tensor that
    meets itself in a scalar product. Primal and dual action agree.

    Example:
        >>> group = Orthogonal(2)
        >>> g = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
        >>> x = torch.tensor([3.0, 4.0])
        >>> group.act(g, x, 0).norm(), x.norm(), group.act(g, x, 0)
        (tensor(5.), tensor(5.), tensor([-1.4000,  4.8000]))

    References:
        Ashkboos et al. SliceGPT. ICLR 2024, https://arxiv.org/abs/2401.15024
    """

    symbol = "O"
    word = "rotation"

    @property
    def contains(self) -> tuple[str, ...]:  # noqa: D102
        return ("permutation", "sign")

    @property
    def isometric(self) -> bool:  # noqa: D102
        return True

    @property
    def dimension(self) -> int:  # noqa: D102
        return self.size * (self.size - 1) // 2

    @property
    def algebra_shape(self) -> tuple[int, ...]:  # noqa: D102
        return (self.dimension,)

    def sample(  # noqa: D102
        self,
        batch: tuple[int, ...] = (),
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        gauss = torch.randn((*batch, self.size, self.size), generator=generator, dtype=torch.float64)
        q, r = torch.linalg.qr(gauss)
        # Without the signs of r's diagonal, QR is not uniform on O(n) (Mezzadri 2007).
        return (q * torch.sign(torch.diagonal(r, dim1=-2, dim2=-1)).unsqueeze(-2)).to(dtype=dtype, device=device)

    def inverse(self, g: Tensor) -> Tensor:  # noqa: D102
        return g.mT

    def exp(self, xi: Tensor) -> Tensor:  # noqa: D102
        row, col = torch.tril_indices(self.size, self.size, -1, device=xi.device)
        skew = torch.zeros(*xi.shape[:-1], self.size, self.size, dtype=xi.dtype, device=xi.device)
        skew = _fill(skew, row, col, xi)
        return torch.matrix_exp(skew - skew.mT)


def _sides(squares: Mapping[Fraction, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the Gram matrices of the covariant and of the dual places."""
    none = torch.zeros_like(next(iter(squares.values())))
    return squares.get(Fraction(1), none), squares.get(Fraction(-1), none)


def _fill(zeros: Tensor, row: Tensor, col: Tensor, values: Tensor) -> Tensor:
    flat = zeros.flatten(-2)
    index = (row * zeros.shape[-1] + col).expand(values.shape)
    return flat.scatter(-1, index, values).unflatten(-1, zeros.shape[-2:])


def apply_matrix(matrix: Tensor, x: Tensor, axis: int) -> Tensor:
    """Return ``x`` multiplied along ``axis`` by ``matrix`` of shape ``[*batch, n, n]``."""
    axis = axis % x.ndim
    batch_ndim = matrix.ndim - 2
    moved = x.movedim(axis, -1)
    shape = (*matrix.shape[:-2], *[1] * (moved.ndim - batch_ndim - 2), *matrix.shape[-2:])
    if moved.ndim - batch_ndim < 2:
        out = (matrix.reshape(shape) @ moved.unsqueeze(-1)).squeeze(-1)
    else:
        out = moved @ matrix.reshape(shape).mT
    return out.movedim(-1, axis)
