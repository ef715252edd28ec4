"""A circuit as JSON and back."""

import json
from dataclasses import asdict
from typing import Any

from parasym.circuits.angle import Angle
from parasym.circuits.circuit import Circuit
from parasym.circuits.observable import Observable, PauliSum, StabilizerProjector, StateProjector
from parasym.circuits.operation import Channel, Clifford, Opaque, Operation, Rotation, Tableau, Unitary
from parasym.circuits.pauli import Pauli
from parasym.circuits.state import InitialState, ProductState, StabilizerState, ZeroState
from parasym.core import BadInputError

FORMAT = 1
KINDS: tuple[type, ...] = (
    Rotation, Clifford, Tableau, Unitary, Channel, Opaque,
    PauliSum, StabilizerProjector, StateProjector,
    ZeroState, StabilizerState, ProductState,
)  # fmt: skip


def dumps(circuit: Circuit) -> str:
    """Return a circuit as JSON text; complex numbers become pairs, bit masks hexadecimal text.

    Args:
        circuit: Any circuit.
    """
    document = {
        "format": FORMAT,
        "num_qubits": circuit.num_qubits,
        "operations": [_written(op) for op in circuit.operations],
        "observables": [_written(o) for o in circuit.observables],
        "initial": _written(circuit.initial),
        "frozen": list(circuit.frozen),
        "tensors": [[name, list(shape)] for name, shape in circuit.tensors],
    }
    return json.dumps(document)


def loads(text: str) -> Circuit:
    """Return the circuit that :func:`dumps` wrote.

    Args:
        text: JSON text.

    Raises:
        BadInputError: If the text is not JSON of this format.
    """
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise BadInputError(f"The circuit has format {data['format']}, but this version reads format {FORMAT}.")
        return Circuit(
            num_qubits=data["num_qubits"],
            operations=tuple(_read(op) for op in data["operations"]),  # pyright: ignore[reportArgumentType]
            observables=tuple(_read(o) for o in data["observables"]),  # pyright: ignore[reportArgumentType]
            initial=_read(data["initial"]),  # pyright: ignore[reportArgumentType]
            frozen=tuple(data["frozen"]),
            tensors=tuple((name, tuple(shape)) for name, shape in data["tensors"]),
        )
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise BadInputError(f"The text is not a circuit written by parasym: {error!r}.") from error


def _written(value: Operation | Observable | InitialState) -> dict[str, Any]:
    return {"kind": type(value).__name__, **{k: _plain(v) for k, v in vars(value).items()}}


def _plain(value: Any) -> Any:
    if isinstance(value, Pauli):
        return {"x": hex(value.x), "z": hex(value.z)}
    if isinstance(value, Angle):
        return asdict(value)
    if isinstance(value, complex):
        return {"re": value.real, "im": value.imag}
    return [_plain(v) for v in value] if isinstance(value, tuple) else value


def _read(data: dict[str, Any]) -> Any:
    kinds = {kind.__name__: kind for kind in KINDS}
    return kinds[data["kind"]](**{k: _value(v) for k, v in data.items() if k != "kind"})


def _value(data: Any) -> Any:
    if isinstance(data, list):
        return tuple(_value(v) for v in data)
    if isinstance(data, dict):
        if "re" in data:
            return complex(data["re"], data["im"])
        if "terms" in data:
            return Angle(_value(data["terms"]), data["offset"])
        return Pauli(int(data["x"], 16), int(data["z"], 16))
    return data
