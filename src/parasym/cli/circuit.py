"""Quantum circuits on the command line: what `find` and `verify` do when the name is that of a circuit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from parasym.circuits import Channel, NoiseModel, amplitude_damping, bit_flip, dephasing, depolarizing
from parasym.circuits.source import foreign_kind
from parasym.cli.inputs import parse_inputs
from parasym.cli.model import Loaded
from parasym.cli.progress import working
from parasym.core import BadInputError, child_generator
from parasym.find import find
from parasym.functional import Call, example_call
from parasym.symmetry import Symmetry

CHANNELS = {"amplitude_damping": amplitude_damping, "dephasing": dephasing, "depolarizing": depolarizing, "bit_flip": bit_flip}

NoiseOption = Annotated[
    list[str] | None,
    typer.Option(
        "--noise",
        help="For circuits: a channel after every gate on two or more qubits, on each of them, as in amplitude_damping:0.02 "
        f"({', '.join(CHANNELS)}). Repeatable.",
    ),
]


@dataclass(frozen=True)
class CircuitSubject:
    """A circuit ready to be looked at.

    Attributes:
        spec: How the user named it.
        model: The QNode, tape, Qiskit circuit or parasym circuit.
        call: Arguments of a QNode, observables of a Qiskit circuit.
        noise: Channels to add.
    """

    spec: str
    model: Any
    call: Call
    noise: NoiseModel | None


def circuit_subject(
    loaded: Loaded, spec: str, inputs: list[str], noise: list[str], *, data: Path | None = None, seed: int = 0
) -> CircuitSubject:
    """Return the circuit that a name stands for, with arguments.

    Args:
        loaded: What was loaded.
        spec: How the user named it.
        inputs: Shapes of a QNode's arguments; if empty, ``example_inputs`` are used.
        noise: As in ``amplitude_damping:0.02``.
        data: A file with inputs of a network.
        seed: Seed of random arguments.

    Raises:
        BadInputError: If a QNode has no arguments, data is given, or the noise cannot be read.
    """
    if data is not None:
        raise BadInputError(f"Option --data is for networks, but `{spec}` is a circuit: give --input.")
    call = Call()
    if inputs:
        call = parse_inputs(inputs, dtype=torch.float64, generator=child_generator(seed, "input"))
    elif loaded.examples is not None:
        call = example_call(loaded.examples)
    elif foreign_kind(loaded.model) == "QNode":
        raise BadInputError(
            f"QNode `{spec}` needs its parameters: give --input with a shape such as `--input 2x4x3` (once per argument), "
            "or set `example_inputs` in its file."
        )
    return CircuitSubject(spec, loaded.model, call, parse_noise(noise))


def parse_noise(specs: list[str]) -> NoiseModel | None:
    """Return the noise model that the command line describes.

    Args:
        specs: As in ``amplitude_damping:0.02``.

    Raises:
        BadInputError: If one cannot be read.

    Example:
        >>> parse_noise(["dephasing:0.1"]).after_many[0].name
        'dephasing'
    """
    return NoiseModel(after_many=tuple(_channel(spec) for spec in specs)) if specs else None


def find_in_circuit(subject: CircuitSubject, *, check: bool = False) -> Symmetry:
    """Return the symmetry of the circuit.

    Args:
        subject: The circuit.
        check: Whether to say that it is not tried on numbers.
    """
    with working("Finding the symmetry"):
        return find(subject.model, subject.call.args, subject.call.kwargs, check=check, noise=subject.noise)


def _channel(spec: str) -> Channel:
    name, _, strength = spec.partition(":")
    try:
        value = float(strength)
    except ValueError:
        value = -1.0
    if name not in CHANNELS or not 0 <= value <= 1:
        raise BadInputError(
            f"Noise `{spec}` must be a channel and a strength between 0 and 1, such as `amplitude_damping:0.02`; "
            f"there are {', '.join(CHANNELS)}."
        )
    return CHANNELS[name](value, 0)
