"""The one table of tolerances, by precision."""

from dataclasses import dataclass
from typing import Literal

import torch

from parasym.core.error import BadInputError

Verdict = Literal["yes", "no", "unsure"]


@dataclass(frozen=True)
class Tolerance:
    """Relative errors below ``holds`` count as equal, above ``fails`` as different.

    Between the two the verdict is "unsure". Errors are relative to the largest absolute output.
    """

    holds: float
    fails: float


_TABLE = {
    torch.float64: Tolerance(1e-10, 1e-6),
    torch.float32: Tolerance(1e-4, 1e-2),
    torch.bfloat16: Tolerance(5e-2, 5e-1),
    torch.float16: Tolerance(1e-2, 2e-1),
}


def tolerance_for(dtype: torch.dtype) -> Tolerance:
    """Return the tolerance of a floating-point precision.

    Args:
        dtype: A floating-point dtype.

    Returns:
        The pair of bounds.

    Raises:
        BadInputError: If ``dtype`` is not a floating-point type in the table.

    Example:
        >>> tolerance_for(torch.float64)
        Tolerance(holds=1e-10, fails=1e-06)
    """
    if dtype not in _TABLE:
        known = ", ".join(str(d) for d in _TABLE)
        raise BadInputError(f"Argument `dtype` must be one of {known}, but is {dtype}. Cast the parameters first.")
    return _TABLE[dtype]
