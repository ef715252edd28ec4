"""Soundness and completeness for circuits: simulate the cost before and after, and count what is left."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parasym.circuits import Circuit, NoiseModel, Opaque, pauli_channel, with_noise
from parasym.circuits.chain_simulate import chain_expectations
from parasym.circuits.cone import cone_expectations
from parasym.circuits.execute import executor, pack, unpack
from parasym.circuits.simulate import MOST_MIXED, MOST_PURE, density_matrix, expectations, needs_density, state_vector
from parasym.circuits.source import as_circuit
from parasym.core import BadInputError, Params, ShapeError, Tolerance, Verdict
from parasym.groups import SignedShift
from parasym.symmetry import Element, Move, Symmetry, group_name
from parasym.verify.circuit_completeness import circuit_completeness
from parasym.verify.report import Report, Row, verdict, worst

TOLERANCE = Tolerance(1e-12, 1e-8)
LIBRARY = Tolerance(1e-10, 1e-5)  # some devices compute in single precision: that is "unsure", not "no"
MOST_ELEMENTS, MOST_ON_CHAINS = 64, 16
MOST_NOISY = 4
MOST_LIBRARY, MOST_LIBRARY_MIXED = 22, 11
NEAR = 0.3
Outputs = Callable[[Tensor], Tensor]


def verify_circuit(
    model: Any,
    symmetry: Symmetry,
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    noise: NoiseModel | None = None,
    params: Params | None = None,
    samples: int = 3,
    generator: torch.Generator | None = None,
    complete: bool = True,
) -> Report:
    r"""Return whether a symmetry leaves the cost of a circuit unchanged, to 1e-12, and whether it is all of it.

    Every generator (up to 64) and random products are tried at random angles: by parasym's own simulators; on at most 4 qubits
    also under random Pauli noise, which every symmetry of Pauli frames must survive; and by the library that the circuit comes
    from. State vectors have up to 12 qubits, density matrices up to 6. Beyond that the light cones of the observables are
    simulated if they are that small, or else matrix product states if little entanglement crosses the chain of the qubits, with
    up to 16 generators; the library is asked up to 22 qubits, 11 with noise. Where nothing can run the circuit the verdict is
    "unsure", and a note says why.

    Args:
        model: A circuit in any description.
        symmetry: The claim.
        args: Arguments of a QNode, or observables of a Qiskit circuit.
        kwargs: Keyword arguments of a QNode.
        noise: Further channels under which it must hold.
        params: A point to try besides random ones.
        samples: Number of points.
        generator: Source of randomness; a fixed one if ``None``.
        complete: Whether to count continuous directions.

    Raises:
        BadInputError: If the circuit cannot be read.
        ShapeError: If the symmetry is of another circuit.
    """
    generator = generator or torch.Generator().manual_seed(0)
    circuit = as_circuit(model, args, kwargs)
    noisy = circuit if noise is None else with_noise(circuit, noise)
    points = _points(circuit, samples, params, generator, sharp=circuit.num_qubits > _most_dense(noisy))
    for name, value in unpack(circuit, points[0]).items():
        if dict(symmetry.shapes).get(name) != tuple(value.shape):
            raise ShapeError(
                f"The symmetry is of another circuit: it knows no parameters `{name}` of shape {tuple(value.shape)}, but "
                f"{', '.join(f'`{n}` of shape {s}' for n, s in symmetry.shapes) or 'none'}."
            )
    notes: list[str] = [] if symmetry.factors else ["the symmetry is trivial: nothing moves"]
    rows: list[Row] = []
    outputs, dense = _simulation(noisy, points[-1], notes)
    if outputs is not None:
        rows += _simulated(circuit, symmetry, outputs, points, generator, few=not dense)
        discrete = symmetry.only(SignedShift)
        if not noisy.noisy and circuit.num_qubits <= MOST_NOISY and discrete.factors:
            sprinkled = _with_pauli_noise(circuit, generator)
            rows.append(_row(circuit, discrete, None, "under Pauli noise", _outputs(sprinkled), points[:1], 8, generator))
    own = executor(model, circuit, args, kwargs) if noise is None else None
    most = MOST_LIBRARY_MIXED if circuit.noisy else MOST_LIBRARY
    if own is not None and circuit.num_qubits > most:
        own = None
        notes.append(f"not run by its library: {circuit.num_qubits} qubits are more than {most}")
    if own is not None and symmetry.factors:
        rows.append(_row(circuit, symmetry, None, "run by its library", _each(own), points[:1], 4, generator, LIBRARY))
    found = None
    if complete and dense:
        found, more = circuit_completeness(noisy, symmetry, generator)
        notes += more
    elif complete:
        notes.append("completeness not computed: the state is not at hand as a vector")
    verdicts: list[Verdict] = [row.holds for row in rows]
    if symmetry.factors and not rows:
        verdicts.append("unsure")
    return Report(
        holds=worst(verdicts),
        error=max((row.error for row in rows), default=0.0),
        tolerance=TOLERANCE,
        samples=len(points),
        dtype="float64",
        rows=tuple(rows),
        completeness=found,
        uncovered=symmetry.uncovered,
        notes=tuple(notes),
    )


def _points(circuit: Circuit, samples: int, params: Params | None, generator: torch.Generator, *, sharp: bool) -> list[Tensor]:
    """Return points to try, as many as asked for.

    At random angles a cost that is a product of a hundred cosines is zero to rounding, and every claim about it looks true. Where
    there may be so many every other point, from the first on, has angles near multiples of a half turn.
    """
    drawn = (torch.rand(samples, circuit.num_parameters, generator=generator, dtype=torch.float64) * 2 - 1) * torch.pi
    if sharp:
        turns = torch.randint(2, drawn[::2].shape, generator=generator)
        drawn[::2] = turns * torch.pi + NEAR * drawn[::2] / torch.pi
    given = [] if params is None else [pack(circuit, params)]
    return [*given, *drawn.unbind(0)][: max(samples, 1)]


def _simulation(circuit: Circuit, point: Tensor, notes: list[str]) -> tuple[Outputs | None, bool]:
    """Return the outputs by parasym's own simulators, or ``None`` with a note why there are none; and whether densely."""
    unknown = [op for op in circuit.operations if isinstance(op, Opaque)]
    if unknown:
        notes.append(f"not simulated here: `{unknown[0].name}` on qubits {unknown[0].qubits} is unknown")
        return None, False
    most = _most_dense(circuit)
    if circuit.num_qubits <= most:
        return _outputs(circuit), True
    size = f"{circuit.num_qubits} qubits are more than {most}"
    try:
        run = cone_expectations(circuit)
    except BadInputError as error:
        reason = str(error)
    else:
        notes.append(f"simulated on the light cones of the observables, exactly: {size}")
        return run, False
    try:
        chain_expectations(circuit, point)
    except BadInputError as error:
        notes.append(f"not simulated here: {size}; {reason}; as a matrix product state: {error}")
        return None, False
    notes.append(f"simulated as a matrix product state, exactly to rounding: {size}; {reason}")
    return partial(chain_expectations, circuit), False


def _most_dense(circuit: Circuit) -> int:
    """Return up to how many qubits the state of such a circuit is kept as a vector or a matrix."""
    mixed = needs_density(circuit) if circuit.num_qubits <= MOST_PURE else circuit.noisy
    return MOST_MIXED if mixed else MOST_PURE


def _outputs(circuit: Circuit) -> Outputs:
    """Return the function from parameters to what is measured; states count up to their phase."""
    if circuit.observables:
        return lambda theta: expectations(circuit, theta)
    if needs_density(circuit):
        return lambda theta: torch.view_as_real(density_matrix(circuit, theta)).flatten(-3)

    def state(theta: Tensor) -> Tensor:
        psi = state_vector(circuit, theta)
        largest = psi.abs().mean(0).argmax()
        phase = psi[..., largest : largest + 1]
        return torch.view_as_real(psi * (phase.conj() / phase.abs())).flatten(-2)

    return state


def _each(run: Outputs) -> Outputs:
    return lambda theta: torch.stack([run(row) for row in theta])


def _simulated(
    circuit: Circuit, symmetry: Symmetry, outputs: Outputs, points: list[Tensor], generator: torch.Generator, *, few: bool
) -> list[Row]:
    if not symmetry.factors:
        return []
    rows = [_row(circuit, symmetry, None, "all together", outputs, points, 4 if few else 8, generator)]
    for k, factor in enumerate(symmetry.factors):
        name = f"{group_name(factor)} on {factor.wire.name}"
        rows.append(_row(circuit, symmetry, k, name, outputs, points[:1], MOST_ON_CHAINS if few else MOST_ELEMENTS, generator))
    return rows


def _row(
    circuit: Circuit,
    symmetry: Symmetry,
    factor: int | None,
    name: str,
    outputs: Outputs,
    points: list[Tensor],
    count: int,
    generator: torch.Generator,
    tolerance: Tolerance = TOLERANCE,
) -> Row:
    error = moved = 0.0
    for theta in points:
        elements = _elements(symmetry, factor, count, generator)
        params = unpack(circuit, theta)
        there = torch.stack([theta, *(pack(circuit, symmetry.act(element, params)) for element in elements)])
        moved = max(moved, float((there - theta).abs().max()))
        with torch.no_grad():
            values = outputs(there)
        scale = max(1.0, float(values[0].abs().max()))
        error = max(error, float((values - values[0]).abs().max()) / scale)
    if moved == 0.0:
        return Row(factor, name, error, moved, "no", "a symmetry that does nothing: no parameter moves")
    holds = verdict(error, tolerance)
    return Row(factor, name, error, moved, holds, "" if holds == "yes" else "the cost changes")


def _elements(symmetry: Symmetry, factor: int | None, count: int, generator: torch.Generator) -> list[Element]:
    """Return generators one by one for a single factor, as far as there are so many, and random elements otherwise."""
    one = symmetry if factor is None else symmetry.only(symmetry.factors[factor].id)
    for group in one.groups(SignedShift) if factor is not None else ():
        order = torch.randperm(group.rank, generator=generator).tolist()[:count]
        return [Element(symmetry, (Move(one.factors[0].id, group.element(1 << k)),)) for k in order]
    only = None if factor is None else (factor,)
    return [symmetry.sample(generator=generator, only=only) for _ in range(count)]


def _with_pauli_noise(circuit: Circuit, generator: torch.Generator) -> Circuit:
    """Return the circuit with a random Pauli channel on every qubit of every operation."""
    operations = []
    for op in circuit.operations:
        operations.append(op)
        for q in op.qubits:
            p = torch.rand(3, generator=generator, dtype=torch.float64).numpy() * 0.05
            operations.append(pauli_channel(dict(zip("XYZ", np.asarray(p).tolist(), strict=True)), q))
    return replace(circuit, operations=tuple(operations))


def require_float64(dtype: torch.dtype) -> None:
    """Check the precision of a proof.

    Args:
        dtype: What was asked for.

    Raises:
        BadInputError: If it is not float64.
    """
    if dtype != torch.float64:
        raise BadInputError(f"Circuits are verified in float64 only, but `dtype` is {dtype}.")
