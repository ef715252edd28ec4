"""Read Qiskit's circuits."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from parasym.circuits.affine import read_affine
from parasym.circuits.circuit import Circuit
from parasym.circuits.euler import controlled_phase, u2, u3
from parasym.circuits.observable import Observable, PauliSum
from parasym.circuits.operation import Channel, Clifford, Opaque, Operation, Unitary, controlled_rotation, matrix_of, rotation
from parasym.circuits.pauli import Pauli
from parasym.core import BadInputError

Where = tuple[int, ...]
Rule = Callable[[list[float], Where], tuple[Operation, ...]]

SKIPPED = {"barrier", "delay", "id", "global_phase"}
CLIFFORD = {"x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "cx", "cy", "cz", "swap", "iswap", "ecr", "dcx"}
RULES: dict[str, Rule] = {
    "rx": lambda a, q: (rotation("X", q, a[0]),),
    "ry": lambda a, q: (rotation("Y", q, a[0]),),
    "rz": lambda a, q: (rotation("Z", q, a[0]),),
    "p": lambda a, q: (rotation("Z", q, a[0]),),
    "u1": lambda a, q: (rotation("Z", q, a[0]),),
    "u2": lambda a, q: u2(a[0], a[1], q[0]),
    "u3": lambda a, q: u3(a[0], a[1], a[2], q[0]),
    "u": lambda a, q: u3(a[0], a[1], a[2], q[0]),
    "rxx": lambda a, q: (rotation("XX", q, a[0]),),
    "ryy": lambda a, q: (rotation("YY", q, a[0]),),
    "rzz": lambda a, q: (rotation("ZZ", q, a[0]),),
    "rzx": lambda a, q: (rotation("ZX", q, a[0]),),
    "crx": lambda a, q: controlled_rotation("X", q[0], q[1], a[0]),
    "cry": lambda a, q: controlled_rotation("Y", q[0], q[1], a[0]),
    "crz": lambda a, q: controlled_rotation("Z", q[0], q[1], a[0]),
    "cp": lambda a, q: controlled_phase(a[0], *q),
    "cu1": lambda a, q: controlled_phase(a[0], *q),
}
CLASSICAL = {"measure", "if_else", "while_loop", "for_loop", "switch_case", "box", "store"}
MOST_MATRIX_QUBITS = 3


def from_qiskit(circuit: Any, observables: Any = (), *, frozen: Sequence[Any] = ()) -> Circuit:
    """Return a Qiskit circuit with what is measured; its parameters are ``circuit.parameters``, in that order.

    Measurements at the end are left out; without observables the whole state counts.

    Args:
        circuit: A ``QuantumCircuit``.
        observables: A ``SparsePauliOp``, a ``Pauli``, or a sequence of them.
        frozen: Parameters that do not move, such as data.

    Raises:
        BadInputError: If it has no parameters, or not those that are frozen, or something in it cannot be read.
    """
    circuit = circuit.remove_final_measurements(inplace=False)
    parameters = list(circuit.parameters)
    if unknown := [p for p in frozen if p not in parameters]:
        raise BadInputError(f"Argument `frozen` must name parameters of the circuit, but {unknown[0]} is none of {parameters}.")
    if not parameters:
        raise BadInputError("The circuit must have parameters, but has none: there is nothing that a symmetry could move.")
    wanted = observables if isinstance(observables, list | tuple) else (observables,)
    measured = tuple(read_observable(o, circuit.num_qubits) for o in wanted)

    def build(x: np.ndarray) -> Circuit:
        bound = circuit.assign_parameters(dict(zip(parameters, x.tolist(), strict=True)))
        qubits = {bit: k for k, bit in enumerate(bound.qubits)}
        operations = [part for item in bound.data for part in read_instruction(item, qubits)]
        return Circuit(bound.num_qubits, tuple(operations), measured)

    fixed = tuple(parameters.index(p) for p in frozen)
    return read_affine(build, (("angles", (len(parameters),)),), fixed)


def read_observable(observable: Any, num_qubits: int) -> Observable:
    """Return one of Qiskit's observables; its labels have qubit 0 last.

    Args:
        observable: A ``SparsePauliOp`` or a ``Pauli``.
        num_qubits: Number of qubits of the circuit.

    Raises:
        BadInputError: If it is something else, has another number of qubits, or complex coefficients.
    """
    from qiskit import QiskitError
    from qiskit.quantum_info import SparsePauliOp

    try:
        operator = SparsePauliOp(observable)
    except QiskitError as error:
        raise BadInputError(
            "An observable of a Qiskit circuit must be a SparsePauliOp, a Pauli or a label, but is a "
            f"{type(observable).__name__}: {error.message}"
        ) from error
    if operator.num_qubits != num_qubits:
        raise BadInputError(f"The observable has {operator.num_qubits} qubits, but the circuit has {num_qubits}.")
    terms = []
    for label, coefficient in operator.to_list():
        if abs(complex(coefficient).imag) > 1e-12:
            raise BadInputError(f"The observable must be Hermitian, but {label} has the coefficient {coefficient}.")
        terms.append((complex(coefficient).real, Pauli.from_label(label[::-1])))
    return PauliSum(tuple(terms))


def read_instruction(item: Any, qubits: dict[Any, int]) -> tuple[Operation, ...]:
    """Return one of Qiskit's instructions, with constant angles.

    Args:
        item: A ``CircuitInstruction``.
        qubits: The number of every qubit.

    Raises:
        BadInputError: If it is a measurement in the middle of the circuit, or depends on one.
    """
    op, where = item.operation, tuple(qubits[bit] for bit in item.qubits)
    if op.name in CLASSICAL or getattr(op, "condition", None) is not None:
        raise BadInputError(
            f"The circuit has `{op.name}` on qubits {list(where)} in the middle, and what follows may depend on it: "
            "this has no Pauli frame. Defer measurements to the end."
        )
    if op.name in SKIPPED:
        return ()
    if op.name in CLIFFORD:
        return (Clifford(op.name, where),)
    if op.name in RULES:
        return RULES[op.name]([float(x) for x in op.params], where)
    if op.name == "reset":
        return (Channel(where, (matrix_of([[1, 0], [0, 0]]), matrix_of([[0, 1], [0, 0]])), "reset"),)
    if not op.params and len(where) <= MOST_MATRIX_QUBITS and hasattr(op, "to_matrix"):
        return (_matrix(op, where),)
    if op.definition is not None and op.name not in {"initialize", "state_preparation", "unitary"}:
        inner = {bit: where[k] for k, bit in enumerate(op.definition.qubits)}
        return tuple(part for sub in op.definition.data for part in read_instruction(sub, inner))
    if len(where) <= MOST_MATRIX_QUBITS and hasattr(op, "to_matrix"):
        return (_matrix(op, where),)
    return (Opaque(op.name, where, (), None, "it has no rule and no definition: its qubits are pinned"),)


def _matrix(op: Any, where: Where) -> Unitary:
    # Qiskit's first qubit is the least significant bit of an index, ours the most significant.
    return Unitary(where[::-1], matrix_of(op.to_matrix()), op.name)
