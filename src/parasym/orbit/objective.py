"""The norm that matching minimizes, and which tensors it counts."""

import math
from fnmatch import fnmatchcase

import torch

from parasym.core import Params

STATISTICS = ("*running_mean", "*running_var")
"""Names of normalization statistics: they follow from weights and data, and are not counted."""


def counted(params: Params, ignore: tuple[str, ...]) -> list[str]:
    """Return the names of the floating-point tensors that no pattern in ``ignore`` matches.

    Args:
        params: Parameters and buffers by name.
        ignore: Shell patterns.
    """
    return [n for n, x in params.items() if x.is_floating_point() and not any(fnmatchcase(n, p) for p in ignore)]


def gap(a: Params, b: Params, *, ignore: tuple[str, ...] = STATISTICS) -> float:
    """Return the Euclidean norm of ``a - b`` over all counted tensors, accumulated in float64.

    Args:
        a: Parameters by name.
        b: Parameters of the same names and shapes.
        ignore: Shell patterns of names that do not count.

    Example:
        >>> import torch
        >>> gap({"w": torch.tensor([3.0, 0.0])}, {"w": torch.tensor([0.0, 4.0])})
        5.0
    """
    total = 0.0
    for name in counted(a, ignore):
        wide = torch.promote_types(a[name].dtype, torch.float32)
        total += float(torch.linalg.vector_norm(a[name].to(wide) - b[name].to(wide), dtype=torch.float64)) ** 2
    return math.sqrt(total)


def norm(params: Params, *, ignore: tuple[str, ...] = STATISTICS) -> float:
    """Return the norm of all counted tensors; integers, such as a count of batches, have no size.

    Args:
        params: Parameters by name.
        ignore: Shell patterns of names that do not count.
    """
    real = (params[name] for name in counted(params, ignore))
    return math.sqrt(sum(float(torch.linalg.vector_norm(x, dtype=torch.float64)) ** 2 for x in real))
