"""Read the angles of a circuit as affine functions of its parameters, from circuits built at generic values."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from math import pi

import numpy as np

from parasym.circuits.angle import Angle
from parasym.circuits.circuit import Circuit, describe
from parasym.circuits.operation import Opaque, Operation, Rotation
from parasym.core import BadInputError

Build = Callable[[np.ndarray], Circuit]

PROBES = 4
SAME = 1e-10
NICE = 1e-11
LARGEST_DENOMINATOR = 64
MOST_ONE_BY_ONE = 512


def read_affine(build: Build, tensors: tuple[tuple[str, tuple[int, ...]], ...], frozen: tuple[int, ...]) -> Circuit:
    r"""Return a circuit whose angles are functions of the parameters, from a function that builds it at given values.

    The circuit is built at four generic points. An angle that does not change is constant; if its changes are the same
    multiple of the changes of one parameter everywhere, it is :math:`o + m\theta_j`; otherwise it is followed along every
    parameter on its own. What is not affine, and every other operation that changes, becomes :class:`Opaque`.

    Args:
        build: Returns the circuit with constant angles at a vector of parameter values.
        tensors: Names and shapes of the parameters.
        frozen: Indices of those that do not move.

    Raises:
        BadInputError: If the operations depend on the values, or an angle that is not affine in one parameter would have to
            be followed along more than 512 parameters.
    """
    count = sum(int(np.prod(shape, dtype=int)) for _, shape in tensors)
    rng = np.random.default_rng(20110)
    points = [0.5 + 2 * rng.random(count) for _ in range(PROBES)]
    built = [build(point) for point in points]
    for other in built[1:]:
        _require_same_structure(built[0], other)
    moves = np.stack([p - points[0] for p in points[1:]])
    trail = _Trail(build, points, built)
    operations = []
    for k, op in enumerate(built[0].operations):
        versions = [circuit.operations[k] for circuit in built]
        operations.append(_read(op, versions, k, moves, trail))
    return replace(built[0], operations=tuple(operations), tensors=tensors, frozen=frozen)


class _Trail:
    """The circuit followed along every parameter on its own, from two points; built only when an angle needs it."""

    def __init__(self, build: Build, points: Sequence[np.ndarray], built: Sequence[Circuit]) -> None:
        self.build, self.points, self.built = build, points, built
        self.steps: list[list[Circuit]] | None = None

    def circuits(self) -> list[list[Circuit]]:
        """Return for two base points the circuits one step along each parameter."""
        count = len(self.points[0])
        if count > MOST_ONE_BY_ONE:
            raise BadInputError(
                f"An angle depends on more than one of {count} parameters, or not linearly; this is followed up to "
                f"{MOST_ONE_BY_ONE} parameters only. Write the circuit as a parasym.circuits.Circuit."
            )
        if self.steps is None:
            self.steps = [[self.build(p + np.eye(count)[j] * 0.25) for j in range(count)] for p in self.points[:2]]
        return self.steps

    def touched(self, k: int) -> tuple[int, ...]:
        """Return the parameters that change operation ``k``."""
        return tuple(
            j
            for j in range(len(self.points[0]))
            if any(_differs(self.built[b].operations[k], steps[j].operations[k]) for b, steps in enumerate(self.circuits()))
        )

    def slopes(self, k: int) -> np.ndarray:
        """Return the change of the angle of rotation ``k`` per unit of every parameter, at the first point."""
        base = _constant(self.built[0].operations[k])
        return np.array([(_constant(c.operations[k]) - base) / 0.25 for c in self.circuits()[0]])


def _read(op: Operation, versions: list[Operation], k: int, moves: np.ndarray, trail: _Trail) -> Operation:
    if not isinstance(op, Rotation):
        if not any(_differs(op, other) for other in versions[1:]):
            return op
        reason = "it depends on parameters and is not a Pauli rotation: its qubits and these parameters are pinned"
        return Opaque(describe(op).partition(" on ")[0], op.qubits, trail.touched(k), None, reason)
    values = np.array([_constant(version) for version in versions])
    terms = _terms(values, moves, k, trail)
    if terms is None:
        reason = "its angle is not an affine function of the parameters: these are pinned"
        letters = op.pauli.restricted(op.qubits).label(len(op.qubits))
        return Opaque(f"R[{letters}]", op.qubits, trail.touched(k), op.pauli, reason)
    offset = values[0] - sum(m * trail.points[0][j] for j, m in terms)
    return Rotation(op.pauli, Angle(tuple(terms), _nice_offset(float(offset))))


def _terms(values: np.ndarray, moves: np.ndarray, k: int, trail: _Trail) -> list[tuple[int, float]] | None:
    """Return the parameters and multipliers of an angle, or ``None`` if it is not affine."""
    changes = values[1:] - values[0]
    if np.abs(changes).max() < SAME:
        return []
    slopes = changes[0] / moves[0]
    fits = np.flatnonzero(np.abs(moves * slopes - changes[:, None]).max(axis=0) < SAME * max(1.0, np.abs(changes).max()))
    if len(fits) == 1:
        return [(int(fits[0]), _nice(float(slopes[fits[0]])))]
    slopes = trail.slopes(k)
    if np.abs(moves @ slopes - changes).max() > SAME * max(1.0, np.abs(changes).max()):
        return None
    return [(int(j), _nice(float(slopes[j]))) for j in np.flatnonzero(np.abs(slopes) > SAME)]


def _constant(op: Operation) -> float:
    assert isinstance(op, Rotation)
    return float(op.angle.offset)


def _nice(multiplier: float) -> float:
    """Return a simple fraction where the number is one up to rounding."""
    simple = float(Fraction(multiplier).limit_denominator(LARGEST_DENOMINATOR))
    return simple if abs(simple - multiplier) < NICE else multiplier


def _nice_offset(offset: float) -> float:
    turns = round(offset / (pi / 2))
    return turns * (pi / 2) if abs(offset - turns * (pi / 2)) < NICE else offset


def _differs(a: Operation, b: Operation) -> bool:
    if isinstance(a, Rotation):
        return abs(_constant(a) - _constant(b)) > SAME
    return a != b


def _require_same_structure(a: Circuit, b: Circuit) -> None:
    same = len(a.operations) == len(b.operations) and all(
        (type(x), x.qubits, getattr(x, "pauli", None), getattr(x, "name", ""))
        == (type(y), y.qubits, getattr(y, "pauli", None), getattr(y, "name", ""))
        for x, y in zip(a.operations, b.operations, strict=True)
    )
    if not same or a.num_qubits != b.num_qubits:
        raise BadInputError(
            "The operations of the circuit depend on the values of its parameters, not only their angles: "
            "find needs one circuit. Keep the choice of gates out of the trainable arguments."
        )
