"""Whatever describes a circuit, as a circuit."""

import sys
from collections.abc import Mapping
from typing import Any

from parasym.circuits.circuit import Circuit
from parasym.core import BadInputError


def is_circuit(model: object) -> bool:
    """Return whether ``model`` is a circuit, a PennyLane QNode or tape, or a Qiskit circuit. Nothing is imported for it.

    Args:
        model: Anything.
    """
    return isinstance(model, Circuit) or foreign_kind(model) is not None


def as_circuit(model: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None) -> Circuit:
    """Return a circuit from any of its descriptions.

    Args:
        model: A :class:`Circuit`, a PennyLane QNode or tape, or a Qiskit circuit.
        args: Example arguments of a QNode; the observables of a Qiskit circuit.
        kwargs: Example keyword arguments of a QNode.

    Raises:
        BadInputError: If it cannot be read, or is none of these.
    """
    kind = foreign_kind(model)
    if isinstance(model, Circuit):
        return model
    if kind == "QNode":
        from parasym.circuits.from_pennylane import from_qnode

        return from_qnode(model, args if isinstance(args, tuple) else (args,), kwargs)
    if kind == "QuantumScript":
        from parasym.circuits.from_pennylane import from_tape

        return from_tape(model)
    if kind == "QuantumCircuit":
        from parasym.circuits.from_qiskit import from_qiskit

        options = dict(kwargs or {})
        if options.keys() - {"frozen"}:
            raise BadInputError(f"A Qiskit circuit takes the keyword `frozen` only, but got {', '.join(options)}.")
        return from_qiskit(model, args, **options)
    raise BadInputError(
        f"A circuit must be a parasym Circuit, a QNode, a tape or a Qiskit circuit, but is a {type(model).__name__}."
    )


def foreign_kind(model: object) -> str | None:
    """Return the name of the foreign kind of circuit this is, or ``None``; its library is loaded already if it is one.

    Args:
        model: Anything.
    """
    for package, names in (("pennylane", ("QNode", "tape.QuantumScript")), ("qiskit", ("QuantumCircuit",))):
        module = sys.modules.get(package)
        for name in names if module is not None else ():
            kind: Any = module
            for part in name.split("."):
                kind = getattr(kind, part, None)
            if isinstance(kind, type) and isinstance(model, kind):
                return name.rpartition(".")[2]
    return None
