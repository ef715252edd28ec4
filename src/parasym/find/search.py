"""Finds the parameter symmetry of a model: symmetry inference as type inference."""

import gc
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from torch import nn
from torch.export import ExportedProgram

from parasym.circuits import NoiseModel, find_circuit
from parasym.circuits.source import as_circuit, is_circuit
from parasym.core import BadInputError, InternalError, InternalWarning, SymmetryError, is_recipe
from parasym.core.arguments import a_module
from parasym.find.assemble import Assembly
from parasym.find.capture import Named
from parasym.find.coarse import coarse_pins
from parasym.find.exchange import Exchanges, exchanges
from parasym.find.explain import Explanation
from parasym.find.exported import exported
from parasym.find.flat_directions import flat_directions
from parasym.find.frozen import frozen_entries
from parasym.find.ground import Ground
from parasym.find.lower import Lowered
from parasym.find.self_check import self_checked
from parasym.find.trace import trace
from parasym.find.translation import Reached, Translations, translations
from parasym.find.typing import infer_types
from parasym.find.untraceable import Untraceable
from parasym.find.where import bug
from parasym.functional import Call, example_call
from parasym.functional.reading import check_call
from parasym.symmetry import SelfCheck, Symmetry, Uncovered


def find(
    model: nn.Module | ExportedProgram | Any,
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    check: bool = False,
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

    That is meant in exact arithmetic, apart from rounding to 16 bits and more, and in law for a model that draws random
    numbers (``symmetry.law``).

    Outputs are what :func:`parasym.functional.outputs.leaves` finds in what ``forward`` returns; a cache of keys and values is
    state. The mode of the model counts: in train mode BatchNorm uses batch statistics and does not see the biases before it.

    For circuits see :func:`parasym.circuits.find_circuit`.

    Args:
        model: Any module, on any device (``meta`` too), or an exported program; a :class:`parasym.circuits.Circuit`, a PennyLane
            QNode or tape, or a Qiskit circuit.
        args: Example inputs, as :func:`parasym.functional.example_call` reads them; only shapes and types matter. Not used for
            an exported program. For a QNode its arguments, for a Qiskit circuit the observables.
        kwargs: Example keyword inputs.
        check: Whether to try one element of all factors on numbers, in double precision. What does not hold is left out and
            listed in ``symmetry.refuted``; ``symmetry.self_check`` says what came of it, or why nothing was tried.
        noise: For circuits: channels after the gates; what is returned is the subgroup that survives them.
        antiunitary: For circuits: whether complex conjugation may take part.
        continuous: For circuits: whether to report straight directions without effect too.

    Returns:
        The symmetry: factors, uncovered operations, coarse pins, pinned parameters.

    Raises:
        CaptureError: If the forward of the model fails on the inputs, needs the values of tensors, or cannot be exported.
        BadInputError: If the model is none, or the inputs do not fit what its forward takes; if a circuit has no parameters or
            cannot be read, or options for circuits are given for another model.
        InternalError: If there is a bug in parasym. One in a single rule or search is an ``InternalWarning``, and what it
            concerns is pinned and listed in ``symmetry.uncovered``.

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
        found = find_circuit(as_circuit(model, args, kwargs), noise=noise, antiunitary=antiunitary, continuous=continuous)
        untried = SelfCheck(reason="circuits are found by exact algebra")
        return replace(found, self_check=untried) if check else found
    if noise is not None or antiunitary or continuous:
        raise BadInputError(f"Options of circuits were given, but the model is a {type(model).__name__}.")
    call = _call_of(model, args, kwargs)
    with _no_collection(), _named_bugs(model, call):
        named, lowered = lowered_model(model, call.args, call.kwargs)
        symmetry = solve(named, lowered, explained=True)
    for one in lowered.bugs:
        warnings.warn(f"{one.operation}{one.module and ' in '}{one.module}: {one.reason}", InternalWarning, stacklevel=2)
    return self_checked(model, call, symmetry) if check else symmetry


@contextmanager
def _named_bugs(model: Any, call: Call) -> Iterator[None]:
    """Let no error through that is not meant for people."""
    try:
        yield
    except SymmetryError:
        raise
    except Exception as error:
        raise InternalError(f"{type(model).__name__}: {bug(error, 'find')}. The inputs were {call}.") from error


def _call_of(model: Any, args: Any, kwargs: Mapping[str, Any] | None) -> Call:
    """Return the call of a model, if it is one and the call fits."""
    if isinstance(model, ExportedProgram):
        return example_call(args, kwargs)
    if not isinstance(model, nn.Module):
        raise BadInputError(
            f"Argument `model` must be a circuit, an exported program or {a_module(model)} The call is find(model, args)."
        )
    call = example_call(args, kwargs, model=model)
    if not model._forward_pre_hooks:  # which may change what forward gets
        check_call(call, model)
    return call


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
    bugs: tuple[Uncovered, ...] = ()
    with _no_collection(), _named_bugs(model, Call(args, dict(kwargs or {}))):
        if isinstance(model, nn.Module):
            try:
                return trace(model, args, kwargs)
            except Untraceable as error:
                bugs = error.bugs
        named, lowered = exported(model, args, kwargs)
    told = {(bug.operation, bug.module, bug.reason) for bug in lowered.bugs}  # the two captures may name other lines
    lowered.bugs += [bug for bug in bugs if (bug.operation, bug.module, bug.reason) not in told]
    return named, lowered


def solve(named: Named, lowered: Lowered, *, explained: bool = False) -> Symmetry:
    """Return the symmetry of a lowered model.

    Args:
        named: The tensors of the model.
        lowered: The program and what it does not cover.
        explained: Whether it can say why a group is not there; the program then loses the numbers of its constants.
    """
    ground = Ground(infer_types(lowered.program))
    assembly = Assembly(ground)
    bugs: list[Uncovered] = []
    continuous, discrete = _found("linear factors", assembly.linear_factors, bugs) or ((), ())
    (found,) = _found("translations", lambda: [translations(ground, assembly.leaves)], bugs) or (Translations(),)
    (swaps,) = _found("exchanges", lambda: [exchanges(ground, assembly.joining)], bugs) or (Exchanges(),)
    reached = Reached(found.factors, named.shapes)
    continuous = [factor for factor in continuous if not reached.moves(factor)]
    branches = [factor for factor in swaps.factors if not reached.swaps(factor)]
    factors = (*found.factors, *continuous, *discrete, *branches)
    flat = _found("flat directions", lambda: [flat_directions(lowered.program, factors)], bugs)
    frozen = _found("frozen entries", lambda: frozen_entries(lowered.program), bugs)
    lowered.bugs += bugs
    moved = {name for factor in factors for name in factor.tensors}
    untold = [wire for wire, classes in assembly.cells.items() if classes is None]
    return Symmetry(
        factors=factors,
        shapes=tuple(named.shapes.items()),
        uncovered=(*lowered.uncovered, *bugs),
        pinned=tuple(sorted(named.moving - moved)),
        tied=named.tied,
        law=tuple(sorted(lowered.drawing)),
        constants=tuple(sorted(named.read | {name for name in named.shapes if is_recipe(name)})),
        flat=flat[0] if flat else None,
        coarse=(*coarse_pins(ground, assembly.leaves, untold), *found.coarse, *swaps.coarse),
        frozen=tuple(frozen),
        explain=Explanation(assembly) if explained else None,
    )


def _found(kind: str, search: Callable[[], Sequence[Any]], bugs: list[Uncovered]) -> Sequence[Any]:
    """Return the factors of a kind. Every factor is a symmetry by itself, so that a search that fails loses only its own."""
    try:
        return search()
    except Exception as error:
        bugs.append(Uncovered(kind, reason=bug(error, f"the search for {kind}")))
        return ()
