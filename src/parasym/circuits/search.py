"""Find the parameter symmetry of a circuit: Pauli frames over GF(2)."""

from dataclasses import replace
from math import prod

import numpy as np

from parasym.circuits.circuit import Circuit
from parasym.circuits.drift import drift_directions
from parasym.circuits.noise import NoiseModel, with_noise
from parasym.circuits.propagate import Propagation, propagate
from parasym.core import BadInputError
from parasym.groups import Drift, SignedShift
from parasym.symmetry import Factor, Flat, Symmetry, Wire


def find_circuit(
    circuit: Circuit, *, noise: NoiseModel | None = None, antiunitary: bool = False, continuous: bool = False
) -> Symmetry:
    r"""Return the sign flips and half turns of the angles that leave the circuit's cost unchanged, at every angle.

    A frame :math:`F_0` that the initial state does not see is pushed through the circuit. Past a rotation it flips the angle
    if it anticommutes with the generator; a half turn multiplies it by the generator. What arrives at the end must not be
    seen by the observables. All of it is linear over GF(2), and the null space is the group, of order :math:`2^d`. It is
    exact, with noise too: channels add equations of their own. There may be more symmetries than come from Pauli frames.

    Args:
        circuit: The circuit; channels among its operations count.
        noise: Further channels; the result is the subgroup that survives them.
        antiunitary: Whether complex conjugation may take part.
        continuous: Whether to report straight directions without effect too, as a second factor
            (see :func:`parasym.circuits.drift.drift_directions`).

    Returns:
        The symmetry, with at most one factor of flips and shifts, and at most one of drifts.

    Raises:
        BadInputError: If the circuit has no parameters.

    Example:
        >>> from parasym.circuits import amplitude_damping, ising_ring, layered
        >>> circuit = layered(4, 3, final=True, observables=(ising_ring(4),))
        >>> noise = NoiseModel(after_many=(amplitude_damping(0.1, 0),))
        >>> find_circuit(circuit).order, find_circuit(circuit, noise=noise).order
        (8192, 2)

    References:
        Fontana, Cerezo, Arrasmith, Rungger, Coles. Non-trivial symmetries in quantum landscapes and their resilience to
        quantum noise. Quantum 6, 804, 2022, https://arxiv.org/abs/2011.08763
    """
    if circuit.num_parameters == 0:
        raise BadInputError("The circuit must have parameters, but has none: there is nothing that a symmetry could move.")
    noisy = circuit if noise is None else with_noise(circuit, noise)
    state = propagate(noisy, antiunitary=antiunitary)
    rows = action_rows(state)
    found = _symmetry(state, rows)
    directions = drift_directions(noisy) if continuous else ()
    return _with_drift(found, circuit, directions) if directions else found


def angle_group(symmetry: Symmetry) -> SignedShift:
    """Return the group of a circuit's symmetry: its generators, its elements.

    Args:
        symmetry: What :func:`find_circuit` returned.

    Raises:
        BadInputError: If the symmetry is trivial, or not that of a circuit.
    """
    for group in symmetry.groups(SignedShift):
        return group
    raise BadInputError("The symmetry has no flips and shifts of angles: it is trivial, or not that of a circuit.")


def action_rows(state: Propagation) -> list[int]:
    """Return independent generators as numbers: bit ``j`` flips parameter ``j``, bit ``M + j`` shifts it.

    Unknowns of the frame at the start come last in the order, so they are determined first. What is left free are shifts, whose
    generators are independent because of the shifts themselves, and a few free frames, which act by signs alone.

    Args:
        state: A circuit with its equations.
    """
    size, system, movable = state.circuit.num_parameters, state.system, state.movable()
    system.solve()
    signs = system.substitute(state.signs.get(j, 0) for j in range(size))
    shifts = system.substitute(1 << j if j in movable else 0 for j in range(size))
    free = [j for j in range(state.unknowns) if j not in system.rows and (j >= size or j in movable)]
    columns = _columns([*signs, *shifts], free, state.unknowns)
    by_shift = [row for j, row in zip(free, columns, strict=True) if j < size]
    by_sign: dict[int, int] = {}
    for j, row in zip(free, columns, strict=True):
        while j >= size and row:
            if row.bit_length() not in by_sign:
                by_sign[row.bit_length()] = row
                break
            row ^= by_sign[row.bit_length()]
    return [*by_shift, *by_sign.values()]


def _columns(forms: list[int], wanted: list[int], unknowns: int) -> list[int]:
    """Return the columns of a bit matrix that is given by rows, as numbers."""
    width = (unknowns + 7) // 8
    packed = np.frombuffer(b"".join(form.to_bytes(width, "little") for form in forms), dtype=np.uint8).reshape(-1, width)
    bits = np.unpackbits(packed, axis=1, bitorder="little")[:, wanted]
    columns = np.packbits(bits.T, axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in columns]


def _symmetry(state: Propagation, rows: list[int]) -> Symmetry:
    circuit, size = state.circuit, state.circuit.num_parameters
    moved = 0
    for row in rows:
        moved |= row | row >> size
    spans, start = [], 0
    for name, shape in circuit.tensors:
        spans.append((name, shape, start, prod(shape)))
        start += prod(shape)
    parts = [span for span in spans if moved >> span[2] & (1 << span[3]) - 1]
    pinned = tuple(span[0] for span in spans if span not in parts)
    factors = (_factor(state, rows, parts),) if rows else ()
    return Symmetry(factors, circuit.tensors, tuple(state.uncovered), pinned)


def _with_drift(symmetry: Symmetry, circuit: Circuit, directions: tuple[tuple[float, ...], ...]) -> Symmetry:
    drift = Factor(
        Drift(circuit.num_parameters, directions), Wire("angles", circuit.num_parameters), (), (Flat(circuit.tensors),)
    )
    return replace(symmetry, factors=(*symmetry.factors, drift), pinned=())


def _factor(state: Propagation, rows: list[int], parts: list[tuple[str, tuple[int, ...], int, int]]) -> Factor:
    """Return the one factor: the group on the entries of the tensors that move."""
    size = state.circuit.num_parameters
    kept = [j for _, _, start, count in parts for j in range(start, start + count)]
    units, centers = ([values[j] for j in kept] for values in (state.units.units, state.units.centers))
    if len(kept) < size:
        rows = _columns(_columns(rows, [*kept, *(size + j for j in kept)], 2 * size), list(range(len(rows))), len(rows))
    group = SignedShift(len(kept), tuple(hex(row) for row in rows))
    if any(unit != np.pi for unit in units):
        group = replace(group, units=tuple(units))
    if any(centers):
        group = replace(group, centers=tuple(centers))
    binding = Flat(tuple((name, shape) for name, shape, _, _ in parts))
    return Factor(group, Wire(parts[0][0] if len(parts) == 1 else "angles", len(kept)), (), (binding,))
