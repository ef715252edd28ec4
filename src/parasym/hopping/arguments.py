"""Trainable arguments of a function as one vector of angles, and back."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parasym.core import ShapeError
from parasym.hopping.orbit import NoisyOrbit


def joined(orbit: NoisyOrbit, values: Sequence[Any]) -> Tensor:
    """Return trainable arguments, flattened and joined, of shape ``[M]``.

    Data, at the end of the circuit's parameters, is set to 0. It does not move, and the cost is called with the user's own,
    so what stands there makes no difference.

    Args:
        orbit: The circuit's orbit.
        values: Arrays or tensors, in the order of the circuit's parameters.

    Raises:
        ShapeError: If they are not those of the circuit.
    """
    shapes = [tuple(np.shape(v)) for v in values]
    known = [shape for _, shape in orbit.circuit.tensors]
    if shapes != known[: len(shapes)] or sum(map(prod, shapes)) != orbit.circuit.num_parameters - len(orbit.circuit.frozen):
        raise ShapeError(
            f"The trainable arguments must have the shapes {known} that the orbit was made with, but have {shapes}. "
            "Make the orbit with the same arguments, and mark data with requires_grad=False."
        )
    flat = [torch.as_tensor(_plain(v), dtype=torch.float64).reshape(-1) for v in values]
    vector = torch.zeros(orbit.circuit.num_parameters, dtype=torch.float64)
    vector[: sum(len(x) for x in flat)] = torch.cat(flat)
    return vector


def split(vector: Tensor, values: Sequence[Any]) -> list[Tensor]:
    """Return a vector as tensors of the shapes of trainable arguments.

    Args:
        vector: Of shape ``[M]``; what is left at the end belongs to data.
        values: The arguments.
    """
    out, start = [], 0
    for v in values:
        shape = tuple(np.shape(v))
        out.append(vector[start : start + prod(shape)].reshape(shape))
        start += prod(shape)
    return out


def _plain(value: Any) -> Any:
    return value.detach().cpu() if isinstance(value, Tensor) else np.asarray(value, dtype=float)
