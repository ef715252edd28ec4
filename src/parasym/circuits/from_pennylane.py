"""Read PennyLane's QNodes and tapes."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from parasym.circuits.affine import read_affine
from parasym.circuits.circuit import Circuit
from parasym.circuits.euler import controlled_euler, controlled_phase, euler, ising_xy, u2, u3
from parasym.circuits.measured_pennylane import observables_of
from parasym.circuits.operation import (
    Channel,
    Clifford,
    Matrix,
    Opaque,
    Operation,
    Unitary,
    controlled_rotation,
    matrix_of,
    rotation,
)
from parasym.core import BadInputError

Where = tuple[int, ...]
Rule = Callable[[list[float], Where], tuple[Operation, ...]]

SKIPPED = {"Identity", "GlobalPhase", "Barrier", "Snapshot", "WireCut"}
CLIFFORD = {
    "PauliX": "x", "PauliY": "y", "PauliZ": "z", "Hadamard": "h", "S": "s", "Adjoint(S)": "sdg", "SX": "sx",
    "Adjoint(SX)": "sxdg", "CNOT": "cx", "CY": "cy", "CZ": "cz", "SWAP": "swap", "ISWAP": "iswap",
    "Adjoint(ISWAP)": "iswapdg", "ECR": "ecr",
}  # fmt: skip
RULES: dict[str, Rule] = {
    "RX": lambda a, q: (rotation("X", q, a[0]),),
    "RY": lambda a, q: (rotation("Y", q, a[0]),),
    "RZ": lambda a, q: (rotation("Z", q, a[0]),),
    "PhaseShift": lambda a, q: (rotation("Z", q, a[0]),),
    "U1": lambda a, q: (rotation("Z", q, a[0]),),
    "U2": lambda a, q: u2(a[0], a[1], q[0]),
    "U3": lambda a, q: u3(a[0], a[1], a[2], q[0]),
    "Rot": lambda a, q: euler(a[0], a[1], a[2], q[0]),
    "IsingXX": lambda a, q: (rotation("XX", q, a[0]),),
    "IsingYY": lambda a, q: (rotation("YY", q, a[0]),),
    "IsingZZ": lambda a, q: (rotation("ZZ", q, a[0]),),
    "IsingXY": lambda a, q: ising_xy(a[0], *q),
    "MultiRZ": lambda a, q: (rotation("Z" * len(q), q, a[0]),),
    "CRX": lambda a, q: controlled_rotation("X", q[0], q[1], a[0]),
    "CRY": lambda a, q: controlled_rotation("Y", q[0], q[1], a[0]),
    "CRZ": lambda a, q: controlled_rotation("Z", q[0], q[1], a[0]),
    "CRot": lambda a, q: controlled_euler((a[0], a[1], a[2]), *q),
    "ControlledPhaseShift": lambda a, q: controlled_phase(a[0], *q),
}
MOST_MATRIX_WIRES = 3


def from_qnode(qnode: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Circuit:
    """Return the circuit of a PennyLane QNode.

    Its parameters are the floating-point arguments, flattened and joined. Arguments that do not require a gradient where others
    do are data: they are varied too, so that what is found holds for all data, but they do not move.

    Args:
        qnode: The QNode.
        args: Example arguments; of floating-point ones only shapes matter.
        kwargs: Example keyword arguments.

    Raises:
        BadInputError: If it has no floating-point argument, does not run, or something in it cannot be read.
    """
    import pennylane as qml

    call = bind_call(qnode, args, dict(kwargs or {}))
    trainable, data = call.floats(trainable=True), call.floats(trainable=False)
    tensors = tuple((name, np.shape(call.values[name])) for name in (*trainable, *data))
    count = sum(math.prod(shape) for name, shape in tensors if name in trainable)
    total = sum(math.prod(shape) for _, shape in tensors)
    if total == 0:
        raise BadInputError(
            "The QNode must be given its parameters as floating-point arguments, such as find(qnode, (weights,))."
        )
    order = wire_order(qnode.device.wires)

    def build(x: np.ndarray) -> Circuit:
        try:
            tape = qml.workflow.construct_tape(qnode, level="user")(*call.positional(tensors, x), **call.keywords(tensors, x))
        except Exception as error:
            lines = str(error).strip().splitlines() or ["no message"]
            raise BadInputError(
                f"The QNode does not run on these arguments ({describe_shapes(tensors) or 'none'}): "
                f"{type(error).__name__}: {lines[0].rstrip('.')}."
            ) from error
        return read_tape(tape, order)

    return read_affine(build, tensors, tuple(range(count, total)))


def describe_shapes(tensors: tuple[tuple[str, tuple[int, ...]], ...]) -> str:
    """Return names and shapes on one line.

    Args:
        tensors: Pairs of both.

    Example:
        >>> describe_shapes((("weights", (2, 3)), ("x", ())))
        '`weights` of shape (2, 3), `x` of shape ()'
    """
    return ", ".join(f"`{name}` of shape {tuple(shape)}" for name, shape in tensors)


def from_tape(tape: Any) -> Circuit:
    """Return the circuit of a PennyLane tape; its parameters are the trainable parameters of the operations, in order.

    Args:
        tape: A ``QuantumScript``.

    Raises:
        BadInputError: If something in it cannot be read.
    """
    everything = tape.get_parameters(trainable_only=False)
    # Coefficients of a Hamiltonian count as parameters of a tape, but are no angles.
    trainable = [k for k in tape.trainable_params if tape.par_info[k]["op_idx"] < len(tape.operations)]
    shapes = [np.shape(everything[k]) for k in trainable]
    sizes = np.cumsum([0, *(math.prod(s) for s in shapes)])

    def build(x: np.ndarray) -> Circuit:
        parts = [x[a:b].reshape(s) for a, b, s in zip(sizes[:-1], sizes[1:], shapes, strict=True)]
        return read_tape(tape.bind_new_parameters(parts, trainable), None)

    return read_affine(build, (("angles", (int(sizes[-1]),)),), ())


def read_tape(tape: Any, order: dict[Any, int] | None) -> Circuit:
    """Return a tape with constant angles.

    Args:
        tape: A ``QuantumScript``.
        order: The number of every wire; in the order of the tape if ``None``.

    Raises:
        BadInputError: If it has mid-circuit measurements, or measures wires that are not there.
    """
    wires = order or {w: k for k, w in enumerate(tape.wires)}
    missing = [w for w in tape.wires if w not in wires]
    if missing:
        raise BadInputError(f"The circuit uses wire {missing[0]!r}, but the device has only the wires {list(wires)}.")
    if tape.shots.total_shots == 0:
        raise BadInputError("The number of shots must be at least 1, or None for exact values, but is 0.")
    operations: list[Operation] = []
    for op in tape.operations:
        operations += read_operation(op, wires)
    return Circuit(len(wires), tuple(operations), observables_of(tape.measurements, wires))


def read_operation(op: Any, wires: dict[Any, int]) -> tuple[Operation, ...]:
    """Return one of PennyLane's operations, with constant angles.

    Args:
        op: The operation.
        wires: The number of every wire.

    Raises:
        BadInputError: If it is a measurement in the middle of the circuit, or depends on one, or has numbers that make no sense.
    """
    import pennylane as qml

    where = tuple(wires[w] for w in op.wires)
    if op.name in {"MidMeasureMP", "MidMeasure", "PauliMeasure"} or "Conditional" in type(op).__name__:
        raise BadInputError(
            f"The circuit measures wire {list(op.wires)} in the middle, and what follows may depend on it: this has no Pauli "
            "frame. Apply qml.defer_measurements to it first."
        )
    if op.name in SKIPPED:
        return ()
    if op.name in CLIFFORD:
        return (Clifford(CLIFFORD[op.name], where),)
    if isinstance(op, qml.operation.Channel):
        return (Channel(where, _kraus(op), op.name),)
    if any(np.ndim(x) > 0 for x in op.data) and (op.name in RULES or op.name == "PauliRot"):
        raise BadInputError(
            f"Operation {op.name} has a batch of angles of shape {np.shape(op.data[0])}: give one set of parameters."
        )
    angles = [float(x) for x in op.data] if op.name in RULES or op.name == "PauliRot" else []
    if op.name in RULES:
        return RULES[op.name](angles, where)
    if op.name == "PauliRot":
        word = op.hyperparameters["pauli_word"]
        return (rotation(word, where, angles[0]),) if set(word) != {"I"} else ()
    return _other(op, where, wires)


def _kraus(op: Any) -> tuple[Matrix, ...]:
    try:
        return tuple(matrix_of(k) for k in op.kraus_matrices())
    except ValueError as error:
        raise BadInputError(f"Channel {op.name} on wires {list(op.wires)} is none: {str(error).rstrip('.')}.") from error


def _other(op: Any, where: Where, wires: dict[Any, int]) -> tuple[Operation, ...]:
    """Return an operation without a rule: decomposed, or as a matrix, or as unknown."""
    fixed = op.num_params == 0 and len(where) <= MOST_MATRIX_WIRES and op.has_matrix
    if not fixed and op.has_decomposition and op.name not in {"StatePrep", "MottonenStatePreparation", "QubitUnitary"}:
        return tuple(part for inner in op.decomposition() for part in read_operation(inner, wires))
    if op.has_matrix and len(where) <= MOST_MATRIX_WIRES:
        return (Unitary(where, matrix_of(op.matrix()), op.name),)
    return (Opaque(op.name, where, (), None, "it has no rule and no decomposition: its qubits are pinned"),)


class Call:
    """The arguments of a call by name, in their places.

    Args:
        values: Every argument by name.
        places: Its position, or its keyword.
        size: Number of positional arguments.
    """

    def __init__(self, values: dict[str, Any], places: dict[str, int | str], size: int) -> None:
        self.values, self.places, self.size = values, places, size

    def floats(self, *, trainable: bool) -> tuple[str, ...]:
        """Return the names of the floating-point arguments that are trainable, or of those that are not.

        Args:
            trainable: Which.
        """
        floats = [n for n, v in self.values.items() if _is_float(v)]
        wanted = [n for n in floats if getattr(self.values[n], "requires_grad", True)] or floats
        return tuple(n for n in floats if (n in wanted) == trainable)

    def _filled(self, tensors: tuple[tuple[str, tuple[int, ...]], ...], x: np.ndarray) -> dict[str, Any]:
        from pennylane import numpy as pnp

        out, start = dict(self.values), 0
        for name, shape in tensors:
            size = math.prod(shape)
            part = x[start : start + size].reshape(shape)
            if hasattr(out[name], "detach"):  # a function written for torch may refuse arrays
                import torch

                out[name] = torch.from_numpy(part.copy())
            else:
                out[name] = pnp.array(part, requires_grad=True)
            start += size
        return out

    def positional(self, tensors: tuple[tuple[str, tuple[int, ...]], ...], x: np.ndarray) -> list[Any]:
        """Return the positional arguments with these values.

        Args:
            tensors: Names and shapes of the floating-point arguments.
            x: Their entries, joined.
        """
        filled = self._filled(tensors, x)
        return [filled[name] for k in range(self.size) for name, place in self.places.items() if place == k]

    def keywords(self, tensors: tuple[tuple[str, tuple[int, ...]], ...], x: np.ndarray) -> dict[str, Any]:
        """Return the keyword arguments with these values.

        Args:
            tensors: Names and shapes of the floating-point arguments.
            x: Their entries, joined.
        """
        filled = self._filled(tensors, x)
        return {place: filled[name] for name, place in self.places.items() if isinstance(place, str)}


def bind_call(qnode: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """Return the arguments of a QNode's call by name.

    Args:
        qnode: The QNode.
        args: Positional arguments.
        kwargs: Keyword arguments.
    """
    names = [p.name for p in inspect.signature(qnode.func).parameters.values() if p.kind <= p.POSITIONAL_OR_KEYWORD]
    values: dict[str, Any] = {}
    places: dict[str, int | str] = {}
    for k, value in enumerate(args):
        name = names[k] if k < len(names) else f"argument {k}"
        values[name], places[name] = value, k
    for name, value in kwargs.items():
        values[name], places[name] = value, name
    return Call(values, places, len(args))


def _is_float(value: Any) -> bool:
    if isinstance(value, bool | int | str) or value is None:
        return False
    if hasattr(value, "detach"):
        return bool(value.is_floating_point())
    try:
        return np.issubdtype(np.asarray(value).dtype, np.floating)
    except (TypeError, ValueError):
        return False


def wire_order(wires: Any) -> dict[Any, int] | None:
    """Return the number of every wire of a device, or ``None`` if the device takes any.

    Args:
        wires: The device's wires.
    """
    return {w: k for k, w in enumerate(wires)} if wires is not None and len(wires) else None
