"""Entries of parameters that are not trained: numbers stored there say nothing of a model."""

import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Self

import numpy as np
import torch
from torch import Tensor

from parasym.core import BadInputError


@dataclass(frozen=True)
class FrozenEntries:
    """Which entries of one parameter do not count.

    Attributes:
        tensor: Name of the parameter.
        shape: Its shape.
        bits: One bit per entry of the flattened tensor, set where it is frozen: packed, compressed, as text of base 64.
        read: Whether the function reads them although they are not trained, as the padding row of an embedding; otherwise
            constants stand in their place, or nothing reads them.
    """

    tensor: str
    shape: tuple[int, ...]
    bits: str
    read: bool = False

    @classmethod
    def of(cls, tensor: str, mask: Tensor, *, read: bool = False) -> Self:
        """Return the entries that a mask marks.

        Args:
            tensor: Name of the parameter.
            mask: Booleans of its shape, true where frozen.
            read: Whether the function reads them.

        Example:
            >>> frozen = FrozenEntries.of("weight", torch.tensor([[True, False, True]]))
            >>> frozen.count, frozen.mask
            (2, tensor([[ True, False,  True]]))
        """
        packed = np.packbits(mask.detach().cpu().reshape(-1).numpy())
        return cls(tensor, tuple(mask.shape), b64encode(zlib.compress(packed.tobytes())).decode(), read)

    @property
    def mask(self) -> Tensor:
        """Booleans of the shape of the parameter, true where frozen.

        Raises:
            BadInputError: If the bits are no such text, or too few.
        """
        size = -(-prod(self.shape) // 8)
        try:
            unpacked = zlib.decompressobj().decompress(b64decode(self.bits, validate=True), max(size, 1))
        except (ValueError, zlib.error) as error:
            raise BadInputError(f"The frozen entries of `{self.tensor}` are damaged: {error}.") from error
        if len(unpacked) != size:
            raise BadInputError(f"The frozen entries of `{self.tensor}` are damaged: {len(unpacked)} bytes instead of {size}.")
        packed = np.frombuffer(unpacked, dtype=np.uint8)
        return torch.from_numpy(np.unpackbits(packed, count=prod(self.shape)).astype(bool)).reshape(self.shape)

    @property
    def count(self) -> int:
        """How many entries are frozen."""
        return int(self.mask.sum())


def without_frozen(frozen: Sequence[FrozenEntries], params: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return parameters with zeros at frozen entries.

    Args:
        frozen: Which entries.
        params: Parameters by name; not modified.

    Example:
        >>> frozen = FrozenEntries.of("weight", torch.tensor([True, False]))
        >>> without_frozen([frozen], {"weight": torch.tensor([7.0, 8.0])})
        {'weight': tensor([0., 8.])}
    """
    out = dict(params)
    for one in frozen:
        x = out.get(one.tensor)
        if x is not None and tuple(x.shape) == one.shape:
            out[one.tensor] = x.masked_fill(one.mask.to(x.device), 0.0)
    return out
