"""What a group must offer. Groups know nothing of layers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, NoReturn

import torch
from torch import Tensor

from parasym.core import ShapeError, SymmetryError

CAPABILITIES = ("align", "balance", "fit", "sort", "diagonalize", "orient", "conjugate", "elements")
"""The methods that a group may have or not."""


@dataclass(frozen=True)
class AbstractGroup(ABC):
    """A group acting on the ``size`` channels of one wire.

    An element is a tensor of shape ``[*batch, *element]``. The leading ``batch`` axes hold one
    element per slice of the outer wires; in :meth:`act` they are the leading axes of ``x``.

    What a verb needs beyond the group itself is a *capability*: a method that a group may have or not. Matching needs
    :meth:`align`, or :meth:`balance` and :meth:`fit` where norms change; a canonical form needs :meth:`sort`,
    :meth:`diagonalize` or :meth:`orient`. A verb that meets a group without the capability that it needs refuses it by name.

    Attributes:
        size: Number of channels.
        continuous: Whether the group is a Lie group (as opposed to a finite one).
        element_ndim: Number of axes of one element, without batch axes.
        symbol: How the group is printed, before the size in brackets; the name of the class if empty.
        word: What the group is called in a question, such as ``permutation``; the name of the class if empty.
        permutes: Whether an element is an index tensor ``p`` that acts by ``y[i] = x[p[i]]``.
        flips: Whether an element is a sign per channel. Signs are found together with the permutations of their channels.
        scales: Whether an element is a positive number per channel.
        mixes: Whether an element mixes channels linearly. If not, of Gram matrices only the diagonal counts.
    """

    size: int

    continuous: ClassVar[bool]
    element_ndim: ClassVar[int]
    symbol: ClassVar[str] = ""
    word: ClassVar[str] = ""
    permutes: ClassVar[bool] = False
    flips: ClassVar[bool] = False
    scales: ClassVar[bool] = False
    mixes: ClassVar[bool] = False

    @property
    def label(self) -> str:
        """The group as it is printed, such as ``S(5)``."""
        return f"{self.symbol or type(self).__name__}({self.size})"

    @property
    def contains(self) -> tuple[str, ...]:
        """The words of the groups that act on channels in a way in which this one can act too."""
        return ()

    @property
    def isometric(self) -> bool:
        """Whether no element changes norms; what does is balanced and fitted instead of being aligned."""
        return not self.continuous

    @property
    def length(self) -> int:
        """Length of the axis that :meth:`act` acts on; ``size`` unless channels are planes."""
        return self.size

    @property
    def order(self) -> int:
        """Number of elements of a finite group; 1 for a continuous one."""
        return 1

    @property
    def dimension(self) -> int:
        """Dimension of a continuous group; 0 for a finite one."""
        return 0

    @abstractmethod
    def identity(self, batch: tuple[int, ...] = (), *, dtype: torch.dtype, device: torch.device | str = "cpu") -> Tensor:
        """Return the neutral element.

        Args:
            batch: Leading axes.
            dtype: Precision of the parameters (ignored by permutations).
            device: Device of the parameters.
        """

    @abstractmethod
    def sample(
        self,
        batch: tuple[int, ...] = (),
        *,
        generator: torch.Generator | None = None,
        dtype: torch.dtype,
        device: torch.device | str = "cpu",
    ) -> Tensor:
        """Return a random element, uniform on a compact group and well conditioned otherwise.

        Args:
            batch: Leading axes.
            generator: Source of randomness, on the CPU.
            dtype: Precision of the parameters (ignored by permutations).
            device: Device of the parameters.
        """

    @abstractmethod
    def compose(self, g: Tensor, h: Tensor) -> Tensor:
        """Return the element that acts like ``h`` first and ``g`` second."""

    @abstractmethod
    def inverse(self, g: Tensor) -> Tensor:
        """Return the inverse of ``g``."""

    @abstractmethod
    def act(self, g: Tensor, x: Tensor, axis: int, *, dual: bool = False) -> Tensor:
        r"""Return ``x`` with ``g`` (or :math:`g^{-\top}` if ``dual``) applied along ``axis``.

        Args:
            g: An element of shape ``[*batch, *element]``.
            x: A tensor whose leading axes are ``batch``. Not modified.
            axis: The axis of ``x`` of length :attr:`length`, counted with the batch axes.
            dual: Whether the axis is fed *by* the wire.

        Raises:
            ShapeError: If the axis has another length.
        """

    def wrap(self, x: Tensor, axis: int) -> Tensor:
        """Return the representative of ``x``, or of a difference: ``x`` itself unless channels are angles.

        Args:
            x: A tensor with channels along ``axis``.
            axis: The axis.
        """
        return x

    def power(self, g: Tensor, exponent: float) -> Tensor:
        """Return ``g`` to a power. Only scalings have powers other than 1.

        Args:
            g: An element.
            exponent: The power.

        Raises:
            ShapeError: If the group has no such power.
        """
        if exponent != 1:
            raise ShapeError(f"{type(self).__name__} has no power {exponent}: only scalings do.")
        return g

    @property
    def algebra_shape(self) -> tuple[int, ...]:
        """Shape of the coordinates of the Lie algebra; ``(0,)`` for a finite group."""
        return (0,)

    def exp(self, xi: Tensor) -> Tensor:
        """Return an element agreeing with the exponential of ``xi`` to first order at 0.

        Args:
            xi: Coordinates of shape ``[*batch, *algebra_shape]``.

        Raises:
            ShapeError: If the group is finite.
        """
        raise ShapeError(f"{type(self).__name__} is finite and has no Lie algebra; got coordinates of shape {tuple(xi.shape)}.")

    # -- capabilities -----------------------------------------------------------------------------

    def can(self, capability: str) -> bool:
        """Return whether the group has a capability: whether its class defines the method.

        Args:
            capability: Name of the method.

        Example:
            >>> from parasym.groups import Permutation
            >>> Permutation(3).can("align"), Permutation(3).can("balance")
            (True, False)
        """
        return getattr(type(self), capability) is not getattr(AbstractGroup, capability)

    def align(self, products: Tensor) -> Tensor:
        r"""Return the isometric element that maximizes :math:`\sum_i \langle a_i, (g b)_i\rangle`.

        Args:
            products: :math:`C_{ij} = \langle a_i, b_j\rangle` of the channels of two models, of shape ``[*batch, n, n]``.

        Raises:
            SymmetryError: If the group has no such method.
        """
        self._lacks("align")

    def realign(self, products: Tensor, memory: list[Any]) -> Tensor:
        """Return what :meth:`align` does, perhaps sooner where products are much like those of the last call.

        Args:
            products: As of :meth:`align`.
            memory: What the group remembers from call to call; empty at first, changed in place.
        """
        return self.align(products)

    def product(self, g: Tensor, products: Tensor) -> Tensor:
        r"""Return :math:`\sum_i \langle a_i, (g b)_i\rangle` in double precision, of shape ``[*batch]``.

        Args:
            g: An element.
            products: As of :meth:`align`.
        """
        return self.act(g, products, -1).diagonal(dim1=-2, dim2=-1).double().sum(-1)

    def attained(self, products: Tensor) -> Tensor:
        """Return what the element of :meth:`align` attains, of shape ``[*batch]``, perhaps without the element.

        Args:
            products: As of :meth:`align`.
        """
        return self.product(self.align(products), products).to(products)

    def balance(self, squares: Mapping[Fraction, Tensor]) -> Tensor:
        r"""Return the element along which the squared norm of the weights is least, up to isometries.

        Args:
            squares: For every power with which tensors bear the wire the sums of squares of its channels, of shape
                ``[*batch, n]``; if the group mixes channels a root ``R`` of their Gram matrix :math:`R^\top R`, of shape
                ``[*batch, n, n]``: its square would lose half of the digits.

        Raises:
            SymmetryError: If the group has no such method.
        """
        self._lacks("balance")

    def fit(
        self, own: Mapping[Fraction, Tensor], products: Mapping[Fraction, Tensor], other: Mapping[Fraction, Tensor]
    ) -> Tensor:
        r"""Return an element that makes :math:`\sum \lVert a - g b\rVert^2` small; exactly zero where it can be.

        Args:
            own: Gram matrices of ``a`` by power, as of :meth:`balance`.
            products: :math:`\langle a_i, b_j\rangle` by power, of the same form.
            other: Gram matrices of ``b`` by power.

        Raises:
            SymmetryError: If the group has no such method.
        """
        self._lacks("fit")

    def sort(self, keys: Tensor) -> Tensor:
        """Return the element that puts channels in the order of numbers that no isometry of theirs changes.

        Args:
            keys: Of shape ``[*batch, n]``.

        Raises:
            SymmetryError: If the group has no such method.
        """
        self._lacks("sort")

    def diagonalize(self, gram: Tensor) -> Tensor:
        """Return the isometric element under which a Gram matrix becomes diagonal, its entries rising.

        Args:
            gram: Symmetric, of shape ``[*batch, n, n]``.

        Raises:
            SymmetryError: If the group has no such method.
        """
        self._lacks("diagonalize")

    def orient(self, vector: Tensor) -> Tensor:
        """Return the isometric element that brings a generic vector to a standard place, such as positive entries.

        Args:
            vector: Of shape ``[*batch, n]``.

        Raises:
            SymmetryError: If the group has no such method.
        """
        self._lacks("orient")

    def conjugate(self, g: Tensor, p: Tensor) -> Tensor:
        r"""Return :math:`\pi g \pi^{-1}` for a permutation of the channels.

        Args:
            g: An element.
            p: The permutation, an index tensor as of :class:`~parasym.groups.Permutation` that broadcasts against ``g``.

        Raises:
            SymmetryError: If the group has no such method.
        """
        self._lacks("conjugate")

    def elements(self) -> Iterator[Tensor]:
        """Yield every element of a finite group once, the identity first.

        Raises:
            SymmetryError: If the group has no such method.
        """
        self._lacks("elements")

    def _lacks(self, capability: str) -> NoReturn:
        name = type(self).__name__
        raise SymmetryError(f"{name} cannot `{capability}`: the method `{name}.{capability}` is missing.")

    # -- checks -----------------------------------------------------------------------------------

    def check(self, x: Tensor, axis: int) -> None:
        """Check that ``x`` can be acted on along ``axis``.

        Raises:
            ShapeError: If the axis has another length than :attr:`length`.
        """
        if x.shape[axis] != self.length:
            raise ShapeError(
                f"Argument `x` must have length {self.length} along axis {axis} for {self}, but has shape {tuple(x.shape)}."
            )


def along(g: Tensor, batch_ndim: int, x: Tensor, axis: int) -> Tensor:
    """Return ``g`` of shape ``[*batch, n]`` reshaped to broadcast against ``x`` along ``axis``."""
    axis = axis % x.ndim
    shape = [1] * x.ndim
    shape[:batch_ndim] = g.shape[:batch_ndim]
    shape[axis] = g.shape[-1]
    return g.reshape(shape)
