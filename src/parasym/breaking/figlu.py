"""FiGLU: a gate that looks at all channels through a fixed random matrix."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from parasym.core import BadInputError


class FiGLU(nn.Module):
    r"""The fixed gated linear unit, :math:`\sigma(x) = \eta(F x) \odot x` with the logistic :math:`\eta`.

    ``F`` is square, Gaussian and never trained. Almost surely no permutation and no invertible diagonal other than the
    identity passes: :math:`\sigma P_1 = P_2 \sigma` implies :math:`P_1 = P_2 = 1`, if entries of ``F`` differ and none is zero
    (proposition 3 of the paper). It is *false* for ``F`` a multiple of the identity or of the matrix of ones, through which
    all permutations pass.

    The scale of ``F`` matters: with standard deviation :math:`1/\sqrt{d}` and inputs of unit variance the gate's argument has
    unit variance; much smaller, and the gate is about one half, the network about linear; much larger, and it is a
    random switch.

    Args:
        width: Number of channels ``d``.
        std: Standard deviation of ``F``; :math:`1/\sqrt{d}` if ``None``.
        channels: Whether channels are axis 1, as in images, rather than the last axis.
        generator: Source of ``F``, on the CPU; torch's own if ``None``.

    Raises:
        BadInputError: If the width or the standard deviation is not positive.

    Example:
        >>> act = FiGLU(2, std=1.0, generator=torch.Generator().manual_seed(0))
        >>> act.frozen
        tensor([[ 1.5410, -0.2934],
                [-2.1788,  0.5684]])
        >>> act(torch.tensor([[1.0, 2.0], [2.0, 1.0]]))  # exchanging the channels does not exchange the outputs
        tensor([[0.7219, 0.5216],
                [1.8841, 0.0221]])

    References:
        Lim et al. The empirical impact of neural parameter symmetries, or lack thereof. NeurIPS 2024, section 4.2.
    """

    frozen: Tensor

    def __init__(
        self, width: int, std: float | None = None, *, channels: bool = False, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        if width < 1:
            raise BadInputError(f"Argument `width` must be at least 1, but is {width}.")
        scale = 1 / math.sqrt(width) if std is None else std
        if not 0 < scale < math.inf:
            raise BadInputError(
                f"Argument `std` must be a positive number, but is {scale!r}: a gate that sees nothing breaks nothing."
            )
        self.width, self.std, self.channels = width, scale, channels
        frozen = scale * torch.randn(width, width, generator=generator, dtype=torch.float64)
        self.register_buffer("frozen", frozen.to(torch.get_default_dtype()))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` times its gate.

        Args:
            x: Shape ``[..., width]``, or ``[batch, width, ...]`` with ``channels``.
        """
        if not self.channels:
            return torch.sigmoid(functional.linear(x, self.frozen)) * x
        places = x.flatten(2) if x.ndim > 2 else x.unsqueeze(2)
        gate = torch.sigmoid(functional.conv1d(places, self.frozen.unsqueeze(2)))
        return gate.reshape(x.shape) * x

    def extra_repr(self) -> str:
        """Return width and scale."""
        return f"{self.width}, std={self.std:.4g}, channels={self.channels}"
