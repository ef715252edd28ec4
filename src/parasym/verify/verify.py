"""The verb: is the symmetry true, and is it all of it?"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram

from parasym.circuits import NoiseModel
from parasym.circuits.source import is_circuit
from parasym.core import BadInputError, Params, Verdict, tolerance_for
from parasym.core.arguments import Model, a_module, as_params
from parasym.functional.call import Call, cast
from parasym.functional.evaluator import Evaluator, evaluator
from parasym.functional.points import inputs_in
from parasym.functional.reading import check_call, example_call
from parasym.functional.run import running
from parasym.symmetry import Symmetry
from parasym.symmetry.arguments import as_symmetry
from parasym.verify.as_written import change_as_written
from parasym.verify.circuit import require_float64, verify_circuit
from parasym.verify.completeness import completeness
from parasym.verify.law import law_of
from parasym.verify.report import Completeness, Report, verdict, worst
from parasym.verify.soundness import largest, moved_tensors, sample_points, soundness

MOST_PARAMETERS = 1500
_CALL = "verify(model, symmetry, args)"


def verify(
    model: nn.Module | ExportedProgram | Any,
    symmetry: Symmetry,
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    params: Model | None = None,
    samples: int = 3,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float64,
    complete: bool = True,
    noise: NoiseModel | None = None,
) -> Report:
    r"""Return whether ``symmetry`` leaves ``model`` unchanged, and how much of the truth it is.

    *Sound*: elements are sampled, and :math:`f(x; g\theta)` is compared with :math:`f(x; \theta)`, at the given
    parameters and at random ones (where no bias is zero and no gain is one by accident), at the given inputs and at
    random ones. *Complete*: the null space of :math:`\partial f / \partial \theta` is compared with the tangents of
    the orbit. A "yes" is a numerical proof at generic points; a fault smaller than the tolerance would escape it.

    Where a model draws random numbers, as dropout does in train mode, the claim is that the outputs have the same *law*. It is
    checked with numbers that follow the entries that they act on (:mod:`parasym.functional.randomness`); ``report.law`` says so.
    Where it computes in 16 bits, the claim is one of exact arithmetic, and ``report.as_written`` the change with rounding.

    Args:
        model: A module or an exported program, in the mode (train or eval) in which it is meant, or a circuit as ``find`` takes
            it (see :func:`parasym.verify.circuit.verify_circuit`). Not modified.
        symmetry: The claim.
        args: Inputs, as :func:`parasym.functional.example_call` reads them.
        kwargs: Keyword inputs.
        params: Parameters and buffers to start from, or the module that has them; the model's own if ``None``.
        samples: Number of points at which elements are tried.
        generator: Source of randomness; a fixed one if ``None``.
        dtype: Precision of the proof.
        complete: Whether to count null directions (double precision, up to 1,500 parameters).
        noise: For circuits: channels under which it must hold.

    Returns:
        The report. ``report.holds`` is "yes", "no" or "unsure".

    Raises:
        BadInputError: If an argument cannot be used.
        ShapeError: If the symmetry is of another architecture.

    Example:
        >>> from torch import nn
        >>> from parasym.symmetry import Symmetry
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
        >>> report = verify(model, Symmetry(factors=(), shapes=()), (torch.randn(2, 4),))
        >>> report.holds, report.completeness.explained, report.completeness.nullity  # true, but not all of it
        ('yes', 0, 5)

    References:
        Grigsby, Lindsey, Meyerhoff, Wu. Functional dimension of feedforward ReLU neural networks. 2022.
    """
    if samples < 1:
        raise BadInputError(f"Argument `samples` must be at least 1, but is {samples}.")
    params = None if params is None else as_params(params, "params", _CALL)
    if is_circuit(model):
        require_float64(dtype)
        return verify_circuit(
            model, symmetry, args, kwargs, noise=noise, params=params, samples=samples, generator=generator, complete=complete
        )
    if noise is not None:
        raise BadInputError(f"Argument `noise` is for circuits, but the model is a {type(model).__name__}.")
    if not isinstance(model, (nn.Module, ExportedProgram)):
        raise BadInputError(f"Argument `model` must be a circuit, an exported program or {a_module(model)} The call is {_CALL}.")
    symmetry = as_symmetry(symmetry, _CALL)
    tolerance = tolerance_for(dtype)
    generator = generator or torch.Generator().manual_seed(0)
    run, own = evaluator(model, dtype, seed=int(torch.randint(2**31, (), generator=generator)))
    own |= _given(params or {}, own, dtype)
    given = example_call(args, kwargs, model=run.model)
    check_call(given, run.model)
    inputs = inputs_in(given, dtype)
    with running(model, given):
        law = law_of(run, own, inputs)
    run = replace(run, follows=bool(law.following))
    points = sample_points(run, symmetry, own, inputs, samples, generator)
    rows = [law.judged(row) for row in soundness(run, symmetry, points, generator)]
    found, notes = _completeness(run, symmetry, own, inputs, generator) if complete else (None, [])
    verdicts: list[Verdict] = [row.holds for row in rows]
    if found is not None and found.residual > 0:
        verdicts.append(law.softened(verdict(found.residual, tolerance)))
    notes += law.notes
    written = None if law.others else _as_written(model, symmetry, own, given, notes)
    if not symmetry.factors:
        notes.append("the symmetry is trivial: nothing moves")
    return Report(
        holds=worst(verdicts),
        error=largest([row.error for row in rows]),
        tolerance=tolerance,
        samples=len(points),
        dtype=str(dtype).removeprefix("torch."),
        rows=tuple(rows),
        completeness=found,
        uncovered=symmetry.uncovered,
        notes=tuple(notes),
        law=law.operations,
        as_written=written,
    )


def _as_written(
    model: nn.Module | ExportedProgram, symmetry: Symmetry, params: Params, inputs: Call, notes: list[str]
) -> float | None:
    """Return by how much the outputs change in 16 bits, if the model computes in those, and note it."""
    try:
        found = change_as_written(model, symmetry, params, inputs, torch.Generator().manual_seed(0))
    except (RuntimeError, ValueError, IndexError) as error:
        notes.append(f"not compared in the model's own types: {str(error).strip().splitlines()[0]}")
        return None
    if found is None or not symmetry.factors:
        return None
    kinds, change = found
    notes.append(
        f"the model computes in {' and '.join(kinds)}: the claim is one of exact arithmetic; "
        f"as it is written, rounded, its outputs change by {change:.1e}"
    )
    return change


def _given(params: Params, own: Params, dtype: torch.dtype) -> Params:
    for name, value in params.items():
        if name not in own or own[name].shape != value.shape:
            found = tuple(own[name].shape) if name in own else "none"
            raise BadInputError(
                f"Argument `params` has `{name}` of shape {tuple(value.shape)}, but the model's is {found}. "
                "Is it from another model?"
            )
    return {name: cast(value.detach(), dtype).clone() for name, value in params.items()}


def _completeness(
    run: Evaluator, symmetry: Symmetry, params: Params, inputs: Call, generator: torch.Generator
) -> tuple[Completeness | None, list[str]]:
    size = sum(params[name].numel() for name in moved_tensors(run, symmetry))
    if run.dtype != torch.float64:
        return None, [f"completeness not computed: it needs float64, but dtype is {run.dtype}"]
    if size > MOST_PARAMETERS:
        return None, [f"completeness not computed: P={size} is more than {MOST_PARAMETERS}"]
    if not any(name in params for name in run.trainable):
        return None, ["completeness not computed: the model has no parameters"]
    diverged = [name for name, value in params.items() if value.is_floating_point() and not bool(torch.isfinite(value).all())]
    if diverged:
        return None, [f"completeness not computed: `{diverged[0]}` has NaN or infinite values"]
    return completeness(run, symmetry, params, inputs, generator), []
