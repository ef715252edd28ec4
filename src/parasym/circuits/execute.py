"""Run a circuit by the library it comes from, and turn parameter tensors into vectors and back."""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parasym.circuits.circuit import Circuit
from parasym.circuits.source import foreign_kind
from parasym.core import BadInputError, Params, ShapeError


def pack(circuit: Circuit, params: Params) -> Tensor:
    """Return the parameters as one vector.

    Args:
        circuit: The circuit.
        params: Its tensors by name.

    Raises:
        BadInputError: If they are not tensors by name.
        ShapeError: If one is missing or has another shape.
    """
    if not isinstance(params, Mapping):
        raise BadInputError(
            f"The parameters must be tensors by name, such as {{'angles': x}}, but are a {type(params).__name__}."
        )
    for name, shape in circuit.tensors:
        if name not in params or tuple(params[name].shape) != shape:
            found = tuple(params[name].shape) if name in params else "none"
            raise ShapeError(f"Parameter `{name}` of the circuit must have shape {shape}, but found {found}.")
    return torch.cat([params[name].reshape(-1).to(torch.float64) for name, _ in circuit.tensors])


def unpack(circuit: Circuit, theta: Tensor) -> Params:
    """Return a vector as the circuit's parameter tensors by name.

    Args:
        circuit: The circuit.
        theta: A vector of length ``num_parameters``.

    Raises:
        ShapeError: If it has another length.
    """
    if theta.shape != (circuit.num_parameters,):
        raise ShapeError(f"The circuit has {circuit.num_parameters} parameters, but the vector has shape {tuple(theta.shape)}.")
    parts = theta.split([prod(shape) for _, shape in circuit.tensors])
    return {name: part.reshape(shape) for (name, shape), part in zip(circuit.tensors, parts, strict=True)}


def executor(
    model: Any, circuit: Circuit, args: Any = (), kwargs: Mapping[str, Any] | None = None
) -> Callable[[Tensor], Tensor] | None:
    """Return a function that runs the model by its own library at a parameter vector, or ``None`` if there is none.

    Sampled outputs say nothing exact, so a QNode with shots has none.

    Args:
        model: What the circuit was read from.
        circuit: The circuit.
        args: Example arguments of a QNode, or observables of a Qiskit circuit.
        kwargs: Example keyword arguments of a QNode.
    """
    kind = foreign_kind(model)
    if kind == "QNode" and not model.shots.total_shots:
        args = args if isinstance(args, tuple) else (args,)
        return _run_qnode(model, circuit, args, dict(kwargs or {}))
    if kind == "QuantumCircuit" and not (isinstance(args, tuple) and not args) and not _resets(model):
        return _run_qiskit(model, args)
    return None


def _run_qnode(qnode: Any, circuit: Circuit, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    from parasym.circuits.from_pennylane import bind_call

    call = bind_call(qnode, args, kwargs)

    def run(theta: Tensor) -> Tensor:
        x = theta.numpy()
        result = qnode(*call.positional(circuit.tensors, x), **call.keywords(circuit.tensors, x))
        flat = [np.asarray(r).reshape(-1) for r in (result if isinstance(result, tuple | list) else [result])]
        joined = np.concatenate(flat)
        if len(joined) == 2**circuit.num_qubits and np.iscomplexobj(joined) and not circuit.observables:
            joined = np.outer(joined, joined.conj()).reshape(-1)  # a state counts up to its phase
        return torch.from_numpy(np.concatenate([np.real(joined), np.imag(joined)]))

    return run


def _run_qiskit(circuit: Any, observables: Any) -> Callable[[Tensor], Tensor]:
    from qiskit.quantum_info import SparsePauliOp, Statevector

    bare = circuit.remove_final_measurements(inplace=False)
    operators = [SparsePauliOp(o) for o in (observables if isinstance(observables, list | tuple) else (observables,))]

    def run(theta: Tensor) -> Tensor:
        state = Statevector(bare.assign_parameters(theta.tolist()))
        return torch.tensor([state.expectation_value(o).real for o in operators], dtype=torch.float64)

    return run


def _resets(circuit: Any) -> bool:
    return "reset" in circuit.count_ops()
