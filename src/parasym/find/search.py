"""Finds the parameter symmetry of a model: symmetry inference as type inference."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.export import ExportedProgram

from parasym.circuits import NoiseModel, find_circuit
from parasym.circuits.source import as_circuit, is_circuit
from parasym.core import BadInputError
from parasym.find.assemble import Assembly
from parasym.find.capture import Named, export
from parasym.find.exchange import exchanges
from parasym.find.ground import Ground
from parasym.find.lower import Lowered
from parasym.find.read import needs_functionalization, read
from parasym.find.trace import Untraceable, trace
from parasym.find.translation import translations
from parasym.find.typing import infer_types
from parasym.functional import example_call
from parasym.symmetry import Symmetry


def find(
    model: nn.Module | ExportedProgram | Any,
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    noise: NoiseModel | None = None,
    antiunitary: bool = False,
    continuous: bool = False,
) -> Symmetry:
    r"""Return the parameter symmetry of a model, or of a quantum circuit.

    The model is captured without running it on numbers; every axis of every tensor gets a
    type made of wires; every operation says which group may pass; the positive scalings and the signs are the null
    spaces of linear systems over the rationals and over GF(2). What is returned satisfies
    :math:`f(x; g\theta) = f(x; \theta)` for every element :math:`g`, every input and every parameter value.
    What cannot be resolved is pinned and listed in ``symmetry.uncovered``.

    The mode of the model counts: in train mode BatchNorm uses batch statistics and does not see the biases before it.

    For circuits see :func:`parasym.circuits.find_circuit`.

    Args:
        model: Any module, on any device (``meta`` too), or an exported program; a :class:`parasym.circuits.Circuit`, a PennyLane
            QNode or tape, or a Qiskit circuit.
        args: Example inputs, as :func:`parasym.functional.example_call` reads them; only shapes and types matter. Not used for
            an exported program. For a QNode its arguments, for a Qiskit circuit the observables.
        kwargs: Example keyword inputs.
        noise: For circuits: channels after the gates; what is returned is the subgroup that survives them.
        antiunitary: For circuits: whether complex conjugation may take part.
        continuous: For circuits: whether to report straight directions without effect too.

    Returns:
        The symmetry: factors, uncovered operations, pinned parameters.

    Raises:
        CaptureError: If the model cannot be exported.
        BadInputError: If a circuit has no parameters or cannot be read, or options for circuits are given for another model.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
        >>> symmetry = find(model, (torch.zeros(2, 4),))
        >>> symmetry.order, symmetry.dimension
        (120, 5)

    References:
        Hecht-Nielsen 1990; Chen, Lu, Hecht-Nielsen 1993; Kunin et al. Neural mechanics. ICLR 2021.
    """
    if is_circuit(model):
        return find_circuit(as_circuit(model, args, kwargs), noise=noise, antiunitary=antiunitary, continuous=continuous)
    if noise is not None or antiunitary or continuous:
        raise BadInputError(f"Options of circuits were given, but the model is a {type(model).__name__}.")
    call = example_call(args, kwargs, model=model if isinstance(model, nn.Module) else None)
    with _no_collection():
        return solve(*lowered_model(model, call.args, call.kwargs))


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector from looking through everything that is loaded while many small objects are made."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def lowered_model(
    model: nn.Module | ExportedProgram, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None
) -> tuple[Named, Lowered]:
    """Return the tensors of a model and its program, by the cheapest capture whose operations all have rules.

    Args:
        model: Any module or an exported program.
        args: Example inputs.
        kwargs: Example keyword inputs.

    Raises:
        CaptureError: If the model cannot be exported.
    """
    if isinstance(model, nn.Module):
        try:
            return trace(model, args, kwargs)
        except Untraceable:
            pass
    captured = export(model, args, kwargs)
    if needs_functionalization(captured.graph):
        captured = export(model, args, kwargs, level="functional")
    lowered = read(captured)
    if lowered.uncovered:
        second = export(model, args, kwargs, level="core")
        again = read(second)
        if len(again.uncovered) < len(lowered.uncovered):
            return second.named, again
    return captured.named, lowered


def solve(named: Named, lowered: Lowered) -> Symmetry:
    """Return the symmetry of a lowered model.

    Args:
        named: The tensors of the model.
        lowered: The program and what it does not cover.
    """
    ground = Ground(infer_types(lowered.program))
    assembly = Assembly(ground)
    continuous, discrete = assembly.linear_factors()
    factors = (*translations(ground, assembly.leaves), *continuous, *discrete, *exchanges(ground))
    moved = {name for factor in factors for name in factor.tensors}
    return Symmetry(
        factors=factors,
        shapes=tuple(named.shapes.items()),
        uncovered=tuple(lowered.uncovered),
        pinned=tuple(sorted(named.moving - moved)),
        tied=named.tied,
        constants=tuple(sorted(named.read)),
    )
