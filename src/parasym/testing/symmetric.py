"""A public check: the symmetry of a model is found, true, and, if asked for, all of it."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from parasym.core import SymmetryError
from parasym.find import find
from parasym.symmetry import Symmetry
from parasym.verify import Report, verify


def assert_symmetric(
    model: nn.Module | ExportedProgram,
    args: tuple[Any, ...] | Tensor = (),
    kwargs: dict[str, Any] | None = None,
    *,
    symmetry: Symmetry | None = None,
    samples: int = 3,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float64,
    complete: bool = False,
) -> Report:
    """Return the report on a model's symmetry if it holds, and raise otherwise.

    Args:
        model: A module or an exported program. Not modified.
        args: Positional inputs; a lone tensor counts as one input.
        kwargs: Keyword inputs.
        symmetry: The claim; what ``find`` finds if ``None``.
        samples: Number of points at which elements are tried.
        generator: Source of randomness; a fixed one if ``None``.
        dtype: Precision of the proof.
        complete: Whether every continuous direction must be explained too.

    Raises:
        SymmetryError: If the symmetry does not hold or could not be proved, or if ``complete`` and null
            directions are left; the message is the report.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
        >>> report = assert_symmetric(model, (torch.randn(2, 4),), complete=True)
        >>> report.completeness.explained, report.completeness.nullity
        (5, 5)

    References:
        Grigsby, Lindsey, Meyerhoff, Wu. Functional dimension of feedforward ReLU neural networks. 2022.
    """
    inputs = (args,) if isinstance(args, Tensor) else tuple(args)
    claim = find(model, inputs, kwargs) if symmetry is None else symmetry
    report = verify(model, claim, inputs, kwargs, samples=samples, generator=generator, dtype=dtype)
    report.raise_if_fails()
    if complete and (report.completeness is None or report.completeness.complete != "yes"):
        raise SymmetryError(f"The symmetry holds, but is not shown to be all of it.\n{report}")
    return report
