"""Push a Pauli frame with unknown bits through a circuit and write down everything that must vanish."""

from dataclasses import dataclass, field

import numpy as np

from parasym.circuits.circuit import Circuit
from parasym.circuits.frame import Frame, System
from parasym.circuits.gates import pauli_matrix
from parasym.circuits.observable import Observable, PauliSum, StabilizerProjector
from parasym.circuits.operation import Channel, Clifford, Opaque, Rotation, Tableau, Unitary
from parasym.circuits.pauli import Pauli
from parasym.circuits.relation import MOST_QUBITS, SMALL, relation
from parasym.circuits.state import ProductState, StabilizerState, ZeroState, signed_word
from parasym.circuits.unit import Units, units_of
from parasym.symmetry import Uncovered

MOST_PROJECTOR_QUBITS = 5


@dataclass
class Propagation:
    """The unknowns of a circuit, and what is known about them.

    Unknown ``j`` below the number of parameters says whether parameter ``j`` is shifted; all others stand for the frame
    at the start, complex conjugation, and what channels forget.

    Attributes:
        circuit: The circuit.
        units: Shift units and centers.
        frame: The frame so far.
        system: The equations so far.
        conjugation: The form of complex conjugation; 0 if it is not allowed.
        signs: For every parameter that appeared the form of its sign.
        unknowns: Number of unknowns so far.
        uncovered: Operations that not every frame passes although no noise is meant.
    """

    circuit: Circuit
    units: Units
    frame: Frame
    system: System
    conjugation: int
    signs: dict[int, int]
    unknowns: int
    uncovered: list[Uncovered] = field(default_factory=list)

    def new(self) -> int:
        """Return the form of a new unknown."""
        self.unknowns += 1
        return 1 << self.unknowns - 1

    def movable(self) -> set[int]:
        """Return the parameters that may be shifted."""
        return {j for j, step in enumerate(self.units.steps) if step} - self.fixed()

    def fixed(self) -> set[int]:
        """Return the parameters that must stay as they are."""
        opaque = {j for op in self.circuit.operations if isinstance(op, Opaque) for j in op.parameters}
        return opaque | set(self.circuit.frozen)


def propagate(circuit: Circuit, *, antiunitary: bool = False) -> Propagation:
    r"""Return all equations that a frame must satisfy so that the circuit's cost is unchanged.

    At rotation :math:`k` the sign of the angle is the symplectic product of the frame with the generator, and a shift by
    :math:`\pi` multiplies the frame by the generator; a Clifford gate conjugates the frame. Parameters that are shared have
    one sign. Everything is linear over GF(2).

    Args:
        circuit: The circuit.
        antiunitary: Whether complex conjugation may take part.
    """
    units = units_of(circuit.num_parameters, [op.angle for op in circuit.rotations])
    n = circuit.num_qubits
    state = Propagation(circuit, units, Frame([0] * n, [0] * n), System(), 0, {}, circuit.num_parameters)
    state.conjugation = state.new() if antiunitary else 0
    fixed, movable = state.fixed(), state.movable()
    state.signs = dict.fromkeys(fixed, 0)
    _start(state)
    for k, op in enumerate(circuit.operations):
        if isinstance(op, Rotation):
            _rotate(state, op, movable)
        elif isinstance(op, Opaque):
            _pin(state, op, k)
        else:
            _pass(state, op, k)
    _finish(state)
    return state


def _start(state: Propagation) -> None:
    """The frame at the start must leave the initial state unchanged."""
    frame, initial = state.frame, state.circuit.initial
    for q in range(state.circuit.num_qubits):
        frame.z[q] = state.new()
        frame.x[q] = 0 if isinstance(initial, ZeroState) else state.new()
    if isinstance(initial, StabilizerState):
        for label in initial.stabilizers:
            _respect(state, signed_word(label)[1])
    if isinstance(initial, ProductState):
        for q, vector in enumerate(initial.bloch):
            for letter, component in zip("XYZ", vector, strict=True):
                if abs(component) > SMALL:
                    _respect(state, Pauli.from_label(letter, (q,)))


def _respect(state: Propagation, word: Pauli) -> None:
    """The frame, with conjugation, must leave ``word`` unchanged."""
    state.system.require(state.frame.product(word) ^ (state.conjugation if word.num_y % 2 else 0))


def _rotate(state: Propagation, op: Rotation, movable: set[int]) -> None:
    sign = state.frame.product(op.pauli) ^ (0 if op.pauli.num_y % 2 else state.conjugation)
    for j in op.angle.parameters:
        state.system.require(sign ^ state.signs.setdefault(j, sign))
    turns = state.units.quarter_turns(op.angle)
    if turns is None:
        state.system.require(sign)
        turns = 0
    shift = sign if turns % 2 else 0
    for j in state.units.odd_shifts(op.angle):
        if j in movable:
            shift ^= 1 << j
    state.frame.multiply(op.pauli, shift)


def _pin(state: Propagation, op: Opaque, k: int) -> None:
    """Nothing is known about the operation: only the identity, or what commutes with its generator, passes."""
    if op.pauli is not None:
        state.system.require(state.frame.product(op.pauli) ^ (0 if op.pauli.num_y % 2 else state.conjugation))
    else:
        _pin_qubits(state, op.qubits)
    state.uncovered.append(Uncovered(op.name, _where(op.qubits), f"operation {k}", op.reason or "nothing is known about it"))


def _pin_qubits(state: Propagation, qubits: tuple[int, ...]) -> None:
    for q in qubits:
        state.system.require(state.frame.x[q])
        state.system.require(state.frame.z[q])
    state.system.require(state.conjugation)


def _pass(state: Propagation, op: Clifford | Tableau | Unitary | Channel, k: int) -> None:
    frame, qubits = state.frame, op.qubits
    if isinstance(op, Unitary | Channel) and len(qubits) > MOST_QUBITS:
        _pin_qubits(state, qubits)
        state.uncovered.append(Uncovered(op.name, _where(qubits), f"operation {k}", f"more than {MOST_QUBITS} qubits: pinned"))
        return
    rule = relation(op)
    if isinstance(op, Unitary) and rule.conditions and len(qubits) > 1:  # on one qubit it is a few rotations by frozen angles
        reason = "not a Clifford gate: frames that it does not map to Pauli words are pinned"
        state.uncovered.append(Uncovered(op.name, _where(qubits), f"operation {k}", reason))
    before = [*(frame.x[q] for q in qubits), *(frame.z[q] for q in qubits), state.conjugation]
    for condition in rule.conditions:
        state.system.require(_sum(condition, before))
    loose = [state.new() for _ in range(rule.num_loose)]
    after = [_sum(a, before) ^ _sum(b, loose) for a, b in zip(rule.after, rule.loose, strict=True)]
    for i, q in enumerate(qubits):
        frame.x[q], frame.z[q] = after[i], after[len(qubits) + i]


def _sum(form: int, values: list[int]) -> int:
    out = 0
    while form:
        low = form & -form
        out ^= values[low.bit_length() - 1]
        form ^= low
    return out


def _finish(state: Propagation) -> None:
    """The frame at the end must leave everything that is measured unchanged."""
    if not state.circuit.observables:
        _pin_qubits(state, tuple(range(state.circuit.num_qubits)))
    for observable in state.circuit.observables:
        for word in invariant_words(observable, state.circuit.num_qubits):
            _respect(state, word)
        if not isinstance(observable, PauliSum | StabilizerProjector) and state.circuit.num_qubits > MOST_PROJECTOR_QUBITS:
            _pin_qubits(state, tuple(range(state.circuit.num_qubits)))


def invariant_words(observable: Observable, num_qubits: int) -> list[Pauli]:
    """Return the words that a frame must leave unchanged so that the observable is: those of which it is the sum.

    Args:
        observable: The observable; a projector onto a general state of more than 5 qubits has too many words: none is returned.
        num_qubits: Number of qubits.
    """
    if isinstance(observable, PauliSum):
        return [word for _, word in observable.terms]
    if isinstance(observable, StabilizerProjector):
        return [word for _, word in observable.stabilizers]
    if num_qubits > MOST_PROJECTOR_QUBITS:
        return []
    psi = np.array(observable.vector)
    words = [Pauli(x, z) for x in range(2**num_qubits) for z in range(2**num_qubits)]
    return [word for word in words if abs(psi.conj() @ pauli_matrix(word, num_qubits) @ psi) > SMALL]


def _where(qubits: tuple[int, ...]) -> str:
    return "qubits " + ", ".join(str(q) for q in qubits)
