"""What a group must offer. Groups know nothing of layers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from parasym.core import ShapeError


@dataclass(frozen=True)
class AbstractGroup(ABC):
    """A group acting on the ``size`` channels of one wire.

    An element is a tensor of shape ``[*batch, *element]``. The leading ``batch`` axes hold one
    element per slice of the outer wires; in :meth:`act` they are the leading axes of ``x``.

    Attributes:
        size: Number of channels.
    """

    size: int

    @property
    @abstractmethod
    def continuous(self) -> bool:
        """Whether the group is a Lie group (as opposed to a finite one)."""

    @property
    @abstractmethod
    def element_ndim(self) -> int:
        """Number of axes of one element, without batch axes."""

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
